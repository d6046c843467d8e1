import { badToc } from './toc-reader.ts';

/** What a tar-split holds: bytes of the tar as they are, and where a file's content goes. */
export type TarSplitEntry =
  | { readonly is: 'segment'; readonly bytes: Buffer }
  /** `sizeBytes` is 0 for all that is not a file with content. */
  | { readonly is: 'file'; readonly sizeBytes: number };

/** Most bytes of one line: what is between two files, in base64. Headers of up to 1 MiB each may follow each other. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;
/** vbatts/tar-split, tar/storage/entry.go. */
const [FILE_TYPE, SEGMENT_TYPE] = [1, 2];

/** Reads a tar-split (a JSON object on each line) from pieces of any size. @throws InvalidArgument. */
export async function* tarSplitEntries(pieces: AsyncIterable<Buffer>): AsyncGenerator<TarSplitEntry, void> {
  let begun: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, from)) {
      const line = begun.length === 0 ? piece.subarray(from, end) : Buffer.concat([...begun, piece.subarray(from, end)]);
      begun = [];
      bytes = 0;
      from = end + 1;
      if (line.length > 0) yield readLine(line);
    }
    if (from === piece.length) continue;
    begun.push(Buffer.from(piece.subarray(from)));
    bytes += piece.length - from;
    if (bytes > MAX_LINE_BYTES) throw badToc(`a line of its tar-split has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (bytes > 0) yield readLine(Buffer.concat(begun));
}

function readLine(line: Buffer): TarSplitEntry {
  let fields: Record<string, unknown>;
  try {
    fields = (JSON.parse(line.toString('latin1')) ?? {}) as Record<string, unknown>;
  } catch (error) {
    throw badToc(`its tar-split is no JSON: ${String(error)}`);
  }
  const { type, payload, size = 0 } = fields;
  if (type === SEGMENT_TYPE && typeof payload === 'string') return { is: 'segment', bytes: Buffer.from(payload, 'base64') };
  if (type === FILE_TYPE && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return { is: 'file', sizeBytes: size };
  throw badToc('an entry of its tar-split is neither a segment nor a file');
}
