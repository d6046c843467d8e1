import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { attributesOf } from '../../src/linux/at-calls.ts';
import { FollowedFile } from '../../src/storage/followed-file.ts';
import { sumTree } from '../../src/storage/tree-digest.ts';
import type { TreeSum } from '../../src/storage/tree-sum.ts';
import { unpack } from '../../src/storage/unpack.ts';
import type { Expected, UnpackResult } from '../../src/storage/unpack.ts';

/** Unpacks the layer in a file into an empty directory, as the worker does. What its tree is said to come to is compared with what it has. */
export async function unpackFile(archive: string, sizeBytes: number, directory: string, expected: Expected = {}): Promise<UnpackResult> {
  const file = new FollowedFile(archive, expected.sizeBytes);
  file.complete(sizeBytes);
  try {
    const unpacked = await unpack(file, directory, expected, new AbortController().signal);
    if (unpacked.tree !== undefined) assert.deepEqual(unpacked.tree, readSum(directory));
    return unpacked;
  } finally {
    file.close();
  }
}

/** Unpacks a layer in memory by way of the file `${directory}.tar`. */
export async function unpackBytes(layer: Uint8Array, directory: string, expected: Expected = {}): Promise<UnpackResult> {
  await writeFile(`${directory}.tar`, layer);
  return await unpackFile(`${directory}.tar`, layer.length, directory, expected);
}

/** The extended attributes of a file or directory, as base64, by name. */
export async function attributesAt(path: string): Promise<Record<string, string>> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return Object.fromEntries([...attributesOf(handle.fd)].map(([name, value]) => [name, value.toString('base64')] as const).sort());
  } finally {
    await handle.close();
  }
}

/** What a walk through a tree finds. */
export function readSum(directory: string): TreeSum {
  const steps = sumTree(directory);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
