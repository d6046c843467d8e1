import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Figures, MetricValue } from '../../../src/stats/pod-metrics.ts';
import { POD_METRICS } from '../../../src/stats/pod-metrics.ts';

const LINE = { avg10: 0, avg60: 0, avg300: 0 };
const PRESSURE = { some: { ...LINE, totalUs: 2_500_000n }, full: { ...LINE, totalUs: 1_999_999n } };
const LIMITS = {
  cpuShares: 512n,
  cpuQuotaUs: 150_000n,
  cpuPeriodUs: 100_000n,
  memoryBytes: 9n,
  memoryReservationBytes: 8n,
  swapBytes: 7n,
  threads: 6n,
};
const WHOLE: Figures = {
  usage: {
    cpuNs: 3_900_000_000n,
    memory: { usageBytes: 10n, workingSetBytes: 9n, rssBytes: 8n, pageFaults: 7n, majorPageFaults: 6n, limitBytes: 5n },
    swapBytes: 4n,
    swapLimitBytes: 3n,
    processes: 2n,
    pressure: { cpu: PRESSURE, memory: PRESSURE, io: PRESSURE },
  },
  counters: {
    cpu: { userNs: 2_000_000_000n, systemNs: 1_000_000_000n, periods: 5n, throttledPeriods: 2n, throttledNs: 7n },
    memory: { cacheBytes: 400n, mappedBytes: 100n, kernelBytes: 50n, peakBytes: 2000n, limitHits: 3n },
    limits: LIMITS,
    devices: [
      { major: 254, minor: 0, operation: 'Read', bytes: 1n, count: 3n },
      { major: 7, minor: 1, operation: 'Write', bytes: 2n, count: 4n },
    ],
    hugePages: [{ pageSize: '2MB', usageBytes: 1n, peakBytes: 2n }],
  },
  deviceNames: new Map([['254:0', '/dev/vda']]),
  oomKills: 1,
  processes: { processes: 1, fileDescriptors: 4, sockets: 2, openFilesLimit: 1024n },
  fileSystem: { device: '/dev/vda', usedBytes: 1n, limitBytes: 2n, inodesTotal: 3n, inodesFree: 4n },
  interfaces: [
    { name: 'eth0', rxBytes: 1n, rxPackets: 2n, rxErrors: 3n, rxDropped: 4n, txBytes: 5n, txPackets: 6n, txErrors: 7n, txDropped: 8n },
  ],
  startedAtNs: 1_700_000_000_999_999_999n,
  atNs: 1_700_000_009_000_000_000n,
};

function valuesOf(name: string, figures: Figures = WHOLE): readonly MetricValue[] {
  return (POD_METRICS.find((metric) => metric.name === name) ?? assert.fail(`no metric ${name}`)).values(figures);
}

test('every metric has a help, a name of its own, and as many label values as labels', () => {
  assert.equal(new Set(POD_METRICS.map(({ name }) => name)).size, POD_METRICS.length);
  for (const { name, help, labels, values } of POD_METRICS) {
    assert.match(name, /^container_[a-z_]+$/);
    assert.notEqual(help, '');
    const found = values(WHOLE);
    assert.ok(found.length > 0, `${name} has no value`);
    for (const value of found) assert.equal(value.labels.length, labels.length, name);
    assert.equal(new Set(found.map((value) => value.labels.join())).size, found.length, `${name}: two values with the same labels`);
  }
});

test('what is not known is left out, not zero', () => {
  for (const { name, values } of POD_METRICS) assert.deepStrictEqual(values({}), [], name);
});

test('seconds are whole ones, rounded down', () => {
  assert.deepStrictEqual(valuesOf('container_cpu_usage_seconds_total'), [{ value: 3n, labels: ['total'] }]);
  assert.deepStrictEqual(valuesOf('container_pressure_io_waiting_seconds_total'), [{ value: 2n, labels: [] }]);
  assert.deepStrictEqual(valuesOf('container_pressure_io_stalled_seconds_total'), [{ value: 1n, labels: [] }]);
  assert.deepStrictEqual(valuesOf('container_start_time_seconds'), [{ value: 1_700_000_000n, labels: [] }]);
});

test('devices go by their name, or by their number', () => {
  assert.deepStrictEqual(valuesOf('container_fs_reads_total'), [{ value: 3n, labels: ['/dev/vda'] }]);
  assert.deepStrictEqual(valuesOf('container_fs_writes_bytes_total'), [{ value: 2n, labels: ['7:1'] }]);
  assert.deepStrictEqual(valuesOf('container_blkio_device_usage_total'), [
    { value: 1n, labels: ['/dev/vda', '254', '0', 'Read'] },
    { value: 2n, labels: ['7:1', '7', '1', 'Write'] },
  ]);
});

test('a quota that is not set is left out; a swap limit that the kernel does not tell is none', () => {
  const counters = WHOLE.counters ?? assert.fail();
  const without = { ...WHOLE, counters: { ...counters, limits: { ...LIMITS, cpuQuotaUs: 0n, swapBytes: undefined } } };
  assert.deepStrictEqual(valuesOf('container_spec_cpu_quota', without), []);
  assert.deepStrictEqual(valuesOf('container_spec_memory_swap_limit_bytes', without), [{ value: 0n, labels: [] }]);
});
