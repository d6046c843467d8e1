import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Init, LinuxContainerResources } from '../../../api/cri/runtime.ts';
import { ociResources } from '../../../src/ocispec/resources.ts';
import type { ResourceHost } from '../../../src/ocispec/resources.ts';
import { HOST, resources } from '../../support/spec-inputs.ts';

const build = (init: Init<LinuxContainerResources>, host: Partial<ResourceHost> = {}) =>
  ociResources(resources(init), { ...HOST, ...host });

test('ociResources() leaves out what is not specified', () => {
  assert.deepStrictEqual([ociResources(undefined, HOST), build({})], [{}, {}]);
});

test('ociResources() writes all limits', () => {
  const limits = build({
    cpuPeriod: 100_000n,
    cpuQuota: 50_000n,
    cpuShares: 512n,
    memoryLimitInBytes: 1024n,
    memorySwapLimitInBytes: 4096n,
    cpusetCpus: '0-1,3',
    cpusetMems: '0',
    hugepageLimits: [
      { pageSize: '2MB', limit: 2n ** 21n },
      { pageSize: '64KB', limit: 0n },
    ],
    unified: { 'memory.high': '900', 'memory.min': '0' },
  });

  assert.deepStrictEqual(limits, {
    cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0-1,3', mems: '0' },
    memory: { limit: 1024, swap: 4096 },
    hugepageLimits: [{ pageSize: '2MB', limit: 2_097_152 }],
    unified: { 'memory.high': '900', 'memory.min': '0' },
  });
});

test('ociResources() limits swap with memory, where swap is counted', () => {
  assert.deepStrictEqual(
    [
      build({ memoryLimitInBytes: 7n }),
      build({ memoryLimitInBytes: 7n }, { swapAccounting: false }),
      build({ memoryLimitInBytes: 7n, memorySwapLimitInBytes: 9n }, { swapAccounting: false }),
      build({ memoryLimitInBytes: -1n }),
      build({ memoryLimitInBytes: 7n, memorySwapLimitInBytes: -1n }),
      build({ memorySwapLimitInBytes: 9n }),
    ],
    [
      { memory: { limit: 7, swap: 7 } },
      { memory: { limit: 7 } },
      { memory: { limit: 7 } },
      { memory: { limit: -1, swap: -1 } },
      { memory: { limit: 7, swap: -1 } },
      { memory: { swap: 9 } },
    ],
  );
});

test('ociResources() leaves swap to what the kubelet says of it in unified', () => {
  const limited = { memoryLimitInBytes: 4096n, unified: { 'memory.swap.max': '1024', 'memory.oom.group': '1' } };
  assert.deepStrictEqual(build(limited), { memory: { limit: 4096 }, unified: limited.unified });
  assert.deepStrictEqual(build({ ...limited, memorySwapLimitInBytes: 8192n }).memory, { limit: 4096, swap: 8192 });
});

test('ociResources() keeps numbers in what the kernel and JSON take', () => {
  assert.deepStrictEqual(build({ cpuShares: 1n, cpuQuota: -7n, memoryLimitInBytes: 2n ** 63n - 1n }, { swapAccounting: false }), {
    cpu: { shares: 2, quota: -1 },
    memory: { limit: Number.MAX_SAFE_INTEGER },
  });
  assert.deepStrictEqual(build({ cpuShares: 1_000_000n }), { cpu: { shares: 262_144 } });
});

test('ociResources() refuses what contradicts itself or what the host cannot do', () => {
  assert.throws(() => build({ memoryLimitInBytes: 9n, memorySwapLimitInBytes: 7n }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ cpuShares: -1n }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ cpusetCpus: '0; rm' }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ unified: { '../memory.max': '1' } }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ unified: { 'memory.max': '1' } }, { cgroupVersion: 'v1' }), {
    kind: 'FailedPrecondition',
    message: /needs cgroup v2/,
  });
  assert.throws(() => build({ hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }, { hugepageSizes: [] }), { kind: 'FailedPrecondition' });
});

test('ociResources() leaves out limits on huge pages with a warning, where that is tolerated and there is no controller', () => {
  const said: string[] = [];
  const limits = (pageSize: string, hugepageSizes: readonly string[]) =>
    ociResources(resources({ hugepageLimits: [{ pageSize, limit: 1n }, { pageSize: '1GB' }] }), { ...HOST, hugepageSizes }, (words) => said.push(words)); // prettier-ignore

  assert.deepStrictEqual(
    [limits('2MB', []), said],
    [{}, ['the limits on huge pages of 2MB are left out: this node has no hugetlb controller']],
  );
  assert.throws(() => limits('2MB', ['1GB']), { kind: 'FailedPrecondition', message: /hugepage_limits asks for .* 2MB, but this node can limit 1GB/ }); // prettier-ignore
  assert.deepStrictEqual(limits('2MB', ['2MB']), { hugepageLimits: [{ pageSize: '2MB', limit: 1 }] });
  assert.equal(said.length, 1);
});

test('ociResources() refuses processors and memory nodes that the node will never have', () => {
  assert.deepStrictEqual(build({ cpusetCpus: '0-7,16,23', cpusetMems: '1' }), { cpu: { cpus: '0-7,16,23', mems: '1' } });
  for (const cpusetCpus of ['0-100', '8', '7-16', '0,24']) {
    assert.throws(() => build({ cpusetCpus }), {
      kind: 'InvalidArgument',
      message: `set resources: cpuset_cpus is "${cpusetCpus}", must be within 0-7,16-23, what this node has`,
    });
  }
  assert.throws(() => build({ cpusetMems: '2' }), { kind: 'InvalidArgument', message: /cpuset_mems is "2", must be within 0-1/ });
  assert.throws(() => build({ cpusetCpus: '3-1' }), { kind: 'InvalidArgument', message: /must be a list/ });
  assert.deepStrictEqual(build({ cpusetCpus: '0-100' }, { processors: '' }), { cpu: { cpus: '0-100' } });
});
