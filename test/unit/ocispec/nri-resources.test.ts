import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Init, LinuxResources } from '../../../api/nri/messages.ts';
import { changeOf, nriResourcesOfCri, resourcesAfter } from '../../../src/ocispec/nri-resources.ts';
import { linuxAdjustment, nriResources } from '../../support/nri-adjustments.ts';
import { HOST, resources } from '../../support/spec-inputs.ts';

const REQUEST = resources({
  cpuShares: 512n,
  cpuQuota: 5000n,
  memoryLimitInBytes: 1000n,
  memorySwapLimitInBytes: 3000n,
  cpusetCpus: '0',
  oomScoreAdj: 7n,
  hugepageLimits: [{ pageSize: '2MB', limit: 1n }],
  unified: { 'memory.high': '5' },
});

test('a request is shown without what it leaves open, and comes back from there as the same change', () => {
  const shown = nriResourcesOfCri(REQUEST);
  assert.deepStrictEqual(shown?.cpu?.period, undefined);
  assert.deepStrictEqual(shown?.memory?.swap, { value: 3000n });
  const change = changeOf(nriResources(shown), HOST);
  assert.deepStrictEqual(change, { cri: { ...REQUEST, oomScoreAdj: 0n }, more: {} });
  assert.equal(nriResourcesOfCri(undefined), undefined);
});

test('a change has beside it what the CRI has no field for', () => {
  const asked = nriResources({ pids: { limit: -3n }, memory: { reservation: { value: 9n } }, cpu: { realtimePeriod: { value: 0n } } });
  assert.deepStrictEqual(changeOf(asked, HOST).more, { pids: { limit: -1 }, memory: { reservation: 9 } });
  const realtime = nriResources({ cpu: { realtimePeriod: { value: 5n }, realtimeRuntime: { value: 4n } }, pids: { limit: 0n } });
  const v1 = { ...HOST, cgroupVersion: 'v1' } as const;
  assert.deepStrictEqual(changeOf(realtime, v1).more, { cpu: { realtimePeriod: 5, realtimeRuntime: 4 } });
});

test('what cannot be changed later is refused by its name', () => {
  const refused: readonly [Init<LinuxResources>, RegExp][] = [
    [{ blockioClass: { value: '' } }, /linux\.resources\.blockio_class is set, must not be/],
    [{ rdtClass: { value: 'gold' } }, /linux\.resources\.rdt_class is set/],
    [{ devices: [{ allow: true }] }, /linux\.resources\.devices is set/],
    [{ memory: { swappiness: { value: 1n } } }, /linux\.resources\.memory\.swappiness is set/],
    [{ memory: { disableOomKiller: { value: true } } }, /linux\.resources\.memory\.disable_oom_killer is set/],
    [{ memory: { kernel: { value: 1n } } }, /linux\.resources\.memory\.kernel is 1/],
  ];
  for (const [init, message] of refused) assert.throws(() => changeOf(nriResources(init), HOST), { kind: 'FailedPrecondition', message });
});

test('a container shows the limits of its request with those of the plugins over them', () => {
  const after = resourcesAfter(
    REQUEST,
    linuxAdjustment({
      oomScoreAdj: { value: 0n },
      resources: {
        memory: { limit: { value: 2000n } },
        cpu: { shares: { value: 0n }, period: { value: 6000n } },
        hugepageLimits: [{ pageSize: '1GB', limit: 2n }],
        unified: { 'memory.low': '1' },
      },
    }),
  );
  assert.deepStrictEqual(after, {
    ...REQUEST,
    oomScoreAdj: 0n,
    cpuShares: 0n,
    cpuPeriod: 6000n,
    memoryLimitInBytes: 2000n,
    memorySwapLimitInBytes: 2000n,
    hugepageLimits: [{ pageSize: '2MB', limit: 1n }, { pageSize: '1GB', limit: 2n }],
    unified: { 'memory.high': '5', 'memory.low': '1' },
  }); // prettier-ignore
});

test('without limits of a plugin the request is shown as it is, also where it has none', () => {
  assert.equal(resourcesAfter(REQUEST, linuxAdjustment({})), REQUEST);
  assert.equal(resourcesAfter(undefined, { linux: undefined }), undefined);
  const alone = resourcesAfter(undefined, linuxAdjustment({ resources: { memory: { limit: { value: 5n } } } }));
  assert.deepStrictEqual(alone, resources({ memoryLimitInBytes: 5n }));
});
