import type { JsonObject } from '../base/json.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';
import type { IndexFile } from '../storage/chunks/index-file.ts';

/** Most bytes of table of contents and tar-split, as they are stored: of a layer with a hundred thousand files they have some ten million. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
/** Most bytes of each when it is decompressed, as a table for containers/storage may have, and three times as much of headers. */
const MAX_TOC_BYTES = 150 * 1024 * 1024;
const MAX_TAR_SPLIT_BYTES = 3 * MAX_TOC_BYTES;
/** Before the table of contents: the header of the skippable frame that hides it from who does not know it. */
const SKIPPABLE_HEADER_BYTES = 8;
/** Annotations of containers/storage (pkg/chunked/internal/minimal), and the same as tools of before 2023 wrote them, without tar-split. */
const PREFIXES = ['io.github.containers.zstd-chunked.', 'io.containers.zstd-chunked.'];
/** The one kind of table there is: minimal.ManifestTypeCRFS. */
const KIND = '1';

/** Where a zstd:chunked blob has its table of contents and its tar-split. */
export interface ChunkedLayer {
  readonly toc: Part;
  readonly tocDigest: Digest;
  readonly tarSplit?: Part | undefined;
  /** The frames of the tar end here. */
  readonly contentEnd: number;
  /** From here to there is all that {@link toc} and {@link tarSplit} need. */
  readonly start: number;
  readonly end: number;
}

interface Part {
  readonly offset: number;
  readonly storedBytes: number;
  readonly sizeBytes: number;
}

/** What the annotations of a layer's descriptor say of its chunks; undefined where that is nothing, or nothing that can be. */
export function chunkedLayer(annotations: JsonObject | undefined, blobBytes: number): ChunkedLayer | undefined {
  const of = (name: string): string => {
    const found = PREFIXES.map((prefix) => annotations?.[prefix + name]).find((value) => typeof value === 'string');
    return typeof found === 'string' ? found : '';
  };
  const digest = of('manifest-checksum');
  const [toc, kind] = partOf(of('manifest-position'));
  const [tarSplit] = partOf(of('tarsplit-position'));
  if (!isDigest(digest) || toc === undefined || kind !== KIND) return undefined;
  const parts = tarSplit === undefined ? [toc] : [toc, tarSplit];
  const start = Math.min(...parts.map(({ offset }) => offset));
  const end = Math.max(...parts.map(({ offset, storedBytes }) => offset + storedBytes));
  if (end > blobBytes || end - start > MAX_INDEX_BYTES) return undefined;
  if (toc.sizeBytes > MAX_TOC_BYTES || (tarSplit?.sizeBytes ?? 0) > MAX_TAR_SPLIT_BYTES) return undefined;
  const contentEnd = start - SKIPPABLE_HEADER_BYTES;
  return contentEnd <= 0 ? undefined : { toc, tocDigest: digest, tarSplit, contentEnd, start, end };
}

/** The index in a file that begins at `fileStart` of the blob. */
export function indexIn(path: string, { toc, tocDigest, tarSplit }: ChunkedLayer, fileStart: number): IndexFile {
  const place = ({ offset, storedBytes, sizeBytes }: Part): IndexFile['toc'] => ({ position: offset - fileStart, storedBytes, sizeBytes });
  return { path, toc: place(toc), tocDigest, tarSplit: tarSplit === undefined ? undefined : place(tarSplit) };
}

/** `OFFSET:STORED:PLAIN`, and for the table of contents `:KIND`. */
function partOf(text: string): [Part | undefined, string | undefined] {
  const [, offset, stored, size, kind] = /^(\d{1,15}):(\d{1,15}):(\d{1,15})(?::(\d+))?$/.exec(text) ?? [];
  const part = { offset: Number(offset), storedBytes: Number(stored), sizeBytes: Number(size) };
  return offset === undefined || part.storedBytes === 0 ? [undefined, undefined] : [part, kind];
}
