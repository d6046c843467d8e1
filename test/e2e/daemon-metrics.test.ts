/** What the daemon counts, against what was done. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedDaemon } from '../support/e2e-test.ts';
import { readMetrics, valueOf } from '../support/metrics.ts';
import { createContainer, execSync, failureOf, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';

const test = sharedDaemon();

test('pods, containers, exits, CNI plugins and programs are counted', async (daemon) => {
  const pod = await runPod(daemon);
  await waitForExit(daemon, await runContainer(daemon, pod, shell('exit 3'), { name: 'fails' }));
  await waitForExit(daemon, await runContainer(daemon, pod, ['true'], { name: 'ends' }));
  await runContainer(daemon, pod, ['sleep', '1000'], { name: 'stays' });

  const text = await readMetrics(daemon);
  const of = (series: string): number | undefined => valueOf(text, `podwright_${series}`);
  assert.equal(of('sandboxes{state="Ready"}'), 1);
  assert.equal(of('sandboxes{state="Lost"}'), 0);
  assert.equal(of('containers{state="Running"}'), 1);
  assert.equal(of('containers{state="Exited"}'), 2);
  assert.equal(of('container_exits_total{reason="Error"}'), 1);
  assert.equal(of('container_exits_total{reason="Completed"}'), 1);
  assert.equal(of('container_exits_total{reason="OOMKilled"}'), 0);
  assert.equal(of('oom_kills_total{level="pod"}'), 0);
  assert.equal(of('cni_plugin_duration_seconds_count{plugin="bridge",verb="ADD",outcome="ok"}'), 1);
  assert.equal(of('program_starts_total{program="conmon",outcome="ok"}'), 3);
  assert.ok(of('program_starts_total{program="CNI plugin",outcome="ok"}')! >= 2, text);
  assert.equal(of('images'), 1);
  assert.ok(of('image_storage_used_bytes')! > 100_000);
  assert.equal(of('operations_under_way{operation="run pod sandbox"}'), 0);
  assert.equal(of('operation_duration_seconds_count{operation="run pod sandbox",outcome="ok"}'), 1);
  assert.equal(of('operation_duration_seconds_count{operation="create container",outcome="ok"}'), 3);
  assert.equal(of('oldest_operation_age_seconds{operation="run pod sandbox"}'), 0);
  assert.equal(of('events_dropped_total{stream="container events"}'), 0);
  assert.equal(of('parked_requests{kind="sandbox"}'), 0);
  assert.ok(of('event_loop_lag_seconds_count')! > 0);
  assert.ok(of('event_loop_longest_lag_seconds')! >= 0);
  assert.equal(of('restored_objects{kind="container"}'), 0);

  await removePod(daemon, pod.id);
  const after = await readMetrics(daemon);
  assert.equal(valueOf(after, 'podwright_sandboxes{state="Ready"}'), 0);
  assert.equal(valueOf(after, 'podwright_container_exits_total{reason="Error"}'), 2, 'the one that SIGKILL ended');
});

test('the age of work under way is told while it goes on, and what failed is counted apart', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '1000']);
  const command = execSync(daemon, id, shell('until [ -e /go ]; do sleep 0.1; done'), 60);
  const oldest = async (): Promise<number> =>
    valueOf(await readMetrics(daemon), 'podwright_oldest_operation_age_seconds{operation="exec"}') ?? 0;
  await until('the command is a second old', async () => (await oldest()) >= 1);
  await execSync(daemon, id, shell('touch /go'));
  await command;
  assert.equal(await oldest(), 0);

  const failures = async (): Promise<number> =>
    valueOf(await readMetrics(daemon), 'podwright_operation_duration_seconds_count{operation="create container",outcome="failed"}') ?? 0;
  const before = await failures();
  await failureOf(createContainer(daemon, pod, ['/no/such/program'], { name: 'wrong' }));
  assert.equal(await failures(), before + 1);
});

test('a start counts what it has taken up again, and what it has found that belongs to nothing', async (daemon) => {
  const pod = await runPod(daemon);
  await runContainer(daemon, pod, ['sleep', '1000']);
  await daemon.kill9();
  await mkdir(join(daemon.runDir, 'bundles', 'f'.repeat(64)));
  await daemon.start();

  const text = await readMetrics(daemon);
  assert.equal(valueOf(text, 'podwright_restored_objects{kind="sandbox"}'), 1);
  assert.equal(valueOf(text, 'podwright_restored_objects{kind="container"}'), 1);
  assert.ok(valueOf(text, 'podwright_start_duration_seconds')! > 0);
  assert.equal(valueOf(text, 'podwright_leaks_found_total{kind="rootfs"}'), 0);
  const leaks = async (what: string): Promise<number | undefined> => valueOf(await readMetrics(daemon), `podwright_leaks_${what}_total{kind="bundle"}`); // prettier-ignore
  await until('the bundle of nothing is removed', async () => (await leaks('cleaned')) === 1);
  assert.equal(await leaks('found'), 1);
});
