import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import { letGo } from '../base/let-go.ts';
import { openDirectory } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import { close } from '../linux/libc.ts';
import { decompressor, detectCompression, explainDecompression } from './decompress.ts';
import type { Compression } from './decompress.ts';
import type { FollowedFile } from './followed-file.ts';
import { LayerWriter } from './layer-writer.ts';
import { TarReader } from './tar-reader.ts';
import type { TreeSum } from './tree-sum.ts';

export interface UnpackResult {
  /** Of the data as it came. */
  readonly blobDigest: Digest;
  readonly blobBytes: number;
  /** Of the tar in it. */
  readonly diffId: Digest;
  /** What the layer takes on disk, bytes. */
  readonly sizeBytes: number;
  readonly inodes: number;
  readonly impliedDirectories: readonly ByteString[];
  /** What of the archive was left out, for the log. */
  readonly notes: readonly string[];
  readonly compression: Compression;
  /** Of the tree as it was written; undefined where it has to be read. */
  readonly tree?: TreeSum | undefined;
}

export interface Expected {
  readonly blobDigest?: Digest | undefined;
  readonly diffId?: Digest | undefined;
  /** Of the data as it comes; nothing depends on its being right. */
  readonly sizeBytes?: number | undefined;
}

/**
 * Unpacks the layer in `source` into `directory` (empty, ours) while it is being written, and checks both digests as the
 * bytes go by. @throws InvalidArgument for data that is no layer, FailedPrecondition where a digest is not the expected one;
 * `directory` is then half full and of no use.
 */
export async function unpack(source: FollowedFile, directory: string, expected: Expected, signal: AbortSignal): Promise<UnpackResult> {
  const root = openDirectory(directory);
  const writer = new LayerWriter(root);
  const blobHash = createHash('sha256');
  const diffHash = createHash('sha256');
  const reader = new TarReader(writer);
  const take = (chunk: Buffer): void => {
    diffHash.update(chunk);
    reader.push(chunk);
  };
  try {
    const first = await source.next(signal);
    const compression = detectCompression(first);
    const pieces = piecesOf(source, first, signal, (piece) => blobHash.update(piece));
    if (compression === 'none') for await (const piece of pieces) take(piece);
    else await decompress(compression, pieces, take, signal, source.pieceBytes);
    const blobDigest = `sha256:${blobHash.digest('hex')}` as Digest;
    const diffId = `sha256:${diffHash.digest('hex')}` as Digest;
    // First the digests: where they are wrong, what the archive looks like does not matter.
    checkDigest('the data', blobDigest, expected.blobDigest);
    checkDigest('the unpacked data', diffId, expected.diffId);
    reader.end();
    return { blobDigest, blobBytes: source.position, diffId, compression, ...writer.finish() };
  } finally {
    writer.close();
    close(root);
  }
}

async function* piecesOf(
  source: FollowedFile,
  first: Buffer,
  signal: AbortSignal,
  seen: (piece: Buffer) => void,
): AsyncGenerator<Buffer, void> {
  for (let piece = first; piece.length > 0; piece = await source.next(signal)) {
    seen(piece);
    yield piece;
  }
}

/**
 * Decompresses all pieces. Node's zstd stream ends after one frame, also a skippable one, and an archive may have many: what is
 * left goes into a new stream. What follows the members of a gzip archive is passed over.
 */
export async function decompress(
  compression: Exclude<Compression, 'none'>,
  pieces: AsyncGenerator<Buffer, void>,
  take: (chunk: Buffer) => void,
  signal: AbortSignal,
  chunkBytes?: number,
): Promise<void> {
  let rest: Buffer | undefined;
  for (;;) {
    const before = rest?.length;
    rest = await decompressFrame(decompressor(compression, chunkBytes), rest, pieces, take, signal);
    if (rest === undefined) return;
    if (compression === 'gzip') {
      await drain(pieces);
      return;
    }
    if (rest.length === before) throw new DaemonError('InvalidArgument', 'decompress layer: bytes that are no frame follow the data');
  }
}

/** Returns the part of a piece that the stream has not consumed; undefined when all pieces are read. */
async function decompressFrame(
  stream: Transform & { bytesWritten: number },
  start: Buffer | undefined,
  pieces: AsyncGenerator<Buffer, void>,
  take: (chunk: Buffer) => void,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const stop = (): void => {
    stream.destroy(reasonOf(signal));
  };
  signal.addEventListener('abort', stop, { once: true });
  const fill = async (): Promise<Buffer | undefined> => {
    try {
      for (let piece = start ?? (await nextOf(pieces)); piece !== undefined; piece = await nextOf(pieces)) {
        const before = stream.bytesWritten;
        await write(stream, piece);
        const rest = piece.subarray(stream.bytesWritten - before);
        if (rest.length > 0) return rest;
      }
      stream.end();
    } catch (error) {
      stream.destroy(error instanceof Error ? error : undefined);
    }
    return undefined;
  };
  const filling = fill();
  try {
    for await (const chunk of stream) {
      take(chunk as Buffer);
      letGo(chunk as Buffer); // zlib fills a buffer piece by piece, and goes on to another when the last byte is reached
    }
  } catch (error) {
    throw explainDecompression(error);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
    await filling;
  }
  return filling;
}

async function drain(pieces: AsyncGenerator<Buffer, void>): Promise<void> {
  while ((await nextOf(pieces)) !== undefined);
}

async function nextOf(pieces: AsyncGenerator<Buffer, void>): Promise<Buffer | undefined> {
  const next = await pieces.next();
  return next.done === true ? undefined : next.value;
}

/** Writes a piece and waits until it is consumed, as its buffer is used again, or until the stream has ended before. */
async function write(stream: Transform, piece: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const closed = (): void => {
      reject(stream.errored ?? new DaemonError('Internal', 'decompress layer: the stream was closed'));
    };
    stream.once('end', resolve);
    stream.once('close', closed);
    stream.write(piece, (error) => {
      stream.off('end', resolve);
      stream.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

export function checkDigest(what: string, is: Digest, expected: Digest | undefined): void {
  if (expected === undefined || is === expected) return;
  throw new DaemonError('FailedPrecondition', `unpack layer: the digest of ${what} is ${is}, must be ${expected}`);
}
