/** What is taken of an additional layer store: a directory that shows layers by the digests of their tables of contents. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { findStoredLayers } from '../../../src/storage/layer-stores.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

test('a layer is taken of a store where its tree is a directory, and what says of it is there', async (t) => {
  const store = await scratchDirectory(t);
  const [whole, file, noInfo, other] = ['a', 'b', 'c', 'd'].map(digest) as [Digest, Digest, Digest, Digest];
  const tree = async (toc: Digest): Promise<void> => ensureDir(join(store, toc, 'diff'));
  for (const toc of [whole, noInfo, other]) await tree(toc);
  await ensureDir(join(store, file));
  await writeFile(join(store, file, 'diff'), '');
  for (const toc of [whole, file, noInfo, other]) await writeFile(join(store, toc, 'blob'), '');
  for (const toc of [whole, file]) await writeFile(join(store, toc, 'info'), '{}');
  await writeFile(join(store, other, 'info'), JSON.stringify({ 'toc-digest': whole }));
  const wanted = [whole, file, noInfo, other, digest('e')].map((tocDigest) => ({ tocDigest, diffId: digest('f') }));
  const found = await findStoredLayers([store], 'registry.example/app@sha256:1', wanted, silentLog, AbortSignal.timeout(30_000));
  assert.deepEqual([...found], [[whole, { tree: join(store, whole, 'diff'), store }]]);
});
