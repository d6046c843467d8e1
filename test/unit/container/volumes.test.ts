import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { resolveImageVolumes, resolveVolumes } from '../../../src/container/volumes.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { containerConfig } from '../../support/spec-inputs.ts';

const PATIENT = new AbortController().signal;

test('a mount that cannot be is refused before anything is looked at', async () => {
  const refused = [
    [{ hostPath: '/a', containerPath: '' }, /has no container_path/],
    [{ hostPath: 'a', containerPath: '/b' }, /host_path "a", must be absolute/],
    [{ hostPath: '', containerPath: '/b' }, /host_path "", must be absolute/],
    [{ hostPath: '/a\0b', containerPath: '/b' }, /zero byte/],
    [{ hostPath: '/a', containerPath: '/b\0' }, /zero byte/],
  ] as const;
  for (const [mount, message] of refused) {
    await assert.rejects(resolveVolumes(containerConfig({ mounts: [mount] }), PATIENT), { kind: 'InvalidArgument', message });
  }
});

test('without mounts there is no look at the host', async () => {
  assert.deepStrictEqual(await resolveVolumes(containerConfig(), PATIENT), []);
});

test('image volumes are no business of the host', async () => {
  const mounts = [{ containerPath: '/model', readonly: true, image: { image: 'example.org/model:1' } }];
  assert.deepStrictEqual(await resolveVolumes(containerConfig({ mounts }), PATIENT), []);
});

test('a sub path of an image volume is found as if the image were the root', async (t) => {
  const root = await scratchDirectory(t);
  await ensureDir(join(root, 'data/deep'));
  await symlink('/data', join(root, 'absolute'));
  await symlink('../../..', join(root, 'above'));
  const resolve = (imageSubPath: string): unknown => {
    const mounts = [{ containerPath: '/model', readonly: true, image: { image: 'example.org/model:1' }, imageSubPath }];
    return resolveImageVolumes(containerConfig({ mounts }), [root])[0]?.source;
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
