import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeResources } from '../../../src/ocispec/merge-resources.ts';
import { resources } from '../../support/spec-inputs.ts';

const BEFORE = resources({
  cpuPeriod: 100_000n,
  cpuQuota: 50_000n,
  cpuShares: 512n,
  memoryLimitInBytes: 64n << 20n,
  oomScoreAdj: 900n,
  cpusetCpus: '0-1',
  cpusetMems: '0',
  hugepageLimits: [{ pageSize: '2MB', limit: 0n }],
  unified: { 'memory.min': '1', 'memory.high': '2' },
  memorySwapLimitInBytes: 128n << 20n,
});

test('what an update leaves at zero or empty stays as it was', () => {
  assert.deepStrictEqual(mergeResources(BEFORE, resources()), BEFORE);
});

test('what an update gives takes the place of what was', () => {
  const change = resources({ cpuQuota: -1n, memoryLimitInBytes: 1n << 30n, cpusetCpus: '1', unified: { 'memory.high': '3' } });
  assert.deepStrictEqual(mergeResources(BEFORE, change), {
    ...BEFORE,
    cpuQuota: -1n,
    memoryLimitInBytes: 1n << 30n,
    memorySwapLimitInBytes: 1n << 30n,
    cpusetCpus: '1',
    unified: { 'memory.min': '1', 'memory.high': '3' },
  });
});

test('a limit on memory alone takes that on swap along, where there was one', () => {
  const swapAfter = (before: bigint, memoryLimitInBytes: bigint): bigint =>
    mergeResources(resources({ ...BEFORE, memorySwapLimitInBytes: before }), resources({ memoryLimitInBytes })).memorySwapLimitInBytes;
  assert.deepStrictEqual([swapAfter(9n, 5n), swapAfter(9n, -1n), swapAfter(9n, 0n), swapAfter(0n, 5n)], [5n, -1n, 9n, 0n]);
});

test('all fields of an update are taken over, but for the OOM score, which no update changes', () => {
  const change = resources({
    cpuPeriod: 1n,
    cpuQuota: 2n,
    cpuShares: 3n,
    memoryLimitInBytes: 4n,
    oomScoreAdj: -5n,
    cpusetCpus: '2',
    cpusetMems: '1',
    hugepageLimits: [{ pageSize: '1GB', limit: 6n }],
    unified: {},
    memorySwapLimitInBytes: 7n,
  });
  assert.deepStrictEqual(mergeResources(BEFORE, change), { ...change, oomScoreAdj: 900n, unified: BEFORE.unified });
});

test('a container made without resources has those of the update', () => {
  const change = resources({ cpuShares: 3n, oomScoreAdj: 5n });
  assert.deepStrictEqual(mergeResources(undefined, change), { ...change, oomScoreAdj: 0n });
});
