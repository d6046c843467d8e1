/* eslint-disable no-restricted-syntax -- of files in the node's memory: what a thread of libuv's would do for them is less than the waking of it */
import { mkdirSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, readdir, statfs, writeFile } from 'node:fs/promises';
import { removeFile } from '../base/atomic-file.ts';
import { hasErrno } from '../base/errors.ts';
import { timed } from '../base/timed.ts';

/*
 * Small files of ours below the run directory, which is a tmpfs on a node: such a file is made, read and removed at once, in microseconds. A call on
 * libuv's threads costs the event loop ten times that, and on a busy machine it waits twice for a processor. Elsewhere than in memory, where
 * a disk may take its time, they are the calls of node:fs/promises. All throw (reject with) the system error.
 */

/** statfs(2). */
const TMPFS_MAGIC = 0x01021994;

const inMemory: string[] = [];

/**
 * Has the files below a directory handled at once where it is a tmpfs; nothing may be mounted below it on the paths that are used here.
 * @returns whether it is one.
 */
export async function useMemoryFiles(directory: string): Promise<boolean> {
  if ((await statfs(directory)).type !== TMPFS_MAGIC) return false;
  inMemory.push(`${directory}/`);
  return true;
}

function isInMemory(path: string): boolean {
  return inMemory.some((directory) => path.startsWith(directory));
}

function atOnce<T>(work: () => T): T {
  return timed('file in memory', work);
}

export async function writeSmallFile(path: string, data: string, mode: number): Promise<void> {
  if (!isInMemory(path)) return writeFile(path, data, { mode });
  atOnce(() => {
    writeFileSync(path, data, { mode });
  });
}

export async function readSmallFile(path: string): Promise<string> {
  return isInMemory(path) ? atOnce(() => readFileSync(path, 'utf8')) : readFile(path, 'utf8');
}

/** The directory may be there; its parents are made. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  if (isInMemory(path)) atOnce(() => mkdirSync(path, { recursive: true, mode }));
  else await mkdir(path, { recursive: true, mode });
}

export async function namesIn(directory: string): Promise<string[]> {
  return isInMemory(`${directory}/`) ? atOnce(() => readdirSync(directory)) : readdir(directory);
}

/** It may be gone. */
export async function removeSmallFile(path: string): Promise<void> {
  if (!isInMemory(path)) return removeFile(path);
  try {
    atOnce(() => {
      unlinkSync(path);
    });
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
