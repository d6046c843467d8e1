import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { DAEMON_DOWN, KNOWN_MESSAGES, reviewLog, timings } from '../../e2e/kubelet/log-review.ts';

test('docs/kubelet.md explains every message of the kubelet that its test lets pass', async () => {
  const page = await readFile(new URL('../../../docs/kubelet.md', import.meta.url), 'utf8');
  const rows = new Set([...page.matchAll(/^\| ([^|]+) \|/gm)].map((match) => match[1]));
  assert.deepEqual(
    [DAEMON_DOWN, ...KNOWN_MESSAGES.map(({ about }) => about)].filter((about) => !rows.has(about)),
    [],
  );
});

test("reviewLog lets a failed call pass only while the daemon is down, and reads klog's local time", () => {
  const line = (second: number): string =>
    `E0102 03:04:${second}.000000    77 remote_runtime.go:435] "ListPodSandbox with filter from runtime service failed" err="rpc error: code = Unavailable desc = x"`;
  const from = new Date(2026, 0, 2, 3, 4, 20).getTime();

  const { known, unknown } = reviewLog(['I0102 fine', line(10), line(21), line(50)].join('\n'), [{ from, to: from + 5000 }], 2026);

  assert.deepEqual([...known], [[DAEMON_DOWN, 1]]);
  const key = 'E remote_runtime.go: ListPodSandbox with filter from runtime service failed';
  assert.deepEqual([...unknown], [[key, { count: 2, example: line(50) }]]);
});

test('timings reads means and quantiles from the kubelet, slowest first', () => {
  const metrics = [
    'kubelet_pleg_relist_duration_seconds_bucket{le="0.005"} 2',
    'kubelet_pleg_relist_duration_seconds_bucket{le="+Inf"} 2',
    'kubelet_pleg_relist_duration_seconds_sum 0.004',
    'kubelet_pleg_relist_duration_seconds_count 2',
    'kubelet_runtime_operations_duration_seconds_bucket{operation_type="status",le="0.1"} 9',
    'kubelet_runtime_operations_duration_seconds_bucket{operation_type="status",le="1"} 10',
    'kubelet_runtime_operations_duration_seconds_sum{operation_type="status"} 0.5',
    'kubelet_runtime_operations_duration_seconds_count{operation_type="status"} 10',
  ].join('\n');

  assert.deepEqual(timings(metrics), [
    'status: 10 times, mean 50.0 ms, 99 of 100 within 1 s',
    'PLEG relist: 2 times, mean 2.0 ms, 99 of 100 within 0.005 s',
  ]);
});

test('reviewLog lets a removal that came second pass, and no other that failed', () => {
  const id = '15'.repeat(32);
  const line = (words: string): string =>
    `E0102 03:04:10.000000    77 kuberuntime_gc.go:151] "Failed to remove container" err="${words}" containerID="${id}"`;
  const notFound = `rpc error: code = NotFound desc = container ${id}: not found`;

  const { known, unknown } = reviewLog([line(`failed to get container status \\"${id}\\": ${notFound}`), line(notFound)].join('\n'), []);

  assert.deepEqual([...known], [['a container that another worker has removed', 1]]);
  assert.deepEqual([...unknown].map(([, { example }]) => example), [line(notFound)]); // prettier-ignore
});

test('reviewLog knows a call that the kubelet gave up, and the lost error of ImageFsInfo while the daemon is down alone', () => {
  const stats = (second: number): string =>
    `E0102 03:04:${second}.000000    77 eviction_manager.go:305] "Eviction manager: failed to get summary stats" err="failed to get imageFs stats: missing image stats: <nil>"`;
  const canceled =
    'E0102 03:04:10.000000    77 container_log_manager.go:233] "Failed to get container status" err="rpc error: code = Canceled desc = context canceled" worker=1';
  const from = new Date(2026, 0, 2, 3, 4, 20).getTime();

  const { known, unknown } = reviewLog([canceled, stats(21), stats(50)].join('\n'), [{ from, to: from + 5000 }], 2026);

  assert.deepEqual([...known], [['Canceled', 1], [DAEMON_DOWN, 1]]); // prettier-ignore
  assert.deepEqual([...unknown.values()], [{ count: 1, example: stats(50) }]);
});
