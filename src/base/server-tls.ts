import { readFile } from 'node:fs/promises';
import { createSecureContext, type Server, type TlsOptions } from 'node:tls';
import { DaemonError, messageOf } from './errors.ts';
import type { Log } from './log.ts';

/** Where the certificates lie. PEM files, absolute paths. */
export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** With it, clients must show a certificate of this authority. */
  readonly clientCaFile?: string;
}

interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

/** The files as the configuration names them; empty is none. */
export function configuredTls(keys: {
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsClientCa: string;
}): TlsFiles | undefined {
  const { tlsCert, tlsKey, tlsClientCa } = keys;
  if (tlsCert === '') return undefined;
  return { certificateFile: tlsCert, keyFile: tlsKey, ...(tlsClientCa === '' ? {} : { clientCaFile: tlsClientCa }) };
}

/** How often the files are looked at, milliseconds. */
const CHECK_MS = 60_000;

/** TLS files of a server, which are read again when they change. */
export class FollowedTls {
  readonly #files: TlsFiles;
  #material: TlsMaterial;
  #isReading = false;

  private constructor(files: TlsFiles, material: TlsMaterial) {
    this.#files = files;
    this.#material = material;
  }

  /** @throws {DaemonError} InvalidArgument where a file cannot be read, or they do not fit together. */
  static async open(files: TlsFiles): Promise<FollowedTls> {
    return new FollowedTls(files, await readTlsFiles(files));
  }

  get serverOptions(): TlsOptions {
    return { ...this.#material, requestCert: this.#files.clientCaFile !== undefined, rejectUnauthorized: true };
  }

  /** @returns whether the files have changed. @throws as {@link open}. */
  async #refresh(server: Server): Promise<boolean> {
    // Files on a server that hangs take one thread of the pool, not one more at each look.
    if (this.#isReading) return false;
    this.#isReading = true;
    try {
      const material = await readTlsFiles(this.#files);
      if (sameMaterial(material, this.#material)) return false;
      server.setSecureContext(material);
      this.#material = material;
      return true;
    } finally {
      this.#isReading = false;
    }
  }

  /**
   * Reads the files again and again; connections that `server` takes from then on use what is new. Files that do not work are logged
   * and left. @param who heads the lines of the log. @returns the timer, which keeps no process alive.
   */
  follow(server: Server, who: string, log: Log, everyMs = CHECK_MS): NodeJS.Timeout {
    const look = async (): Promise<void> => {
      try {
        if (await this.#refresh(server)) log.info(`${who} uses new certificates`);
      } catch (error) {
        log.warn(`${who} keeps its certificates`, { error: messageOf(error) });
      }
    };
    return setInterval(() => void look(), everyMs).unref();
  }
}

/** @throws {DaemonError} InvalidArgument where a file cannot be read, or they do not fit together. */
async function readTlsFiles(files: TlsFiles): Promise<TlsMaterial> {
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

function sameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  const sameCa = one.ca === undefined || other.ca === undefined ? one.ca === other.ca : one.ca.equals(other.ca);
  return one.cert.equals(other.cert) && one.key.equals(other.key) && sameCa;
}
