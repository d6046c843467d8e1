import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/linux/spawn.ts';
import type { RunResult } from '../../src/linux/spawn.ts';
import { inventoryOf, startImageStorage } from './image-storage.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/image/take-image.ts');

/** Runs test/fixtures/image/take-image.ts in a process of its own. */
export async function takeImage(root: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const { PATH = '' } = process.env;
  return await run(process.execPath, { args: [PROGRAM, root, ...args], env: { PATH, ...env }, timeoutMs: 120_000 });
}

/** The stage marks that a process of these arguments passes, each once. */
export async function stagesOf(root: string, args: readonly string[]): Promise<string[]> {
  const log = `${root}.stages`;
  await rm(log, { force: true });
  const { exit, stderr } = await takeImage(root, args, { PODWRIGHT_STAGE_LOG: log });
  assert.equal(exit.code, 0, stderr.toString());
  return [...new Set((await readFile(log, 'utf8')).trim().split('\n'))];
}

/** What is under the root after a start: images by name, and every file that no image names. */
export async function startAndList(root: string): Promise<{ names: string[]; inventory: string[] }> {
  const stores = await startImageStorage(root);
  try {
    return {
      names: stores.images
        .list()
        .flatMap(({ names }) => names)
        .sort(),
      inventory: await inventoryOf(root),
    };
  } finally {
    await stores.close();
  }
}
