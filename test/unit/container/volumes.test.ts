import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { resolveImageVolumes, resolveVolumes } from '../../../src/container/volumes.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { plannedMount } from '../../support/spec-inputs.ts';

const PATIENT = new AbortController().signal;
const imageVolume = (imageSubPath = '') =>
  plannedMount({ containerPath: '/model', readonly: true, image: { image: 'example.org/model:1' }, imageSubPath });

test('without mounts there is no look at the host', async () => {
  assert.deepStrictEqual(await resolveVolumes([], PATIENT), []);
});

test('image volumes are no business of the host', async () => {
  assert.deepStrictEqual(await resolveVolumes([imageVolume()], PATIENT), []);
});

test('a sub path of an image volume is found as if the image were the root', async (t) => {
  const root = await scratchDirectory(t);
  await ensureDir(join(root, 'data/deep'));
  await symlink('/data', join(root, 'absolute'));
  await symlink('../../..', join(root, 'above'));
  const resolve = (imageSubPath: string): unknown => {
    return resolveImageVolumes([imageVolume(imageSubPath)], [root])[0]?.source;
  };
  assert.deepStrictEqual(['', 'data/deep', 'absolute/deep', 'above', './data'].map(resolve), [
    root,
    join(root, 'data/deep'),
    join(root, 'data/deep'),
    root,
    join(root, 'data'),
  ]);
  for (const bad of ['/data', '../data', 'data/../..', 'absent', 'data/absent']) {
    assert.throws(() => resolve(bad), { kind: 'InvalidArgument', message: /^ImageVolumeMountFailed: .*\/model has image_sub_path "/ }, bad);
  }
});
