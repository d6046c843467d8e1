import { setImmediate as nextTurn } from 'node:timers/promises';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { checkClaim } from './claim.ts';
import type { Subject } from './claim.ts';
import type { Gpg } from './gpg.ts';
import { exactName } from './image-name.ts';
import type { ParseName } from './image-name.ts';
import type { Requirement, SignedBy, SigstoreSigned } from './policy.ts';
import { BadSignature } from './signature.ts';
import type { Signature } from './signature.ts';
import { readKeySource } from './trusted-file.ts';

export interface EvaluateParts {
  readonly gpg: Gpg;
  readonly parseName: ParseName;
}

/** Most reasons that a refusal gives, where an image has many signatures. */
const MAX_REASONS = 5;

/**
 * Checks that all demands are met. The signatures are asked for once, where a demand is of them.
 * @param file the policy's, for the refusal
 * @throws SignatureValidationFailed that names file and place; what `signatures` throws.
 */
export async function evaluate(
  parts: EvaluateParts,
  { file, requirements, subject, signal }: { file: string; requirements: readonly Requirement[]; subject: Subject; signal: AbortSignal },
  signatures: () => Promise<readonly Signature[]>,
): Promise<void> {
  let found: readonly Signature[] | undefined;
  for (const requirement of requirements) {
    const refuse = (why: string): never => {
      const name = exactName(subject.name) ?? subject.name.path;
      throw new DaemonError('SignatureValidationFailed', `${name} is refused by ${file}: ${requirement.place}: ${why}`);
    };
    if (requirement.type === 'insecureAcceptAnything') continue;
    if (requirement.type === 'reject') refuse('reject');
    else {
      found ??= await signatures();
      const why = await whyNot(parts, requirement, found, subject, signal);
      if (why !== undefined) refuse(why);
    }
  }
}

/** Undefined where one of the signatures meets the demand. */
async function whyNot(
  parts: EvaluateParts,
  requirement: SignedBy | SigstoreSigned,
  signatures: readonly Signature[],
  subject: Subject,
  signal: AbortSignal,
): Promise<string | undefined> {
  let verify: (signature: Signature) => Promise<boolean>;
  try {
    verify = await verifierOf(parts, requirement, subject, signal);
  } catch (error) {
    return messageOf(error); // a key that cannot be read
  }
  const reasons: string[] = [];
  for (const signature of signatures) {
    await nextTurn(); // many that are refused at their first look must not hold up all else
    try {
      if (await verify(signature)) return undefined;
    } catch (error) {
      if (!(error instanceof BadSignature) && kindOf(error) !== 'FailedPrecondition') throw error;
      reasons.push(messageOf(error));
    }
  }
  const { type } = requirement;
  if (reasons.length === 0) {
    const others = signatures.length === 0 ? '' : ` (${signatures.length} of another kind)`;
    return `${type}: a signature of ${subject.manifestDigest} must be there, none was found${others}`;
  }
  const more = reasons.length > MAX_REASONS ? `; and ${reasons.length - MAX_REASONS} more` : '';
  return `${type}: no signature is accepted: ${reasons.slice(0, MAX_REASONS).join('; ')}${more}`;
}

/** What checks one signature: false where it is of another kind, BadSignature where it does not hold. @throws Error for keys that cannot be read. */
async function verifierOf(
  { gpg, parseName }: EvaluateParts,
  requirement: SignedBy | SigstoreSigned,
  subject: Subject,
  signal: AbortSignal,
): Promise<(signature: Signature) => Promise<boolean>> {
  const { identity } = requirement;
  if (requirement.type === 'sigstoreSigned') {
    const { checkSigned } = await import('./sigstore/verify.ts'); // for nodes whose policy has such a demand
    const { readTrustRoot } = await import('./sigstore/trust-root.ts');
    const root = await readTrustRoot(requirement.trust);
    return async (signature) => {
      if (signature.kind !== 'sigstore') return false;
      await checkSigned(signature, root);
      checkClaim(signature.payload, 'cosign container image signature', subject, identity, parseName);
      return true;
    };
  }
  const { keys } = requirement;
  const keyrings = await Promise.all(keys.map(async (key) => readKeySource(key, 'key')));
  return async (signature) => {
    if (signature.kind !== 'simple') return false;
    const claim = await gpg.verify(signature.bytes, keyrings, signal);
    checkClaim(claim, 'atomic container signature', subject, identity, parseName);
    return true;
  };
}
