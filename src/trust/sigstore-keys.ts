import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { messageOf } from '../base/errors.ts';
import type { KeySource } from './policy.ts';
import { BadSignature } from './signature.ts';
import type { Signature } from './signature.ts';
import { decodeBase64 } from './strict-json.ts';
import { readKeySource } from './trusted-file.ts';

/** Where a cosign signature says its bytes. cosign, SIGNATURE_SPEC.md */
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
/** Kinds of keys that sigstore's tools make: ECDSA, RSA (PKCS #1 1.5) with SHA-256, Ed25519. */
const KINDS = ['ec', 'rsa', 'ed25519'];

/** Public keys in PEM. @throws Error that names what is no key. */
export async function readPublicKeys(sources: readonly KeySource[]): Promise<KeyObject[]> {
  return await Promise.all(
    sources.map(async (source) => {
      const pem = await readKeySource(source, 'key');
      const where = 'path' in source ? `key ${source.path}` : 'key data';
      if (!pem.includes('-----BEGIN PUBLIC KEY-----')) throw new Error(`${where}: must be a public key in PEM`);
      let key: KeyObject;
      try {
        key = createPublicKey(pem);
      } catch (error) {
        throw new Error(`${where}: must be a public key in PEM: ${messageOf(error)}`, { cause: error });
      }
      if (!KINDS.includes(key.asymmetricKeyType ?? ''))
        throw new Error(`${where}: its kind is ${key.asymmetricKeyType}, must be one of ${KINDS.join(', ')}`);
      return key;
    }),
  );
}

/** Checks that one of the keys has signed the claim. @throws BadSignature. */
export function checkSigned({ payload, annotations }: Signature & { kind: 'sigstore' }, keys: readonly KeyObject[]): void {
  const text = Object.hasOwn(annotations, SIGNATURE_ANNOTATION) ? annotations[SIGNATURE_ANNOTATION] : undefined;
  const signature = decodeBase64(text ?? '');
  if (signature === undefined) throw new BadSignature(`it has no ${SIGNATURE_ANNOTATION} in base64`);
  const holds = keys.some((key) => verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature));
  if (!holds) throw new BadSignature('it is by none of the keys, or does not hold');
}
