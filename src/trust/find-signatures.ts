import { fileURLToPath } from 'node:url';
import { DaemonError, hasErrno } from '../base/errors.ts';
import { Field } from '../base/field.ts';
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
  /** A blob of the repository, whose digest was checked. */
  readonly blob: (digest: Digest, limitBytes: number) => Promise<Buffer>;
  /** What a URL of elsewhere answers; undefined for 404. */
  readonly url: (url: string, limitBytes: number) => Promise<Buffer | undefined>;
}

/** All signatures of a manifest that are where they are kept. @throws RegistryUnavailable and what else the source throws. */
export async function findSignatures(
  name: ImageName,
  manifestDigest: Digest,
  { lookaside, attachments }: SignaturePlaces,
  source: SignatureSource,
): Promise<Signature[]> {
  const counted = withinSum(source, manifestDigest);
  const simple = await fromLookaside(name, manifestDigest, lookaside, counted);
  return attachments ? [...simple, ...(await fromAttachments(manifestDigest, counted))] : simple;
}

/** The source, of which all that it gives together is limited. */
function withinSum(source: SignatureSource, manifestDigest: Digest): SignatureSource {
  let sum = 0;
  const count = <T extends Buffer | undefined>(bytes: T): T => {
    sum += bytes?.length ?? 0;
    if (sum > SIGNATURE_LIMIT_BYTES)
      throw new DaemonError(
        'InvalidArgument',
        `signatures of ${manifestDigest}: over ${SIGNATURE_LIMIT_BYTES} bytes in all, must be fewer`,
      );
    return bytes;
  };
  return {
    ...source,
    blob: async (...asked) => count(await source.blob(...asked)),
    url: async (...asked) => count(await source.url(...asked)),
  };
}

/** The media type of a claim that cosign signs. */
const CLAIM_MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** The layers of the image that has the tag `sha256-<hex>.sig`: cosign, SIGNATURE_SPEC.md, tag-based discovery. */
async function fromAttachments(manifestDigest: Digest, source: SignatureSource): Promise<Signature[]> {
  const tag = `${manifestDigest.replace(':', '-')}.sig`;
  const bytes = await source.manifest(tag);
  if (bytes === undefined) return [];
  const found: Signature[] = [];
  const layers = Field.parse(bytes.toString('utf8'), `signatures ${tag}`)
    .at('layers')
    .list((layer) => layer);
  if (layers.length > MAX_SIGNATURES)
    throw new DaemonError('InvalidArgument', `signatures ${tag}: there are ${layers.length}, must be at most ${MAX_SIGNATURES}`);
  for (const layer of layers) {
    if (layer.at('mediaType').asText() !== CLAIM_MEDIA_TYPE) continue; // an attestation, or what else is kept there
    const payload = await source.blob(layer.at('digest').digest(), SIGNATURE_LIMIT_BYTES);
    found.push({ kind: 'sigstore', payload, annotations: layer.at('annotations').given?.map() ?? {} });
  }
  return found;
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
