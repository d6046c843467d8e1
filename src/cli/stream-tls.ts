import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { messageOf } from '../base/errors.ts';
import { CliError, EXIT } from './exit-codes.ts';

/**
 * How to reach the streaming server of the daemon on this machine: it must have the very certificate of the configuration, whatever
 * name is in that and whoever signed it.
 */
export async function pinnedTls(certificateFile: string): Promise<ConnectionOptions> {
  const pem = await readCertificate(certificateFile);
  const own = new X509Certificate(pem);
  return {
    ca: pem,
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, { raw }) => {
      return raw.equals(own.raw) ? undefined : new Error(`the streaming server has another certificate than ${certificateFile}`);
    },
  };
}

async function readCertificate(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CliError(EXIT.failed, `exec: read the certificate of the streaming server: ${messageOf(error)}`, { cause: error });
  }
}
