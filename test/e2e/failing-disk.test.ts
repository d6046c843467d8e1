/**
 * A root that cannot be written: it is full, or read-only, as ext4 makes itself after an error. What the node needs then is that
 * containers can be ended, and that never depends on writing.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { containerStatus, failureOf, removeAllPods, runContainer, runPod, shell, waitForOutput, type Pod } from '../support/pods.ts';

const CALL_MS = 10_000;
const DISK_BYTES = 256 * 1024 * 1024;
const DEAF = shell('trap "" TERM; echo ready; while :; do sleep 0.1; done');

/** The ways a root stops being written, and how each is mended. */
const FAULTS = {
  'read-only': {
    begin: async (disk: string) => execa('mount', ['-o', 'remount,bind,ro', disk]),
    mend: async (disk: string) => execa('mount', ['-o', 'remount,bind,rw', disk]),
    refusal: {
      code: 'FAILED_PRECONDITION',
      says: /^(run pod sandbox|create container) .*: it is on a read-only file system, must be writable$/,
    },
  },
  full: {
    begin: async (disk: string) => execa('sh', ['-c', 'cat /dev/zero >"$0" 2>/dev/null || true', join(disk, 'filler')]),
    mend: async (disk: string) => rm(join(disk, 'filler'), { force: true }),
    refusal: { code: 'RESOURCE_EXHAUSTED', says: /^run pod sandbox .*: ENOSPC/ },
  },
} as const;

interface Running {
  readonly pod: Pod;
  readonly id: string;
  readonly pid: number;
}

async function running(daemon: TestDaemon, name: string): Promise<Running> {
  const pod = await runPod(daemon, { name });
  const id = await runContainer(daemon, pod, DEAF);
  await waitForOutput(daemon, id, 'ready');
  return { pod, id, pid: await pidOf(daemon, id) };
}

for (const [fault, { begin, mend, refusal }] of Object.entries(FAULTS)) {
  test(
    `with a root that is ${fault} containers and pods are stopped, before and after a restart`,
    { timeout: 180_000 },
    async (context) => {
      const disk = await mkdtemp(join(tmpdir(), 'pw-disk-'));
      await execa('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'pw-disk', disk]);
      const daemon = await TestDaemon.start({ root: join(disk, 'podwright') });
      try {
        const before = await inventoryOf(daemon);
        const [stopped, withPod, ended, later, laterPod] = await Promise.all(
          ['stopped', 'with-pod', 'ended', 'later', 'later-pod'].map(async (name) => running(daemon, name)),
        );
        assert.ok(stopped && withPod && ended && later && laterPod);
        await begin(disk);

        const stoppedMs = await timed(() => daemon.runtime.stopContainer({ containerId: stopped.id, timeout: 1n }, { timeoutMs: CALL_MS }));
        await isStopped(daemon, stopped);
        const podMs = await timed(() => daemon.runtime.stopPodSandbox({ podSandboxId: withPod.pod.id }, { timeoutMs: CALL_MS }));
        await isStopped(daemon, withPod);
        await isNotReady(daemon, withPod.pod);
        context.diagnostic(`StopContainer took ${stoppedMs} ms (1 s is its grace), StopPodSandbox ${podMs} ms`);
        // A new pod and a new container are refused, whole, and in words; how far a container comes on a full disk, nobody can tell.
        isRefused(await failureOf(runPod(daemon, { name: 'new' })), refusal);
        if (fault === 'read-only') isRefused(await failureOf(runContainer(daemon, later.pod, DEAF, { name: 'new' })), refusal);

        await daemon.kill9();
        process.kill(ended.pid, 'SIGKILL');
        await daemon.start();
        assert.equal((await daemon.runtime.listContainers({})).containers.length, 5);
        await isStopped(daemon, ended);
        await daemon.runtime.stopContainer({ containerId: later.id, timeout: 0n }, { timeoutMs: CALL_MS });
        await isStopped(daemon, later);
        await daemon.runtime.stopPodSandbox({ podSandboxId: laterPod.pod.id }, { timeoutMs: CALL_MS });
        await isStopped(daemon, laterPod);
        await isNotReady(daemon, laterPod.pod);

        await mend(disk);
        await removeAllPods(daemon);
        // What could not be unlinked is found by a start.
        await daemon.restart();
        await assertNothingNew(daemon, before);
      } catch (error) {
        process.stdout.write(await daemon.logTail(200));
        throw error;
      } finally {
        await mend(disk);
        await daemon.destroy();
        await execa('umount', ['-l', disk]);
        await remove(disk);
      }
    },
  );
}

function isRefused({ code, message }: { code: string; message: string }, refusal: { code: string; says: RegExp }): void {
  assert.equal(code, refusal.code, message);
  assert.match(message, refusal.says);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round(performance.now() - begun);
}

async function isStopped(daemon: TestDaemon, { id, pid }: Running): Promise<void> {
  assert.equal(existsSync(`/proc/${pid}`), false, `process ${pid} lives`);
  // Its exit code is lost: conmon writes it to the root, and ends where it cannot.
  assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_EXITED);
}

async function isNotReady(daemon: TestDaemon, pod: Pod): Promise<void> {
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: false });
  assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY);
}
