import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
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
export async function stagesOf(root: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const log = `${root}.stages`;
  await rm(log, { force: true });
  const { exit, stderr } = await takeImage(root, args, { ...env, PODWRIGHT_STAGE_LOG: log });
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

/** What is pulled while it is killed. */
export interface KilledPull {
  readonly name: string;
  /** A registries.conf that leads to the registry. */
  readonly conf: string;
  readonly leastStages: number;
  /** A mark that must be among them. */
  readonly mustPass?: string;
  /** Another image that is here before. */
  readonly before?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Kills a process at each stage of a pull, in a root of its own: a start finds the image or nothing, and the next pull makes it whole. */
export async function killAtEachStage(scratch: string, { name, conf, leastStages, mustPass, before, env = {} }: KilledPull): Promise<void> {
  const args = ['pull', name, conf];
  const prepare = async (root: string): Promise<Awaited<ReturnType<typeof startAndList>>> => {
    await mkdir(root);
    if (before !== undefined) assert.equal((await takeImage(root, ['pull', before, conf], env)).exit.code, 0);
    return await startAndList(root);
  };
  const pattern = join(scratch, 'pattern');
  const empty = await prepare(pattern);
  const stages = await stagesOf(pattern, args, env);
  const complete = await startAndList(pattern);
  assert.deepEqual(complete.names, [...empty.names, name].sort());
  assert.ok(stages.length >= leastStages, stages.join(' '));
  if (mustPass !== undefined) assert.ok(stages.includes(mustPass), stages.join(' '));
  for (const stage of stages) {
    const root = join(scratch, stage);
    await prepare(root);
    const { exit } = await takeImage(root, args, { ...env, PODWRIGHT_KILL_AT: stage });
    assert.equal(exit.signal, 9, stage);
    assert.deepEqual(await startAndList(root), stage === 'image.recorded' ? complete : empty, stage);
    assert.equal((await takeImage(root, args, env)).exit.code, 0, stage);
    assert.deepEqual(await startAndList(root), complete, stage);
  }
}
