import { kindOf, DaemonError } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import type { Repository } from '../registry/repository.ts';
import type { StallWatch } from '../registry/stall-watch.ts';
import type { SignatureSource } from '../trust/find-signatures.ts';
import { digestOf } from './oci-types.ts';

/** The signatures of an image come with what its pull is done with: the same endpoints, credentials and deadlines. */
export function signatureSource(registry: RegistryClient, repository: Repository, watch: StallWatch, signal: AbortSignal): SignatureSource {
  return {
    manifest: async (tagOrDigest) => unlessNotFound(async () => (await repository.manifest(tagOrDigest, signal)).bytes),
    blob: async (digest, limitBytes) => readBlob(repository, digest, limitBytes, signal),
    url: async (url, limitBytes) => unlessNotFound(async () => registry.fetchUrl(url, { limitBytes, signal, watch, beside: repository })),
  };
}

async function unlessNotFound(work: () => Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await work();
  } catch (error) {
    if (kindOf(error) === 'NotFound') return undefined;
    throw error;
  }
}

async function readBlob(repository: Repository, digest: Digest, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let received = 0;
  for await (const piece of (await repository.blob(digest, 0, signal)).content) {
    received += piece.length;
    if (received > limitBytes)
      throw new DaemonError('InvalidArgument', `signature ${digest}: more than ${limitBytes} bytes, must be fewer`);
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  if (digestOf(bytes) !== digest)
    throw new DaemonError('FailedPrecondition', `the digest of a signature is ${digestOf(bytes)}, must be ${digest}`);
  return bytes;
}
