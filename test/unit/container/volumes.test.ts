import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveVolumes } from '../../../src/container/volumes.ts';
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

test('no mounts, or mounts of images only, need no look at the host', async () => {
  assert.deepStrictEqual(await resolveVolumes(containerConfig(), PATIENT), []);
  const image = { containerPath: '/model', image: { image: 'example.org/model:1' } };
  assert.deepStrictEqual(await resolveVolumes(containerConfig({ mounts: [image] }), PATIENT), []);
});
