/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { DaemonError } from '../../base/errors.ts';
import type { Digest } from '../../base/ids.ts';
import { decompressor, explainDecompression } from '../decompress.ts';
import { ChunkTable } from './chunk-table.ts';
import type { FileOfChunks } from './chunk-table.ts';
import { badToc, TocReader } from './toc-reader.ts';
import type { TocEnd } from './toc-reader.ts';

/** A part of a blob: one zstd frame. */
export interface IndexPart {
  /** Where it is in its file. */
  readonly position: number;
  readonly storedBytes: number;
  /** What it has when it is decompressed; no more is taken. */
  readonly sizeBytes: number;
}

/** What a zstd:chunked blob says of itself, in a file: the whole blob, or these parts of it. */
export interface IndexFile {
  readonly path: string;
  readonly toc: IndexPart;
  /** Of the table of contents, compressed. */
  readonly tocDigest: Digest;
  /** The headers of the tar; old tools write none. */
  readonly tarSplit?: IndexPart | undefined;
}

const READ_BYTES = 256 * 1024;

/** Reads the table of contents. @throws FailedPrecondition where a digest is wrong, InvalidArgument for what is no such table. */
export async function readToc(
  file: IndexFile,
  signal: AbortSignal,
  fileEnded: (table: ChunkTable, file: FileOfChunks) => void,
): Promise<ChunkTable> {
  checkPart(file.path, file.toc, file.tocDigest, 'table of contents');
  const table: ChunkTable = new ChunkTable((each) => {
    fileEnded(table, each);
  });
  const reader = new TocReader((entry) => {
    table.take(entry);
  });
  for await (const piece of partOf(file.path, file.toc, signal)) reader.push(piece);
  table.finish();
  const end: TocEnd = reader.end();
  if (file.tarSplit !== undefined) checkPart(file.path, file.tarSplit, end.tarSplitDigest, 'tar-split');
  return table;
}

/** A part, decompressed piece by piece. @throws InvalidArgument where it is damaged, or larger than it must be. */
export async function* partOf(
  path: string,
  { position, storedBytes, sizeBytes }: IndexPart,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const stored = createReadStream(path, { start: position, end: position + storedBytes - 1, highWaterMark: READ_BYTES, signal });
  let seen = 0;
  try {
    for await (const piece of pipeline(stored, decompressor('zstd'), () => undefined)) {
      seen += (piece as Buffer).length;
      if (seen > sizeBytes) throw badToc(`a part has more than the ${sizeBytes} bytes it must have`);
      yield piece as Buffer;
    }
  } catch (error) {
    throw explainDecompression(error);
  } finally {
    stored.destroy();
  }
  if (seen < sizeBytes) throw badToc(`a part has ${seen} bytes, must have ${sizeBytes}`);
}

function checkPart(path: string, { position, storedBytes }: IndexPart, expected: Digest | undefined, what: string): void {
  if (expected === undefined) return;
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const fd = openSync(path, 'r');
  try {
    for (let done = 0; done < storedBytes;) {
      const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, storedBytes - done), position + done);
      if (read === 0) throw badToc('the blob is shorter than it says');
      hash.update(buffer.subarray(0, read));
      done += read;
    }
  } finally {
    closeSync(fd);
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== expected) throw new DaemonError('FailedPrecondition', `the digest of its ${what} is ${digest}, must be ${expected}`);
}
