import { constants, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { DerReader, TAGS } from './der.ts';

interface Algorithm {
  readonly key: 'rsa' | 'ec' | 'ed25519';
  readonly hash: string | null;
  readonly isPss?: true;
}

/** With what a certificate may be signed, RFC 5280 and RFC 8410: nothing by MD5 or SHA-1. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  '1.2.840.113549.1.1.11': { key: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { key: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', hash: 'sha512' },
  '1.3.101.112': { key: 'ed25519', hash: null },
};
const RSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
const PSS_HASHES: Readonly<Record<string, { readonly hash: string; readonly bytes: number }>> = {
  '2.16.840.1.101.3.4.2.1': { hash: 'sha256', bytes: 32 },
  '2.16.840.1.101.3.4.2.2': { hash: 'sha384', bytes: 48 },
  '2.16.840.1.101.3.4.2.3': { hash: 'sha512', bytes: 64 },
};

/** Whether a key has signed a certificate, with an algorithm that counts. It is looked at on a thread of its own. */
export async function isSignedBy(certificate: Certificate, key: KeyObject): Promise<boolean> {
  const algorithm = algorithmOf(certificate);
  if (algorithm === undefined || key.asymmetricKeyType !== algorithm.key) return false;
  const { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants;
  const how = algorithm.isPss === true ? { key, padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST } : key;
  return await new Promise((resolve) => {
    verify(algorithm.hash, certificate.signed, how, certificate.signature, (error, isGood) => {
      resolve(error === null && isGood);
    });
  });
}

function algorithmOf({ algorithm }: Certificate): Algorithm | undefined {
  try {
    const fields = new DerReader(algorithm);
    const oid = fields.objectId();
    if (oid === RSA_PSS) return readPss(fields);
    const known = Object.hasOwn(ALGORITHMS, oid) ? ALGORITHMS[oid] : undefined;
    return known?.key === 'ed25519' && !fields.isAtEnd ? undefined : known;
  } catch {
    return undefined;
  }
}

/** RFC 4055, 3.1: only where both hashes are one, and the salt is as long as that. */
function readPss(parameters: DerReader): Algorithm | undefined {
  const fields = parameters.sequence();
  const hash = readHash(fields.next(0xa0).content);
  const mask = new DerReader(fields.next(0xa1).content).sequence();
  const isMgf1 = mask.objectId() === MGF1;
  const maskHash = readHash(mask.next(TAGS.sequence).whole);
  const salt = new DerReader(fields.next(0xa2).content).next(TAGS.integer).content;
  const trailer = fields.optional(0xa3);
  const isUsual = trailer === undefined || trailer.content.equals(Buffer.of(TAGS.integer, 1, 1));
  const known = Object.hasOwn(PSS_HASHES, hash) ? PSS_HASHES[hash] : undefined;
  if (known === undefined || !isMgf1 || maskHash !== hash || !isUsual || !salt.equals(Buffer.of(known.bytes))) return undefined;
  return { key: 'rsa', hash: known.hash, isPss: true };
}

function readHash(der: Buffer): string {
  const fields = new DerReader(der).sequence();
  const oid = fields.objectId();
  if (!fields.isAtEnd && fields.next(TAGS.null).content.length > 0) throw new Error('a hash has parameters');
  fields.end();
  return oid;
}
