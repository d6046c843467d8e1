import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/nri/messages.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { withAdjustment } from '../../../src/ocispec/nri-adjust.ts';
import { nriContainerOf } from '../../../src/ocispec/nri-container.ts';
import { ABLE, adjustment } from '../../support/nri-adjustments.ts';
import { containerInput } from '../../support/spec-inputs.ts';

const SPEC = buildSpec(containerInput());

test('a plugin sees what the spec says, as a message that the wire keeps', () => {
  const seen = nriContainerOf(SPEC);
  assert.deepStrictEqual(seen.args, ['/bin/web']);
  assert.deepStrictEqual(seen.user, { uid: 1000, gid: 1000, additionalGids: [1000] });
  assert.deepStrictEqual(seen.linux?.namespaces[0], { type: 'mount', path: '' });
  assert.equal(seen.linux.cgroupsPath, '/kubepods/pod1/c1');
  assert.equal(seen.hooks, undefined);
  const sent = messages.Container.decode(messages.Container.encode(seen));
  assert.deepStrictEqual({ ...sent, ...seen }, sent);
});

test('what a plugin has set is seen by the next', () => {
  const linux = {
    devices: [{ path: '/dev/fuse', type: 'c', major: 10n, minor: 229n, fileMode: { value: 0o666 }, uid: { value: 0 }, gid: undefined }],
    oomScoreAdj: { value: 5n },
    ioPriority: { class: 1, priority: 3 },
    scheduler: { policy: 7, nice: -1, priority: 2, flags: [1], runtime: 10n, deadline: 2n ** 63n, period: 30n },
    sysctl: { 'net.core.somaxconn': '1' },
    netDevices: { eth1: { name: 'net1' } },
    rdt: { closId: { value: 'a' }, schemata: { value: ['L3:0=f'] }, enableMonitoring: { value: true }, remove: false },
    seccompPolicy: {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrno: { value: 1 },
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/l',
      listenerMetadata: 'm',
      syscalls: [
        {
          names: ['a'],
          action: 'SCMP_ACT_ALLOW',
          errnoRet: { value: 5 },
          args: [{ index: 1, value: 2n ** 64n - 1n, valueTwo: 3n, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
  };
  const hooks = { createRuntime: [{ path: '/h', args: ['a'], env: ['B=1'], timeout: { value: 3n } }] };
  const asked = adjustment({
    linux,
    hooks,
    rlimits: [{ type: 'RLIMIT_CPU', soft: 1n, hard: 2n ** 64n - 1n }],
    env: [{ key: 'Z', value: '=' }],
  });
  const seen = nriContainerOf(withAdjustment(SPEC, asked, ABLE));
  const { devices, seccompPolicy, ...rest } = linux;
  assert.deepStrictEqual({ ...seen.linux, ...rest, seccompPolicy }, seen.linux);
  assert.deepStrictEqual(seen.linux?.devices, devices);
  assert.deepStrictEqual(seen.hooks, asked.hooks);
  assert.deepStrictEqual(seen.rlimits, asked.rlimits);
  assert.equal(seen.env.at(-1), 'Z==');
});
