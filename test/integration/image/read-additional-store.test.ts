/** A store of skopeo's, damaged in one place after the other: each image of it is left out with a sentence, or the store is refused. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { readAdditionalStore } from '../../../src/image/read-additional-store.ts';
import type { StoredImage } from '../../../src/image/read-additional-store.ts';
import { ContainersStorage, noSkopeo } from '../../support/containers-storage.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { testImages } from '../../support/test-image.ts';

type Entries = Record<string, unknown>[];

/** A copy of the store, and what rewrites its lists. */
interface Damaged {
  readonly directory: string;
  layers(change: (entries: Entries) => unknown): Promise<void>;
  images(change: (entries: Entries) => unknown): Promise<void>;
}

const first = (entries: Entries): Record<string, unknown> => entries[0] as Record<string, unknown>;
const changed = (fields: object) => (entries: Entries) => [{ ...first(entries), ...fields }, ...entries.slice(1)];

// prettier-ignore
const FAULTS: Readonly<Record<string, { readonly damage: (store: Damaged) => Promise<unknown>; readonly words: RegExp }>> = {
  'no list of images': { damage: async ({ directory }) => rm(join(directory, 'overlay-images/images.json')), words: /images\.json is missing: an additional store must be of containers-storage/ },
  'a list that is none': { damage: async ({ images }) => images(() => ({})), words: /images\.json: must be a list, is an object/ },
  'an id that leads elsewhere': { damage: async ({ images }) => images(changed({ id: '../../../../etc' })), words: /\[0\]\.id: must be 64 hex digits, is "\.\.\/\.\.\/\.\.\/\.\.\/etc"/ },
  'a layer id that leads elsewhere': { damage: async ({ layers }) => layers(changed({ id: '..' })), words: /layers\.json: \[0\]\.id: must be 64 hex digits/ },
  'parents in a circle': { damage: async ({ layers }) => layers((entries) => changed({ parent: entries.at(-1)?.['id'] })(entries)), words: /the parents of its layer [0-9a-f]{64} go round in a circle/ },
  'a layer that is missing': { damage: async ({ layers }) => layers((entries) => entries.slice(1)), words: /its layer [0-9a-f]{64} is not in layers\.json/ },
  'another diff-digest': { damage: async ({ layers }) => layers(changed({ 'diff-digest': `sha256:${'0'.repeat(64)}` })), words: /has the diff-digest sha256:0{64}, must be sha256:/ },
  'no diff-digest': { damage: async ({ layers }) => layers(changed({ 'diff-digest': undefined, 'toc-digest': `sha256:${'0'.repeat(64)}` })), words: /has the diff-digest \(none\), must be/ },
  'a layer that is incomplete': { damage: async ({ layers }) => layers(changed({ flags: { incomplete: true } })), words: /its layer [0-9a-f]{64} is incomplete/ },
  'a layer with mapped owners': { damage: async ({ layers }) => layers(changed({ uidmap: [{ container_id: 0, host_id: 100_000, size: 65_536 }] })), words: /has the owners of a user namespace/ },
  'a tree that is gone': { damage: async ({ directory }) => remove(await treeIn(directory)), words: /ENOENT.*\/diff/ },
  'a tree that is a link': {
    damage: async ({ directory }) => {
      const tree = await treeIn(directory);
      await rename(tree, `${tree}.elsewhere`);
      await symlink('/etc', tree);
    },
    words: /\/diff is no directory/,
  },
  'a tree of composefs': { damage: async ({ directory }) => mkdir(join(await treeIn(directory), '../composefs-data')), words: /is of composefs, which is not supported/ },
  'another config': {
    damage: async ({ directory }) => {
      const [image = ''] = (await readdir(join(directory, 'overlay-images'))).filter((name) => /^[0-9a-f]{64}$/.test(name));
      const config = `=${Buffer.from(`sha256:${image}`).toString('base64')}`;
      await writeFile(join(directory, 'overlay-images', image, config), '{}');
    },
    words: /the digest of its config is sha256:[0-9a-f]{64}, must be sha256:/,
  },
};

async function treeIn(directory: string): Promise<string> {
  const [layer = ''] = (await readdir(join(directory, 'overlay'))).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return join(directory, 'overlay', layer, 'diff');
}

function damaged(directory: string): Damaged {
  const rewrite = async (file: string, change: (entries: Entries) => unknown): Promise<void> => {
    const path = join(directory, file);
    const entries = JSON.parse(await readFile(path, 'utf8')) as Entries;
    await writeFile(path, JSON.stringify(change(entries)));
  };
  return {
    directory,
    layers: async (change) => rewrite('overlay-layers/layers.json', change),
    images: async (change) => rewrite('overlay-images/images.json', change),
  };
}

async function wordsOf(directory: string): Promise<string> {
  const found: StoredImage[] = [];
  try {
    for await (const each of readAdditionalStore(directory)) found.push(each);
  } catch (error) {
    return String(error);
  }
  return found.map((each) => (each.is === 'left out' ? each.why : `read: ${each.image.names.join()}`)).join('\n');
}

test('what is wrong with a store is said, image by image', { skip: noSkopeo || noRegistry }, async (t) => {
  const registry = await TestRegistry.start();
  t.after(async () => registry.stop());
  const storage = await ContainersStorage.make();
  t.after(async () => storage.remove());
  await registry.push((await testImages()).layers, 'app', ['1']);
  await storage.add(`${registry.host}/app:1`, 'store.example/app:1');
  assert.equal(await wordsOf(storage.written), 'read: store.example/app:1');
  for (const [name, { damage, words }] of Object.entries(FAULTS)) {
    const directory = `${storage.written}-damaged`;
    await execa('cp', ['-a', storage.written, directory]);
    await damage(damaged(directory));
    assert.match(await wordsOf(directory), words, name);
    await remove(directory);
  }
});
