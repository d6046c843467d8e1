import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { DaemonError, messageOf } from '../base/errors.ts';

/** Where the certificates lie. PEM files, absolute paths. */
export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** With it, clients must show a certificate of this authority. */
  readonly clientCaFile?: string;
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

/** @throws {DaemonError} InvalidArgument where a file cannot be read, or they do not fit together. */
export async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (error) {
      throw new DaemonError('InvalidArgument', `read the TLS file ${path}: ${messageOf(error)}`, { cause: error });
    }
  };
  const [cert, key, ca] = await Promise.all([
    read(files.certificateFile),
    read(files.keyFile),
    files.clientCaFile === undefined ? undefined : read(files.clientCaFile),
  ]);
  const material = { cert, key, ...(ca && { ca }) };
  try {
    createSecureContext(material);
  } catch (error) {
    throw new DaemonError('InvalidArgument', `use the TLS files ${files.certificateFile} and ${files.keyFile}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return material;
}

export function sameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  const sameCa = one.ca === undefined || other.ca === undefined ? one.ca === other.ca : one.ca.equals(other.ca);
  return one.cert.equals(other.cert) && one.key.equals(other.key) && sameCa;
}
