import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { KeySource } from './key-source.ts';

/** Most bytes of a policy, a key or a certificate's file. */
const FILE_LIMIT_BYTES = 1024 * 1024;
/** How long a file system may take for one, milliseconds. */
const READ_TIMEOUT_MS = 10_000;

/** Reads a file that the node's owner names: a regular one, and no long one. @throws Error, the system's where it says why. */
export async function readTrustedFile(path: string): Promise<Buffer> {
  const reading = read(path);
  if (!(await settledWithin(reading, READ_TIMEOUT_MS))) throw new Error(`reading it took over ${READ_TIMEOUT_MS} ms`);
  return await reading;
}

async function read(path: string): Promise<Buffer> {
  // With O_NONBLOCK a FIFO opens at once, and is then no regular file.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await readRegular(file);
  } finally {
    await file.close();
  }
}

async function readRegular(file: FileHandle): Promise<Buffer> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new Error('it is no regular file');
  if (stats.size > FILE_LIMIT_BYTES) throw new Error(`it has ${stats.size} bytes, must have at most ${FILE_LIMIT_BYTES}`);
  return await file.readFile();
}

/** A key or certificate of a policy, as it is there now. @throws Error that names the file. */
export async function readKeySource(source: KeySource, what: string): Promise<Buffer> {
  if ('data' in source) return source.data;
  try {
    return await readTrustedFile(source.path);
  } catch (error) {
    throw new Error(`${what} ${source.path}: ${messageOf(error)}`, { cause: error });
  }
}
