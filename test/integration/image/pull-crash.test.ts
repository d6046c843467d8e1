// long: 30 s
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { killAtEachStage, startAndList, takeImage } from '../../support/take-image.ts';

/** A longer run: KILL_ROUNDS=20 KILL_MEGABYTES=100. */
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 8);
const LAYER_MEGABYTES = Number(process.env['KILL_MEGABYTES'] ?? 16);

const NAME = 'registry.example/crash/app:1';

async function image(layers: number, megabytes: number): Promise<Omit<ImageSource, 'name'>> {
  return {
    config: {},
    layers: await Promise.all(
      Array.from({ length: layers }, async (_, index) => {
        const noise = Buffer.alloc(megabytes << 20);
        for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(((at + index) * 2654435761) >>> 0, at);
        const files = Array.from({ length: 200 }, (_, file) => ({ path: `l${index}/f${file}`, kind: 'file' as const, data: `${file}` }));
        return await makeLayer([{ path: `l${index}/noise`, kind: 'file', data: noise }, ...files]);
      }),
    ),
  };
}

test('a process killed at any stage of a pull leaves an image or nothing, and the next pull works', { skip: noRegistry }, async (t) => {
  const registry = await TestRegistry.start();
  t.after(async () => registry.stop());
  await registry.push(await image(2, 0), 'crash/app', ['1']);
  const scratch = await scratchDirectory(t);
  const conf = join(scratch, 'registries.conf');
  await writeFile(conf, `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`);
  await killAtEachStage(scratch, { name: NAME, conf, leastStages: 8 });
});

test('a process killed at a random moment of a long pull leaves an image or nothing', { skip: noRegistry }, async (t) => {
  const registry = await TestRegistry.start();
  t.after(async () => registry.stop());
  await registry.push(await image(3, LAYER_MEGABYTES), 'crash/app', ['1']);
  const scratch = await scratchDirectory(t);
  const conf = join(scratch, 'registries.conf');
  await writeFile(conf, `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`);
  const root = join(scratch, 'root');
  await mkdir(root);
  const startedMs = Date.now();
  assert.equal((await takeImage(root, ['pull', NAME, conf])).exit.code, 0);
  const wholeMs = Date.now() - startedMs;
  const complete = await startAndList(root);
  let killed = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await takeImage(root, ['remove', NAME]);
    const result = await takeImage(root, ['pull', NAME, conf], { KILL_AFTER_MS: String(Math.round(((round + 0.5) / ROUNDS) * wholeMs)) });
    killed += result.exit.signal === 9 ? 1 : 0;
    const after = await startAndList(root);
    if (after.names.length === 0) assert.deepEqual(after.inventory, [], `round ${round}`);
    else assert.deepEqual(after, complete, `round ${round}`);
  }
  assert.ok(killed >= ROUNDS / 2, `${killed} of ${ROUNDS} were killed in time`);
  assert.equal((await takeImage(root, ['pull', NAME, conf])).exit.code, 0);
  assert.deepEqual(await startAndList(root), complete);
});
