import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import type { KeySource } from '../key-source.ts';
import { readKeySource } from '../trusted-file.ts';
import { DerReader, TAGS } from './der.ts';
import { firstPemBlock } from './pem.ts';

/** ECDSA, RSA (PKCS #1 1.5) and Ed25519, as Go and sigstore's tools have them. */
const CURVES = ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 1024;
const PEM_TYPES = { 'PUBLIC KEY': 'spki', 'RSA PUBLIC KEY': 'pkcs1' } as const;

/** The public keys in PEM of a policy. @throws Error that names what is no key. */
export async function readPublicKeys(sources: readonly KeySource[], what = 'key'): Promise<KeyObject[]> {
  return await Promise.all(
    sources.map(async (source) => {
      const pem = await readKeySource(source, what);
      const where = 'path' in source ? `${what} ${source.path}` : `${what} data`;
      try {
        return readPublicKey(pem.toString('latin1'));
      } catch (error) {
        throw new Error(`${where}: ${messageOf(error)}`, { cause: error });
      }
    }),
  );
}

function readPublicKey(pem: string): KeyObject {
  const block = firstPemBlock(pem)?.block;
  const type = block !== undefined && Object.hasOwn(PEM_TYPES, block.type) ? PEM_TYPES[block.type as keyof typeof PEM_TYPES] : undefined;
  if (block === undefined || type === undefined) throw new Error('must be a public key in PEM');
  if (type === 'spki') checkKeyInfo(block.der);
  const key = createPublicKey({ key: block.der, format: 'der', type });
  if (!isUsable(key))
    throw new Error(`its kind is ${kindOfKey(key)}, must be ECDSA by a NIST curve, RSA from ${MIN_RSA_BITS} bits, or Ed25519`);
  return key;
}

/** Kinds of keys and curves, with what stands behind them in DER. RFC 3279, 5480, 8410 */
const RSA = '1.2.840.113549.1.1.1';
const EC = '1.2.840.10045.2.1';
const ED25519 = '1.3.101.112';
const CURVE_IDS = ['1.3.132.0.33', '1.2.840.10045.3.1.7', '1.3.132.0.34', '1.3.132.0.35'];

/** That nothing follows, and a point of a curve is told by both coordinates: OpenSSL takes one as well, Go does not. @throws Error. */
function checkKeyInfo(keyInfo: Buffer): void {
  const whole = new DerReader(keyInfo);
  const fields = whole.sequence();
  whole.end();
  const kind = fields.sequence().objectId();
  const key = fields.bytesOfBits();
  fields.end();
  if (kind === EC && key[0] !== 4) throw new Error('its point must be given by both coordinates');
}

/**
 * A public key by its SubjectPublicKeyInfo in DER; undefined for a kind that is not used here: OpenSSL sees none of those.
 * @throws Error for one that is of a kind that is used, and cannot be read: its certificate is none, as for Go.
 */
export function publicKeyOf(keyInfo: Buffer): KeyObject | undefined {
  const algorithm = new DerReader(keyInfo).sequence().sequence();
  const kind = algorithm.objectId();
  if (kind === EC ? !CURVE_IDS.includes(algorithm.objectId()) : kind !== RSA && kind !== ED25519) return undefined;
  if (kind === RSA) algorithm.next(TAGS.null);
  algorithm.end();
  checkKeyInfo(keyInfo);
  const key = createPublicKey({ key: keyInfo, format: 'der', type: 'spki' });
  return isUsable(key) ? key : undefined;
}

function isUsable(key: KeyObject): boolean {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec') return CURVES.includes(namedCurve ?? '');
  if (key.asymmetricKeyType === 'rsa') return (modulusLength ?? 0) >= MIN_RSA_BITS;
  return key.asymmetricKeyType === 'ed25519';
}

function kindOfKey(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  return [key.asymmetricKeyType, namedCurve ?? modulusLength].filter((part) => part !== undefined).join(' ');
}

/** Whether a key has signed these bytes. It is looked at on a thread of its own, not on the event loop. */
export async function holds(key: KeyObject, bytes: Buffer, signature: Buffer, hash: 'sha256' | 'sha384' | 'sha512'): Promise<boolean> {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : hash;
  return await new Promise((resolve) => {
    verify(algorithm, bytes, key, signature, (error, isGood) => {
      resolve(error === null && isGood);
    });
  });
}
