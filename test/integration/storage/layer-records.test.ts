import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import type { Log } from '../../../src/base/log.ts';
import { LayerStore } from '../../../src/storage/layers.ts';
import { StorageWorkers } from '../../../src/storage/storage-workers.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const digest = (character: string): string => `sha256:${character.repeat(64)}`;

test('a layer whose record is wrong is removed with a log line that names the field, and the others stay', async (t) => {
  const directory = join(await scratchDirectory(t), 'layers');
  const good = { version: 1, chain: digest('a'), diffId: digest('a'), sizeBytes: 5, inodes: 1 };
  const records: readonly [string, string, string][] = [
    ['a', JSON.stringify(good), ''],
    ['b', JSON.stringify({ ...good, version: 2 }), 'version: must be 1, is 2'],
    ['c', JSON.stringify({ ...good, chain: 'x' }), 'chain: must be sha256:<64 hex>, is "x"'],
    ['d', JSON.stringify({ ...good, parent: 7 }), 'parent: must be sha256:<64 hex>, is 7'],
    ['e', JSON.stringify({ ...good, inodes: undefined }), 'inodes: must be a number, is missing'],
    ['f', '{"half', 'must be JSON: '],
  ];
  for (const [character, text] of records) {
    await mkdir(join(directory, character.repeat(16), 'fs'), { recursive: true });
    await writeFile(join(directory, character.repeat(16), 'layer.json'), text);
  }
  const errors: string[] = [];
  const log: Log = { ...silentLog, warn: (_message, fields) => errors.push(String(fields?.error)) };
  const workers = new StorageWorkers({ idleMs: 50 });
  t.after(async () => {
    await workers.close();
  });
  const layers = new LayerStore(directory, workers, log);
  await layers.start();

  assert.deepEqual(layers.list(), [good]);
  assert.deepEqual((await readdir(directory)).sort(), ['a'.repeat(16), 'boot.json', 'removing', 'staging']);
  assert.deepEqual(await readdir(join(directory, 'removing')), []);
  assert.equal(errors.length, records.length - 1);
  for (const [, , words] of records) assert.ok(errors.some((error) => error.startsWith(words)), `${words} is not among ${errors.join('; ')}`); // prettier-ignore
});
