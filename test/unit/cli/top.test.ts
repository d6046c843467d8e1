import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf } from '../../../src/cli/top-report.ts';
import { metricFigures } from '../../../src/cli/top-sample.ts';
import type { PodReading, Reading, Sample } from '../../../src/cli/top-sample.ts';
import { bytesText, coresText, topText } from '../../../src/cli/top-text.ts';

const MIB = 1 << 20;
const SECOND = 1_000_000_000n;

const reading = (name: string, change: Partial<Reading> = {}): Reading => ({
  id: `id-${name}`,
  name,
  cpu: undefined,
  memoryBytes: undefined,
  memoryLimitBytes: undefined,
  cpuLimitCores: undefined,
  processes: undefined,
  throttled: undefined,
  oomKills: undefined,
  diskBytes: undefined,
  network: undefined,
  ...change,
});
const pod = (name: string, change: Partial<PodReading> = {}): PodReading => ({
  namespace: 'ns',
  containers: [],
  ...reading(name, change),
  ...change,
});
const sample = (pods: readonly PodReading[], busyMs = 0, idleMs = 0): Sample => ({
  pods,
  node: { busyMs, idleMs, cores: 2, memoryBytes: 3 * 1024 * MIB, memoryTotalBytes: 12 * 1024 * MIB, load: [1, 0.5, 0.25] },
});
const cpu = (atS: number, usedMs: number): NonNullable<Reading['cpu']> => ({
  atNs: BigInt(atS * 10) * (SECOND / 10n),
  usedNs: BigInt(usedMs) * 1_000_000n,
});

test('rates are differences by the times of the figures themselves', () => {
  const network = (atS: number, rx: bigint, tx: bigint): NonNullable<Reading['network']> => ({
    atNs: BigInt(atS) * SECOND,
    rxBytes: rx,
    txBytes: tx,
  });
  const before = sample(
    [
      pod('a', {
        cpu: cpu(100, 5000),
        network: network(100, 1000n, 0n),
        containers: [reading('c', { cpu: cpu(100.5, 1000), cpuLimitCores: 0.2, throttled: 0.1 })],
      }),
    ],
    1000,
    1000,
  );
  const now = sample(
    [
      pod('a', {
        cpu: cpu(102, 5500),
        network: network(104, 9000n, 400n),
        containers: [reading('c', { cpu: cpu(102.5, 1400), cpuLimitCores: 0.2, throttled: 0.75 })],
      }),
    ],
    1500,
    2500,
  );
  const report = reportOf(before, now, 'cpu');
  const [a] = report.pods;
  assert.deepEqual([a?.cpuCores, a?.rxBytesPerSecond, a?.txBytesPerSecond, a?.throttled], [0.25, 2000, 100, undefined]);
  assert.deepEqual([a?.containers[0]?.cpuCores, a?.containers[0]?.throttled], [0.2, 0.75]);
  assert.deepEqual([report.total.cpuCores, report.total.rxBytesPerSecond, report.node.cpuCores], [0.25, 2000, 0.5]);
});

test('without an earlier sample, time between, or a counter that grows there is no rate', () => {
  const first = sample([pod('a', { cpu: cpu(1, 100) })]);
  assert.equal(reportOf(undefined, first, 'cpu').pods[0]?.cpuCores, undefined);
  assert.equal(reportOf(first, first, 'cpu').pods[0]?.cpuCores, undefined);
  assert.equal(reportOf(first, sample([pod('a', { cpu: cpu(2, 50) })]), 'cpu').pods[0]?.cpuCores, undefined);
  assert.equal(reportOf(first, sample([pod('b', { cpu: cpu(2, 50) })]), 'cpu').total.cpuCores, undefined);
});

test('pods and their containers are sorted by the same figure, the unknown last', () => {
  const of = (name: string, memoryBytes: number | undefined, ...inside: [string, number | undefined][]): PodReading =>
    pod(name, { memoryBytes, containers: inside.map(([each, bytes]) => reading(each, { memoryBytes: bytes })) });
  const { pods } = reportOf(
    undefined,
    sample([of('b', 1), of('a', 1), of('none', undefined), of('big', 9, ['x', 1], ['y', 8], ['z', undefined])]),
    'memory',
  );
  assert.deepEqual(
    pods.map(({ name }) => name),
    ['big', 'a', 'b', 'none'],
  );
  assert.deepEqual(
    pods[0]?.containers.map(({ name }) => name),
    ['y', 'x', 'z'],
  );
  assert.deepEqual(
    reportOf(undefined, sample([pod('b', { memoryBytes: 3 }), pod('a')]), 'name').pods.map(({ name }) => name),
    ['a', 'b'],
  );
});

test('the table fits 80 columns, with names that can be told apart, and says more where there is room', () => {
  const full = {
    cpu: cpu(2, 9_999_999),
    memoryBytes: 999 * MIB,
    memoryLimitBytes: 1023 * MIB,
    cpuLimitCores: 0.2,
    processes: 1234,
    oomKills: 12,
    diskBytes: 55 * MIB,
    network: { atNs: SECOND, rxBytes: 0n, txBytes: 0n },
  };
  const names = ['coredns-5d78c9869d-abcde', 'coredns-5d78c9869d-fghij'];
  const report = reportOf(
    undefined,
    sample(names.map((name) => ({ ...pod(name, full), namespace: 'kube-system', containers: [reading('c', full)] }))),
    'cpu',
  );
  const narrow = topText(report, 80);
  const all = [...narrow.summary, narrow.titles, ...narrow.lines];
  assert.deepEqual(
    all.filter((each) => each.length > 80),
    [],
  );
  const shown = narrow.lines.filter((each) => !each.startsWith(' ')).map((each) => each.split(' ')[0] ?? '');
  assert.equal(new Set(shown).size, 2);
  for (const [index, name] of shown.entries()) assert.match(name, index === 0 ? /^kube-system\/.*abcde$/ : /^kube-system\/.*fghij$/);
  assert.doesNotMatch(narrow.titles, /DISK/);
  const wide = topText(report, 200);
  assert.match(wide.titles, /CPU +LIMIT +THR +MEM +LIMIT +MEM% +PROC +RX\/s +TX\/s +DISK +OOM$/);
  assert.match(wide.lines[0] ?? '', /^kube-system\/coredns-5d78c9869d-abcde .*999Mi +1.0Gi +98% +1234 .*55Mi +12$/);
});

test('figures are short and say their unit', () => {
  assert.deepEqual([undefined, 0, 0.0004, 0.25, 1.5, 9.9994, 12.34].map(coresText), ['-', '0m', '0m', '250m', '1500m', '9999m', '12.3']);
  assert.deepEqual([undefined, 0, 999, 1000, 1024, 1536, 10 * 1024, 1023 * 1024, 5 * MIB, 3.5 * 1024 * MIB].map(bytesText), [
    '-',
    '0',
    '999',
    '1.0Ki',
    '1.0Ki',
    '1.5Ki',
    '10Ki',
    '1.0Mi',
    '5.0Mi',
    '3.5Gi',
  ]);
});

test('throttling is the share of the last periods, of a container with a quota only', () => {
  const metrics = (periods: number, throttled: number, quotaUs?: number): ReadonlyMap<string, number> => {
    const quota: [string, number][] = quotaUs === undefined ? [] : [['container_spec_cpu_quota', quotaUs]];
    return new Map([
      ['container_cpu_cfs_periods_total', periods],
      ['container_cpu_cfs_throttled_periods_total', throttled],
      ['container_spec_cpu_period', 100_000],
      ['container_spec_memory_limit_bytes', 0],
      ['container_processes', 3],
      ['container_oom_events_total', 1],
      ...quota,
    ]);
  };
  const known = metricFigures(metrics(100, 10, 20_000), metrics(120, 25, 20_000));
  assert.deepEqual(known, { memoryLimitBytes: undefined, cpuLimitCores: 0.2, processes: 3, throttled: 0.75, oomKills: 1 });
  assert.equal(metricFigures(metrics(5, 1, 20_000), metrics(5, 1, 20_000)).throttled, 0);
  assert.equal(metricFigures(metrics(5, 1), metrics(9, 1)).throttled, undefined);
  assert.equal(metricFigures(metrics(50, 1, 20_000), metrics(9, 1, 20_000)).throttled, undefined);
  assert.equal(metricFigures(undefined, metrics(9, 1, 20_000)).throttled, undefined);
  assert.equal(metricFigures(undefined, undefined).processes, undefined);
});
