import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** Files of a certificate and its key, for a streaming server that wants one of its clients. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** What the command line says of it. @throws {CliError} where it is half of one. */
export function clientCertificateOf(certificate: unknown, key: unknown): ClientCertificate | undefined {
  if (typeof certificate === 'string' && typeof key === 'string') return { certificate, key };
  if (certificate === undefined && key === undefined) return undefined;
  throw new CliError(EXIT.usage, 'exec: --client-cert and --client-key go together: a certificate, and its key');
}

/**
 * How to reach the streaming server of the daemon on this machine: it must have the very certificate of the configuration, whatever
 * name is in that and whoever signed it. @throws {CliError} where it wants a certificate of ours, and there is none.
 */
export async function pinnedTls(
  { tlsCert, tlsClientCa }: Pick<Config['stream'], 'tlsCert' | 'tlsClientCa'>,
  client: ClientCertificate | undefined,
): Promise<ConnectionOptions> {
  if (tlsClientCa !== '' && client === undefined)
    throw new CliError(
      EXIT.failed,
      `exec: stream.tls_client_ca lets in clients with a certificate only: give --client-cert and --client-key, signed by an authority of ${tlsClientCa}`,
    );
  const pem = await readPem('the certificate of the streaming server', tlsCert);
  const own = new X509Certificate(pem);
  return {
    ca: pem,
    allowPartialTrustChain: true,
    checkServerIdentity: (_host, { raw }) => {
      return raw.equals(own.raw) ? undefined : new Error(`the streaming server has another certificate than ${tlsCert}`);
    },
    ...(client === undefined
      ? {}
      : { cert: await readPem('the certificate for it', client.certificate), key: await readPem('the key of that', client.key) }),
  };
}

async function readPem(what: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CliError(EXIT.failed, `exec: read ${what}: ${messageOf(error)}`, { cause: error });
  }
}
