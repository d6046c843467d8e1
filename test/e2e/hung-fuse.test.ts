import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { CriError } from '../../src/cli/cri-client.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import type { Pod } from '../support/pods.ts';
import { containerConfig, execSync, removePod, runContainer, runPod } from '../support/pods.ts';

const FIXTURE = join(import.meta.dirname, '../fixtures/hung-fuse.ts');
/** More than libuv's pool has threads: a path that blocks must not be touched there. */
const HUNG_CONTAINERS = 8;
const SLEEP = ['sleep', '3600'];

/** A mount that hangs whoever looks at it. This process must never do so: not even a stat. */
async function hungMount(directory: string): Promise<ChildProcess> {
  await mkdir(directory);
  const child = spawn(process.execPath, [FIXTURE, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  return child;
}

async function release(child: ChildProcess, directory: string): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  await execa('umount', ['-l', directory]).catch(() => undefined);
}

const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';

test('a volume source that hangs stalls its own containers only', { skip: noFuse, timeout: 180_000 }, async (context) => {
  const daemon = await TestDaemon.start();
  const source = join(daemon.directory, 'hung');
  const fuse = await hungMount(source);
  try {
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
    await release(fuse, source);
    await removePod(daemon, pod.id);
    await assertNothingNew(daemon, before);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    throw error;
  } finally {
    await release(fuse, source);
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
