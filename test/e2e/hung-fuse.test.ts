import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { StatusReport } from '../../src/admin/reports.ts';
import { CriError } from '../../src/cli/cri-client.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { HungMount, noFuse } from '../support/hung-mount.ts';
import type { Pod } from '../support/pods.ts';
import { containerConfig, execSync, failureOf, removePod, runContainer, runPod } from '../support/pods.ts';

/** More than libuv's pool has threads: a path that blocks must not be touched there. */
const HUNG_CONTAINERS = 8;
const SLEEP = ['sleep', '3600'];

test('a volume source that hangs stalls its own containers only', { skip: noFuse, timeout: 180_000 }, async (context) => {
  const daemon = await TestDaemon.start();
  const source = join(daemon.directory, 'hung');
  const fuse = new HungMount(source);
  try {
    await fuse.start();
    const before = await inventoryOf(daemon);
    const pod = await runPod(daemon, { name: 'hung' });
    const calls = Array.from({ length: HUNG_CONTAINERS }, async (_, index) => createHung(daemon, pod, source, index));
    const slowestMs = await workBeside(daemon);
    context.diagnostic(`beside ${HUNG_CONTAINERS} hung creates the slowest call took ${slowestMs.toFixed(0)} ms`);
    const outcomes = await Promise.all(calls);
    // crun mounts the root of a mount without a look at it, so that the container is there: half of them.
    for (const [index, code] of outcomes.entries()) if (code !== 'OK' || index % 2 === 1) assert.equal(code, 'DEADLINE_EXCEEDED');
    const { containers } = await daemon.runtime.listContainers({});
    assert.equal(containers.length, outcomes.filter((code) => code === 'OK').length, 'a half-made container is visible');
    await fuse.release();
    await removePod(daemon, pod.id);
    await assertNothingNew(daemon, before);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    throw error;
  } finally {
    await fuse.release();
    await daemon.destroy();
  }
});

/** How CreateContainer with a volume on the hung mount ends, half of them deeper in it. */
async function createHung(daemon: TestDaemon, pod: Pod, source: string, index: number): Promise<string> {
  const hostPath = index % 2 === 0 ? source : join(source, 'sub/path');
  const config = await containerConfig(pod, SLEEP, {
    name: `hung-${index}`,
    change: { mounts: [{ containerPath: '/volume', hostPath, readonly: false, propagation: 0 }] },
  });
  const request = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  return daemon.runtime.createContainer(request, { timeoutMs: 12_000 }).then(
    () => 'OK',
    (error: unknown) => {
      if (error instanceof CriError) return error.code;
      throw error;
    },
  );
}

/** What other pods need meanwhile; the longest any of it took, milliseconds. */
async function workBeside(daemon: TestDaemon): Promise<number> {
  let slowestMs = 0;
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const begin = performance.now();
    const result = await work();
    slowestMs = Math.max(slowestMs, performance.now() - begin);
    return result;
  };
  for (let round = 0; round < 3; round += 1) {
    const pod = await timed(async () => runPod(daemon));
    const id = await timed(async () => runContainer(daemon, pod, SLEEP));
    assert.equal((await timed(async () => execSync(daemon, id, ['true']))).exitCode, 0);
    await timed(async () => daemon.runtime.listContainers({}));
    await timed(async () => daemon.runtime.listPodSandbox({}));
    await timed(async () => daemon.runtime.status({}));
    await timed(async () => daemon.runtime.stopContainer({ containerId: id, timeout: 0n }));
    await timed(async () => removePod(daemon, pod.id));
  }
  assert.ok(slowestMs < 5000, `a call beside the hung ones took ${slowestMs.toFixed(0)} ms`);
  return slowestMs;
}

test(
  'a directory of CDI specs that hangs is named by status in seconds, and refused devices name it',
  { skip: noFuse, timeout: 180_000 },
  async (context) => {
    const place = await mkdtemp(join(tmpdir(), 'pw-hung-cdi-'));
    const [hung, well] = [join(place, 'hung'), join(place, 'well')];
    await mkdir(well);
    await writeFile(join(well, 'odd.json'), '{');
    const fuse = new HungMount(hung);
    context.after(async () => {
      await fuse.release();
      await remove(place);
    });
    await fuse.start();
    const daemon = await TestDaemon.start({ config: `cdi_spec_dirs = ["${well}", "${hung}"]\n` });
    try {
      // More often than libuv's pool has threads: a look at it must not be begun anew each time.
      const tookMs: number[] = [];
      for (let count = 0; count < HUNG_CONTAINERS; count += 1) {
        const begun = performance.now();
        const { brokenCdiSpecs } = JSON.parse(await daemon.cli('status', '--json')) as StatusReport;
        tookMs.push(Math.round(performance.now() - begun));
        assert.deepEqual(
        brokenCdiSpecs.map(({ path, error }) => [path, /within 5 s|must be|JSON|YAML|flow|unexpected/i.test(error)]).toSorted(),
        [[hung, true], [join(well, 'odd.json'), true]],
      ); // prettier-ignore
      }
      const [first = 0, ...later] = tookMs;
      assert.ok(first < 30_000 && Math.min(...later) < 4_500, `status took ${tookMs.join(', ')} ms`);
      const pod = await runPod(daemon);
      const config = await containerConfig(pod, SLEEP, { change: { cdiDevices: [{ name: 'vendor.com/gpu=a' }] } });
      const { code, message } = await failureOf(
        daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, { timeoutMs: 20_000 }),
      );
      assert.equal(code, 'NOT_FOUND');
      assert.ok(message.includes(`${hung} is not used: it cannot be listed within 5 s`), message);

      // When it answers again, it is as before: here it is gone, and so its directory has nothing.
      await fuse.release();
      await writeFile(
        join(hung, 'a.json'),
        JSON.stringify({ cdiVersion: '0.3.0', kind: 'vendor.com/gpu', devices: [{ name: 'a', containerEdits: { env: ['GPU=a'] } }] }),
      );
      const id = await runContainer(daemon, pod, SLEEP, { change: { cdiDevices: [{ name: 'vendor.com/gpu=a' }] } });
      assert.match(Buffer.from((await execSync(daemon, id, ['env'])).stdout).toString(), /GPU=a/);
      await removePod(daemon, pod.id);
    } finally {
      await fuse.release();
      await daemon.destroy();
    }
  },
);
