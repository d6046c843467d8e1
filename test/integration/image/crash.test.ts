import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readJson } from 'fs-extra/esm';
import { dockerArchive, makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import type { Log } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { startImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { stagesOf, startAndList, takeImage } from '../../support/take-image.ts';

async function image(name: string, top: string): Promise<ImageSource> {
  const base = await makeLayer(Array.from({ length: 50 }, (_, index) => ({ path: `dir/f${index}`, kind: 'file', data: `${index}` })));
  return { name, config: {}, layers: [base, await makeLayer([{ path: 'top', kind: 'file', data: top }])] };
}

test('a process killed at any stage of a load leaves an image or nothing, and the next load works', async (t) => {
  const scratch = await scratchDirectory(t);
  const archive = join(scratch, 'image.tar');
  await writeFile(archive, ociArchive([await image('localhost/test/crash:1', 'one')]));
  const [pattern] = [join(scratch, 'pattern')];
  await mkdir(pattern);
  const stages = await stagesOf(pattern, ['load', archive]);
  const complete = await startAndList(pattern);
  assert.deepEqual(complete.names, ['localhost/test/crash:1']);
  assert.ok(stages.length >= 7, stages.join(' '));
  for (const stage of stages) {
    const root = join(scratch, stage);
    await mkdir(root);
    const { exit } = await takeImage(root, ['load', archive], { PODWRIGHT_KILL_AT: stage });
    assert.equal(exit.signal, 9, stage);
    const after = await startAndList(root);
    assert.deepEqual(after, stage === 'image.recorded' ? complete : { names: [], inventory: [] }, stage);
    assert.equal((await takeImage(root, ['load', archive])).exit.code, 0, stage);
    assert.deepEqual(await startAndList(root), complete, stage);
  }
});

test('a process killed while it removes an image leaves the other image whole', async (t) => {
  const scratch = await scratchDirectory(t);
  const archive = join(scratch, 'images.tar');
  await writeFile(archive, dockerArchive([await image('localhost/test/gone:1', 'one'), await image('localhost/test/kept:1', 'two')]));
  const root = join(scratch, 'root');
  await mkdir(root);
  assert.equal((await takeImage(root, ['load', archive])).exit.code, 0);
  const { exit } = await takeImage(root, ['remove', 'localhost/test/gone:1'], { PODWRIGHT_KILL_AT: 'image-remove.forgotten' });
  assert.equal(exit.signal, 9);
  const after = await startAndList(root);
  assert.deepEqual(after.names, ['localhost/test/kept:1']);

  const alone = join(scratch, 'alone');
  await mkdir(alone);
  await writeFile(archive, dockerArchive([await image('localhost/test/kept:1', 'two')]));
  assert.equal((await takeImage(alone, ['load', archive])).exit.code, 0);
  assert.deepEqual(after.inventory, (await startAndList(alone)).inventory);
});

test('corrupt, empty and newer records cost their own image only, and the log names the file', async (t) => {
  const scratch = await scratchDirectory(t);
  const names = ['corrupt', 'empty', 'newer', 'layerless', 'good'].map((name) => `localhost/test/${name}:1`);
  const archive = join(scratch, 'images.tar');
  await writeFile(archive, dockerArchive(await Promise.all(names.map(async (name) => await image(name, name)))));
  const root = join(scratch, 'root');
  await mkdir(root);
  assert.equal((await takeImage(root, ['load', archive])).exit.code, 0);
  const directory = join(root, 'images');
  const fileOf = async (name: string): Promise<string> => {
    for (const file of await readdir(directory))
      if ((await readFile(join(directory, file), 'utf8')).includes(`${name}:1"`)) return join(directory, file);
    throw new Error(`no record of ${name}`);
  };
  const [corrupt, empty, newer] = await Promise.all(['corrupt', 'empty', 'newer'].map(fileOf));
  const layerless = (await readJson(await fileOf('layerless'))) as { chain: string };
  await rename(join(root, 'layers', layerless.chain.slice(7, 23)), join(scratch, 'taken'));
  await writeFile(corrupt!, '{"version":1,"id":"sha256:');
  await truncate(empty!);
  await writeFile(newer!, (await readFile(newer!, 'utf8')).replace('"version":1', '"version":2'));
  await writeFile(join(root, 'layers', layerless.chain.slice(7, 23)), 'no directory');

  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`) };
  const stores = await startImageStorage(root, log);
  t.after(async () => stores.close());

  assert.deepEqual(
    stores.images.list().flatMap((record) => record.names),
    ['localhost/test/good:1'],
  );
  for (const path of [corrupt, empty, newer])
    assert.ok(
      warnings.some((line) => line.includes(path!)),
      path,
    );
  assert.equal((await readdir(join(directory, 'bad'))).length, 4);
  assert.equal(stores.layers.list().length, 2);
});
