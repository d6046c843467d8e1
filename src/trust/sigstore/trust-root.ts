import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import type { KeySource } from '../key-source.ts';
import { readKeySource } from '../trusted-file.ts';
import { readCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { readPublicKeys } from './keys.ts';
import { pemBlocks } from './pem.ts';
import type { SigstoreTrust } from './sigstore-trust.ts';

/** What a `sigstoreSigned` trusts, read: keys and certificates are no paths any more. */
export type TrustRoot =
  | { readonly by: 'key'; readonly keys: readonly KeyObject[]; readonly rekor: readonly KeyObject[] | undefined }
  | {
      readonly by: 'fulcio';
      readonly roots: readonly Certificate[];
      readonly rekor: readonly KeyObject[];
      readonly oidcIssuer: string;
      readonly subjectEmail: string;
    }
  | {
      readonly by: 'pki';
      readonly roots: readonly Certificate[];
      readonly intermediates: readonly Certificate[];
      readonly subjectEmail: string | undefined;
      readonly subjectHostname: string | undefined;
    };

/** Most certificates of one file of a policy. */
const MAX_CERTIFICATES = 1000;

/** Reads the keys and certificates of a policy as they are now. @throws Error that names what is wrong. */
export async function readTrustRoot(trust: SigstoreTrust): Promise<TrustRoot> {
  if (trust.by === 'key') {
    const keys = await readPublicKeys(trust.keys);
    return { by: 'key', keys, rekor: trust.rekor === undefined ? undefined : await readRekorKeys(trust.rekor) };
  }
  if (trust.by === 'fulcio') {
    const [roots, rekor] = await Promise.all([readAuthorities(trust.ca, 'fulcio CA'), readRekorKeys(trust.rekor)]);
    return { by: 'fulcio', roots, rekor, oidcIssuer: trust.oidcIssuer, subjectEmail: trust.subjectEmail };
  }
  const { subjectEmail, subjectHostname } = trust;
  const roots = await readAuthorities(trust.roots, 'pki CA roots');
  const intermediates = trust.intermediates === undefined ? [] : await readAll(trust.intermediates, 'pki CA intermediates');
  return { by: 'pki', roots, intermediates, subjectEmail, subjectHostname };
}

/** Rekor signs by ECDSA. */
async function readRekorKeys(sources: readonly KeySource[]): Promise<KeyObject[]> {
  const keys = await readPublicKeys(sources, 'Rekor key');
  const other = keys.find(({ asymmetricKeyType }) => asymmetricKeyType !== 'ec');
  if (other !== undefined) throw new Error(`a Rekor key is ${other.asymmetricKeyType}, must be ECDSA`);
  return keys;
}

/** The certificates of a file; what else is in it, and what of it cannot be read, is passed over as containers/image does. */
async function readAuthorities(source: KeySource, what: string): Promise<Certificate[]> {
  const found: Certificate[] = [];
  let fault = 'there is no PEM block "CERTIFICATE"';
  for (const { type, der } of await blocksOf(source, what)) {
    if (type !== 'CERTIFICATE') continue;
    try {
      found.push(readCertificate(der));
    } catch (error) {
      fault = messageOf(error);
    }
  }
  if (found.length === 0) throw new Error(`${placeOf(source, what)}: must have a certificate in PEM: ${fault}`);
  return found;
}

async function readAll(source: KeySource, what: string): Promise<Certificate[]> {
  try {
    return (await blocksOf(source, what)).map(({ der }) => readCertificate(der));
  } catch (error) {
    throw new Error(`${placeOf(source, what)}: ${messageOf(error)}`, { cause: error });
  }
}

async function blocksOf(source: KeySource, what: string): Promise<ReturnType<typeof pemBlocks>> {
  const text = (await readKeySource(source, what)).toString('latin1');
  try {
    return pemBlocks(text, MAX_CERTIFICATES);
  } catch (error) {
    throw new Error(`${placeOf(source, what)}: ${messageOf(error)}`, { cause: error });
  }
}

function placeOf(source: KeySource, what: string): string {
  return 'path' in source ? `${what} ${source.path}` : `${what} data`;
}
