import { DaemonError } from '../base/errors.ts';
import type { Field } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import type { ImageName, ParseName } from './image-name.ts';
import { identityMatches } from './signed-identity.ts';
import type { SignedIdentity } from './signed-identity.ts';
import { BadSignature } from './signature.ts';
import { orRefusal, parseStrict, refuseOthers } from './strict-json.ts';

/** The image that a signature must be of. */
export interface Subject {
  /** The name by which it was asked for. */
  readonly name: ImageName;
  /** Of the manifest that is run; of an index it is the one for this platform, as with containers/image. */
  readonly manifestDigest: Digest;
}

/** The type of a claim: of an OpenPGP signature, and of a sigstore one. containers-signature(5), cosign's SIGNATURE_SPEC.md */
export type ClaimType = 'atomic container signature' | 'cosign container image signature';

/**
 * Reads a claim whose signature holds, and compares it with the image.
 * @throws BadSignature that says what it is for.
 */
export function checkClaim(payload: Buffer, type: ClaimType, subject: Subject, identity: SignedIdentity, parse: ParseName): void {
  const claim = orRefusal(() => readClaim(payload, type));
  if (claim instanceof DaemonError) throw new BadSignature(claim.message);
  checkDigest(claim.digest, subject);
  checkName(claim.name, subject, identity, parse);
}

/** @throws BadSignature. */
export function checkDigest(signed: string, subject: Subject): void {
  if (signed !== subject.manifestDigest) throw new BadSignature(`it is for ${signed.slice(0, 80)}, must be for ${subject.manifestDigest}`);
}

/** @throws BadSignature. */
export function checkName(signed: string, subject: Subject, identity: SignedIdentity, parse: ParseName): void {
  const name = orRefusal(() => parse(signed));
  if (name instanceof DaemonError || !identityMatches(identity, subject.name, name))
    throw new BadSignature(`it is for the name ${JSON.stringify(signed.slice(0, 300))}, which ${identity.type} does not accept`);
}

function readClaim(payload: Buffer, type: ClaimType): { digest: string; name: string } {
  const root = parseStrict(payload.toString('utf8'), 'what it signs');
  refuseOthers(root, 'critical', 'optional');
  if (root.at('optional').value === undefined) root.at('optional').refuse('there, null at least');
  const optional = root.at('optional').given;
  if (optional !== undefined) checkOptional(optional);
  const critical = root.at('critical');
  refuseOthers(critical, 'type', 'image', 'identity');
  critical.at('type').oneOf([type]);
  refuseOthers(critical.at('image'), 'docker-manifest-digest');
  refuseOthers(critical.at('identity'), 'docker-reference');
  return {
    digest: critical.at('image').at('docker-manifest-digest').text(),
    name: critical.at('identity').at('docker-reference').text(),
  };
}

/** Who made it and when: of the right kind, else of no consequence. */
function checkOptional(optional: Field): void {
  optional.at('creator').given?.text();
  const timestamp = optional.at('timestamp').given;
  if (timestamp !== undefined && !(Number.isInteger(timestamp.number()) && Math.abs(timestamp.number()) < 2 ** 63))
    timestamp.refuse('a whole number of seconds');
}
