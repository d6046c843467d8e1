import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Gunzip, ZstdDecompress } from 'node:zlib';
import { DaemonError, messageOf } from '../base/errors.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Bytes needed to tell a compression by its first bytes. */
export const MAGIC_BYTES = 4;

/**
 * Tells how data is compressed by its first bytes, as media types are not to be relied on (registries hold plain and zstd
 * data under Docker's gzip type). RFC 1952, RFC 8878 (a skippable frame may come first).
 */
export function detectCompression(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd) return 'zstd';
  if (start[0] !== undefined && (start[0] & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18) return 'zstd';
  // What looks like another compression gets its name in the error.
  if (start[0] === 0x42 && start[1] === 0x5a && start[2] === 0x68) unsupported('bzip2');
  if (start[0] === 0xfd && start[1] === 0x37 && start[2] === 0x7a && start[3] === 0x58) unsupported('xz');
  return 'none';
}

function unsupported(name: string): never {
  throw new DaemonError('InvalidArgument', `read archive: it is compressed by ${name}, must be gzip, zstd or plain tar`);
}

/** 16 KiB, the default, makes inflating twice as slow. */
const CHUNK_BYTES = 256 * 1024;

/**
 * A stream that decompresses. A failure goes to its reader, also to one that comes later; it must not end the daemon.
 * @param chunkBytes of its pieces: of two, one may wait for the reader, so that both work at the same time.
 */
export function decompressor(compression: Exclude<Compression, 'none'>, chunkBytes = CHUNK_BYTES): Gunzip | ZstdDecompress {
  const options = { chunkSize: chunkBytes, readableHighWaterMark: 2 * chunkBytes };
  const stream = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  return stream.on('error', () => undefined);
}

/** A decompressor's failure as an error of ours: the data is at fault. Other errors are returned as they are. */
export function explainDecompression(error: unknown): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (error instanceof DaemonError || code === undefined || !/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code)) return error;
  return new DaemonError('InvalidArgument', `decompress: ${messageOf(error)}: the data is truncated or damaged`, { cause: error });
}
