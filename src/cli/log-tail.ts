import type { FileHandle } from 'node:fs/promises';
import { LONGEST_HEADER_BYTES, parseHeader } from './log-parser.ts';
import type { LogStream } from './log-parser.ts';

/** Where each stream's lines begin that count, bytes. */
export type TailStart = Record<LogStream, number>;

const BLOCK_BYTES = 64 * 1024;
/** How far before the last lines the beginning of the first of them is looked for, bytes. */
const LOOK_BACK_BYTES = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/** Where the last `count` lines of a log begin: lines of the container, whichever stream they are of and however many pieces they have. */
export async function tailStart(file: FileHandle, sizeBytes: number, count: number): Promise<TailStart> {
  const start: TailStart = { stdout: sizeBytes, stderr: sizeBytes };
  if (count === 0) return start;
  /** Streams whose first line may have more pieces before it. */
  const open = new Set<LogStream>();
  const seen = new Set<LogStream>();
  let counted = 0;
  let countedAt = 0;
  for await (const { at, head } of linesBackwards(file, sizeBytes)) {
    const header = parseHeader(head);
    if (header === undefined) continue;
    const { stream, isPartial } = header;
    const isEndOfLine = !isPartial || !seen.has(stream);
    seen.add(stream);
    if (isEndOfLine) open.delete(stream);
    if (isEndOfLine && counted < count) {
      counted += 1;
      countedAt = at;
      open.add(stream);
    }
    if (open.has(stream)) start[stream] = at;
    if (counted === count && (open.size === 0 || countedAt - at > LOOK_BACK_BYTES)) break;
  }
  return start;
}

/** The beginnings of a file's lines, from its last, each with where it stands. */
async function* linesBackwards(file: FileHandle, sizeBytes: number): AsyncGenerator<{ at: number; head: string }> {
  const block = Buffer.alloc(BLOCK_BYTES + LONGEST_HEADER_BYTES);
  for (let blockEnd = sizeBytes; blockEnd > 0; blockEnd -= BLOCK_BYTES) {
    const blockAt = Math.max(0, blockEnd - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, sizeBytes - blockAt), blockAt);
    const head = (from: number): string => {
      const text = block.subarray(from, Math.min(from + LONGEST_HEADER_BYTES, bytesRead)).toString('latin1');
      return text.split('\n', 1)[0]?.split(' ', 3).join(' ') ?? '';
    };
    // A line begins behind each newline of this block, but for that which ends the file.
    for (let at = Math.min(blockEnd - blockAt, bytesRead) - 1; at >= 0; at -= 1) {
      at = block.lastIndexOf(NEWLINE, at);
      if (at < 0) break;
      if (blockAt + at + 1 < sizeBytes) yield { at: blockAt + at + 1, head: head(at + 1) };
    }
    if (blockAt === 0) yield { at: 0, head: head(0) };
  }
}
