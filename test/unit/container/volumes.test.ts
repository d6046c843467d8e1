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

test('without mounts there is no look at the host', async () => {
  assert.deepStrictEqual(await resolveVolumes(containerConfig(), PATIENT), []);
});

test('an image volume is refused in words that the kubelet knows, and a writable one as a bad request', async () => {
  const mount = { containerPath: '/model', image: { image: 'example.org/model:1' } };
  const ask = async (readonly: boolean): Promise<unknown> => resolveVolumes(containerConfig({ mounts: [{ ...mount, readonly }] }), PATIENT);
  await assert.rejects(ask(true), { kind: 'Unimplemented', message: /^ImageVolumeMountFailed: / });
  await assert.rejects(ask(false), { kind: 'InvalidArgument', message: /must be readonly/ });
});
