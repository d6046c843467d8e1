/** Rekor's promise that a signature is in its log. rekor, types/hashedrekord/v0.0.1; cosign, pkg/cosign/bundle. */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { DaemonError, messageOf } from '../../base/errors.ts';
import type { Field } from '../../base/field.ts';
import { BadSignature } from '../signature.ts';
import { decodeBase64, orRefusal, parseStrict, readBase64, refuseOtherCase, refuseOthers } from '../strict-json.ts';
import { holds } from './keys.ts';
import { firstPemBlock } from './pem.ts';

/** What an entry of the log must be about. */
export interface Logged {
  /** Of the public key (SubjectPublicKeyInfo) or the certificate, in DER. */
  readonly signers: readonly Buffer[];
  readonly signature: Buffer;
  readonly payload: Buffer;
}

/** An entry of the log that a Rekor has signed and that is about this signature. */
export interface Entry {
  readonly at: Date;
  /** Which of the signers it names. */
  readonly signer: Buffer;
}

/**
 * Checks the signed entry timestamp in the text of a `dev.sigstore.cosign/bundle`. That the log itself has the entry is not asked: no log is.
 * @param keys of the Rekors that the policy trusts
 * @throws BadSignature that says what does not fit.
 */
export async function checkLogged(bundle: string, keys: readonly KeyObject[], logged: Logged): Promise<Entry> {
  const { timestamp, canonical, body, integratedTime } = refusing(() => readBundle(bundle));
  let isSigned = false;
  for (const key of keys) isSigned ||= await holds(key, canonical, timestamp, 'sha256');
  if (!isSigned) throw new BadSignature("the signed entry timestamp of Rekor is by none of the policy's Rekor keys, or does not hold");
  const entry = refusing(() => readEntry(body));
  const signer = logged.signers.find((one) => one.equals(entry.signer));
  if (signer === undefined) throw new BadSignature('the entry of Rekor is about another key or certificate');
  if (!entry.signature.equals(logged.signature)) throw new BadSignature('the entry of Rekor is about another signature');
  if (!entry.payloadHash.equals(createHash('sha256').update(logged.payload).digest()))
    throw new BadSignature('the entry of Rekor is about another payload');
  return { at: new Date(integratedTime * 1000), signer };
}

/** A refusal of what was read is one of the signature. */
function refusing<T>(read: () => T): T {
  const result = orRefusal(read);
  if (result instanceof DaemonError) throw new BadSignature(result.message);
  return result;
}

interface Bundle {
  readonly timestamp: Buffer;
  /** What Rekor has signed: RFC 8785. */
  readonly canonical: Buffer;
  readonly body: Buffer;
  readonly integratedTime: number;
}

function readBundle(text: string): Bundle {
  const root = parseStrict(text, 'the bundle of Rekor');
  refuseOthers(root, 'SignedEntryTimestamp', 'Payload');
  const payload = root.at('Payload');
  refuseOthers(payload, 'body', 'integratedTime', 'logIndex', 'logID');
  const [body, logID] = [payload.at('body').text(), payload.at('logID').text()];
  if (!logID.isWellFormed()) payload.at('logID').refuse('text in Unicode');
  const [integratedTime, logIndex] = [readInteger(payload.at('integratedTime')), readInteger(payload.at('logIndex'))];
  // RFC 8785 writes numbers and texts as ECMAScript does, and sorts keys: these are sorted.
  const canonical = Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
  return { timestamp: readBase64(root.at('SignedEntryTimestamp')), canonical, body: readBase64(payload.at('body')), integratedTime };
}

/** A time that JavaScript can say, or a place in a log. */
function readInteger(field: Field): number {
  const value = field.number();
  return Number.isSafeInteger(value) && Math.abs(value) <= MAX_NUMBER ? value : field.refuse(`a whole number up to ${MAX_NUMBER}`);
}

/** Date's end in seconds: the year 275760. */
const MAX_NUMBER = 8_640_000_000_000;

function readEntry(body: Buffer): { signer: Buffer; signature: Buffer; payloadHash: Buffer } {
  const root = parseStrict(body.toString('utf8'), 'the entry of Rekor');
  refuseOtherCase(root, 'apiVersion', 'kind', 'spec');
  root.at('kind').oneOf(['hashedrekord']);
  root.at('apiVersion').oneOf(['0.0.1']);
  const spec = root.at('spec');
  const signature = spec.at('signature');
  const hash = spec.at('data').at('hash');
  refuseOtherCase(spec, 'data', 'signature');
  refuseOtherCase(spec.at('data'), 'hash');
  refuseOtherCase(hash, 'algorithm', 'value');
  refuseOtherCase(signature, 'content', 'publicKey');
  refuseOtherCase(signature.at('publicKey'), 'content');
  hash.at('algorithm').oneOf(['sha256']);
  const hex = hash.at('value');
  return {
    signer: readPemOf(signature.at('publicKey').at('content')),
    signature: readBase64(signature.at('content')),
    payloadHash: /^([0-9a-f]{2})*$/i.test(hex.text()) ? Buffer.from(hex.text(), 'hex') : hex.refuse('hexadecimal'),
  };
}

function readPemOf(field: Field): Buffer {
  return wholePemBlock(readBase64(field).toString('latin1')) ?? field.refuse('one block of PEM in base64, and no more');
}

/** The bytes of a text that is one block of PEM and has nothing behind it. */
export function wholePemBlock(text: string): Buffer | undefined {
  try {
    const first = firstPemBlock(text);
    return first?.rest === '' ? first.block.der : undefined;
  } catch (error) {
    throw new BadSignature(messageOf(error));
  }
}

/** The bytes of a signature as an annotation has them. */
export function readSignatureText(text: string | undefined, name: string): Buffer {
  const signature = decodeBase64(text ?? '');
  if (signature === undefined) throw new BadSignature(`it has no ${name} in base64`);
  return signature;
}
