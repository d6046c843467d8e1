import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fail, messageOf } from '../base/errors.ts';
import type { TlsSettings } from './endpoint.ts';
import type { LoadTrace } from './load-trace.ts';

/** Where certificates lie. */
export interface TlsPaths {
  readonly authorities: readonly string[];
  /** Certificate and key; one that has both in one file has an empty key. */
  readonly clients: readonly (readonly [certificate: string, key: string])[];
}

/** What the files of {@link TlsPaths} hold, as PEM. */
export type TlsContent = Pick<TlsSettings, 'authorities' | 'clients'>;

export const NO_TLS_CONTENT: TlsContent = { authorities: [], clients: [] };

/** Reads files of certificates and keys. @throws InvalidArgument that names the file that is wrong. */
export async function readTlsFiles({ authorities, clients }: TlsPaths, trace: LoadTrace): Promise<TlsContent> {
  const text = async (path: string): Promise<string> => {
    await trace.read([path], []);
    return await readFile(path, 'utf8').catch((error: unknown) => fail('InvalidArgument', `read ${path}: ${messageOf(error)}`));
  };
  const pairs = clients.map(async ([certificatePath, keyPath]) => {
    const certificate = await text(certificatePath);
    const key = keyPath === '' ? certificate : await text(keyPath);
    checkPair(checkCertificate(certificate, certificatePath), key, keyPath === '' ? certificatePath : keyPath);
    return { certificate, key };
  });
  const trusted = authorities.map(async (path) => {
    const pem = await text(path);
    checkCertificate(pem, path);
    return pem;
  });
  return { authorities: await Promise.all(trusted), clients: await Promise.all(pairs) };
}

export function tlsSettings({ authorities, clients }: TlsContent, verifies: boolean): TlsSettings {
  const hash = createHash('sha256').update(JSON.stringify([verifies, authorities, clients]));
  return { key: hash.digest('hex'), verifies, authorities, clients };
}

function checkCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    return fail('InvalidArgument', `read ${path}: it must have a certificate as PEM`);
  }
}

/** Nothing of the key is said. */
function checkPair(certificate: X509Certificate, pem: string, path: string): void {
  let isPair: boolean;
  try {
    isPair = certificate.checkPrivateKey(createPrivateKey(pem));
  } catch {
    return fail('InvalidArgument', `read ${path}: it must have a private key as PEM, without a passphrase`);
  }
  if (!isPair) fail('InvalidArgument', `read ${path}: the key is not that of the certificate`);
}
