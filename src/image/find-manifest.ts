import { DaemonError } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { Descriptor, Index, Manifest, OciImageConfig, Platform } from './oci-types.ts';
import { isArtifact } from './media-types.ts';
import { candidatesFor, noImageFor } from './platform.ts';

/** Digests make a circle of indexes impossible, but not a long chain of them, nor a wide one. */
const MAX_NESTED_INDEXES = 4;
const MAX_DOCUMENTS = 16;

/** A document with its bytes. */
export interface FoundDocument<D = Manifest | Index> {
  readonly document: D;
  readonly bytes: Buffer;
  readonly digest: Digest;
}

export interface FoundManifest extends FoundDocument<Manifest> {
  /** Of the indexes on the way, outermost first. */
  readonly indexes: readonly Digest[];
}

/** Where documents come from. */
export interface DocumentSource {
  readonly document: (descriptor: Descriptor) => Promise<FoundDocument>;
  readonly config: (manifest: Manifest) => Promise<OciImageConfig>;
}

/**
 * The manifest for a platform, through indexes where there are some. Entries that do not say their platform are looked into:
 * an index for what it has, a manifest, where it is not the only one, for the platform of its config.
 * @throws NotFound where none is for the platform, InvalidArgument where the search would take too long.
 */
export async function findManifest(top: FoundDocument, platform: Platform, source: DocumentSource): Promise<FoundManifest> {
  let documents = 1;
  const search = async (found: FoundDocument, indexes: readonly Digest[]): Promise<FoundManifest | undefined> => {
    const { document } = found;
    if (document.is === 'manifest') return { ...found, document, indexes };
    if (indexes.length === MAX_NESTED_INDEXES)
      throw new DaemonError('InvalidArgument', `more than ${MAX_NESTED_INDEXES} indexes in one another`);
    const candidates = candidatesFor(document.manifests, platform);
    for (const candidate of candidates) {
      documents += 1;
      if (documents > MAX_DOCUMENTS)
        throw new DaemonError('InvalidArgument', `more than ${MAX_DOCUMENTS} documents of its indexes may be for this platform`);
      const next = await source.document(candidate);
      const isUnsure = candidate.platform === undefined && candidates.length > 1 && next.document.is === 'manifest';
      // Signatures and other things about an image may lie beside it.
      if (isUnsure && (isArtifact(next.document) || !isFor(await source.config(next.document), platform))) continue;
      const inside = await search(next, [...indexes, found.digest]);
      if (inside !== undefined) return inside;
    }
    return undefined;
  };
  return (await search(top, [])) ?? noImageFor(top.document.is === 'index' ? top.document.manifests : [], platform);
}

function isFor({ os, architecture }: OciImageConfig, platform: Platform): boolean {
  return os === platform.os && architecture === platform.architecture;
}
