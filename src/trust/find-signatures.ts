import { fileURLToPath } from 'node:url';
import { DaemonError, hasErrno } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { ImageName } from './image-name.ts';
import type { SignaturePlaces } from './registries-d.ts';
import { MAX_SIGNATURES, SIGNATURE_LIMIT_BYTES } from './signature.ts';
import type { Signature } from './signature.ts';
import { readTrustedFile } from './trusted-file.ts';

/** What signatures are fetched with: the registry that the image comes from, and http. */
export interface SignatureSource {
  /** The manifest that a tag or a digest of the image's repository names; undefined where there is none. */
  readonly manifest: (tagOrDigest: string) => Promise<Buffer | undefined>;
  /** The index of what refers to a manifest (OCI distribution spec, referrers); undefined where the registry does not keep one. */
  readonly referrers: (digest: Digest) => Promise<Buffer | undefined>;
  /** A blob of the repository, whose digest was checked. */
  readonly blob: (digest: Digest, limitBytes: number) => Promise<Buffer>;
  /** What a URL of elsewhere answers; undefined for 404. */
  readonly url: (url: string, limitBytes: number) => Promise<Buffer | undefined>;
}

/** All signatures of a manifest that are where they are kept. @throws RegistryUnavailable and what else the source throws. */
export async function findSignatures(
  name: ImageName,
  manifestDigest: Digest,
  { lookaside }: SignaturePlaces,
  source: SignatureSource,
): Promise<Signature[]> {
  return await fromLookaside(name, manifestDigest, lookaside, source);
}

/** Numbered from 1 on, until one is missing. containers/image, docs/signature-protocols.md */
async function fromLookaside(name: ImageName, manifestDigest: Digest, base: string, source: SignatureSource): Promise<Signature[]> {
  const found: Signature[] = [];
  const directory = `${base.replace(/\/+$/, '')}/${name.path}@${manifestDigest.replace(':', '=')}`;
  for (let number = 1; ; number += 1) {
    if (number > MAX_SIGNATURES)
      throw new DaemonError('InvalidArgument', `${directory}: there are more than ${MAX_SIGNATURES} signatures, must be fewer`);
    const url = `${directory}/signature-${number}`;
    const bytes = url.startsWith('file:') ? await readIfThere(fileURLToPath(url)) : await source.url(url, SIGNATURE_LIMIT_BYTES);
    if (bytes === undefined) return found;
    found.push({ kind: 'simple', bytes });
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readTrustedFile(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
