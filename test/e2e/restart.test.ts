// long: 60 s
import assert from 'node:assert/strict';
import { readFile, readdir, readlink, rename, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../api/cri/enums.ts';
import type { ContainerStatus } from '../../api/cri/runtime.ts';
import { removeFirewallRules } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import {
  containerStatus,
  createContainer,
  execOutput,
  execSync,
  linesOf,
  outputOf,
  podAddress,
  readLog,
  runContainer,
  runPod,
  shell,
  until,
  untilPage,
  waitForExit,
  waitForOutput,
} from '../support/pods.ts';

const RUNTIME = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
const SLEEP = ['sleep', '3600'];

/** Fields that no restart may change. */
const identityOf = ({ id, metadata, createdAt, startedAt, imageRef, labels, annotations, logPath, mounts }: ContainerStatus): object => ({
  id, metadata, createdAt, startedAt, imageRef, labels, annotations, logPath, mounts,
}); // prettier-ignore

async function pidOf(daemon: TestDaemon, containerId: string): Promise<number> {
  const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

/** The monitor of a container: the conmon whose command line has the id. */
async function monitorOf(containerId: string, pid: number): Promise<number> {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const command = await readFile(`/proc/${parent}/cmdline`, 'utf8');
  assert.ok(
    command.includes('conmon') && command.includes(containerId),
    `the parent of ${pid} is no monitor of ${containerId}: ${command}`,
  );
  return parent;
}

async function whileDown(daemon: TestDaemon, work: () => Promise<void>): Promise<void> {
  await daemon.kill9();
  await work();
  await daemon.start();
}

e2eTest('kill -9: what runs goes on, and exits while the daemon is down keep code, time and reason', async (daemon) => {
  const pod = await runPod(daemon);
  const goesOn = await runContainer(daemon, pod, shell('i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done'), { name: 'goes-on' });
  const exits = await runContainer(daemon, pod, shell('while [ ! -e /dev/shm/go ]; do sleep 0.05; done; exit 7'), { name: 'exits' });
  const oom = await runContainer(
    daemon,
    pod,
    shell('while [ ! -e /dev/shm/go ]; do sleep 0.05; done; exec dd if=/dev/zero of=/dev/null bs=64M'),
    {
      name: 'oom',
      memoryBytes: 15_728_640n,
    },
  );
  const before = await containerStatus(daemon, goesOn);
  const exitsBefore = await containerStatus(daemon, exits);
  const address = await podAddress(daemon, pod.id);
  const pids = [await pidOf(daemon, exits), await pidOf(daemon, oom)];
  const root = `/proc/${await pidOf(daemon, goesOn)}/root`;

  let downFrom = 0n;
  await whileDown(daemon, async () => {
    // By the clock that files get their times of, which is up to a tick of the kernel behind the other.
    await writeFile(`${root}/dev/shm/go`, '');
    downFrom = (await stat(`${root}/dev/shm/go`, { bigint: true })).mtimeNs;
    const gone = async (pid: number): Promise<boolean> => !(await stat(`/proc/${pid}/exe`).then(() => true, () => false)); // prettier-ignore
    for (const pid of pids) await until(`process ${pid} ends`, async () => gone(pid));
    await sleep(1500);
  });
  const upFrom = BigInt(Date.now()) * 1_000_000n;

  const after = await containerStatus(daemon, goesOn);
  assert.equal(after.state, ContainerState.CONTAINER_RUNNING);
  assert.deepEqual(identityOf(after), identityOf(before));
  const exited = await containerStatus(daemon, exits);
  assert.deepEqual([exited.state, exited.exitCode, exited.reason], [ContainerState.CONTAINER_EXITED, 7, 'Error']);
  assert.deepEqual(identityOf(exited), identityOf(exitsBefore));
  const { finishedAt } = exited;
  const times = `finishedAt ${finishedAt} is not the time of the exit: down from ${downFrom}, up from ${upFrom}`;
  assert.ok(finishedAt >= downFrom && finishedAt < upFrom - 1_000_000_000n, times);
  const killed = await containerStatus(daemon, oom);
  assert.deepEqual([killed.state, killed.exitCode, killed.reason], [ContainerState.CONTAINER_EXITED, 137, 'OOMKilled']);

  assert.equal(await podAddress(daemon, pod.id), address);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(status?.state, PodSandboxState.SANDBOX_READY);
  const ticks = await outputOf(daemon, goesOn);
  assert.deepEqual(ticks, ticks.map((_, index) => `tick ${index + 1}`), 'log lines were lost'); // prettier-ignore
  assert.equal((await execSync(daemon, goesOn, ['true'])).exitCode, 0);
  const again = await runContainer(daemon, pod, ['true'], { name: 'exits', attempt: 1 });
  assert.equal((await waitForExit(daemon, again)).exitCode, 0);
  await daemon.runtime.stopContainer({ containerId: goesOn, timeout: 0n });
  assert.equal((await containerStatus(daemon, goesOn)).exitCode, 137);
});

e2eTest('killed when an ended container was released, and its end not on record: it has its code and no OOM kill', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const pid = await pidOf(daemon, id);
  const before = await containerStatus(daemon, id);
  await whileDown(daemon, async () => {
    process.kill(pid, 'SIGKILL');
    await until('the monitor has told the end', async () => (await readdir(`${daemon.runDir}/exits`)).includes(id));
    // All that the release does, of which the runtime's part is the first.
    const [handler = ''] = await readdir(`${daemon.runDir}/runtime`);
    await execa(RUNTIME, ['--root', `${daemon.runDir}/runtime/${handler}`, 'delete', id]);
    await execa('umount', ['--lazy', `${daemon.runDir}/bundles/${id}/rootfs`]);
  });

  const after = await containerStatus(daemon, id);
  assert.deepEqual([after.state, after.exitCode, after.reason], [ContainerState.CONTAINER_EXITED, 137, 'Error']);
  assert.deepEqual(identityOf(after), identityOf(before));
  await daemon.runtime.removeContainer({ containerId: id });
});

e2eTest('SIGTERM and a new start: the same', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['httpd', '-f', '-p', '80', '-h', '/www']);
  const created = await createContainer(daemon, pod, SLEEP, { name: 'created' });
  const before = await containerStatus(daemon, id);
  await daemon.restart();

  assert.deepEqual(identityOf(await containerStatus(daemon, id)), identityOf(before));
  assert.match(await untilPage(`http://${await podAddress(daemon, pod.id)}/`), /It works/);
  assert.equal((await containerStatus(daemon, created)).state, ContainerState.CONTAINER_CREATED);
  await daemon.runtime.startContainer({ containerId: created });
  assert.equal((await containerStatus(daemon, created)).state, ContainerState.CONTAINER_RUNNING);
});

e2eTest('an exit after the restart is seen, and the log can be rotated', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('echo ready; while [ ! -e /dev/shm/go ]; do sleep 0.05; done; echo bye; exit 9'));
  await waitForOutput(daemon, id, 'ready');
  await whileDown(daemon, async () => undefined);
  const { logPath } = await containerStatus(daemon, id);
  await rename(logPath, `${logPath}.1`);
  await daemon.runtime.reopenContainerLog({ containerId: id });
  await execOutput(daemon, id, ['touch', '/dev/shm/go']);

  const { exitCode } = await waitForExit(daemon, id, 5000);
  assert.equal(exitCode, 9);
  assert.deepEqual(linesOf(await readLog(logPath)), ['bye']); // prettier-ignore
});

e2eTest('a stop under way when the daemon is killed is done when it is asked for again', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('trap "" TERM; echo ready; while :; do sleep 0.1; done'));
  await waitForOutput(daemon, id, 'ready');
  const stop = daemon.runtime.stopContainer({ containerId: id, timeout: 60n }).catch(() => undefined);
  await sleep(500);
  await whileDown(daemon, async () => {
    await stop;
  });

  await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
  assert.equal((await containerStatus(daemon, id)).exitCode, 137);
});

for (const order of ['monitor first', 'container first'] as const) {
  e2eTest(`conmon killed while the daemon is down (${order}): never RUNNING for ever`, async (daemon) => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    const pid = await pidOf(daemon, id);
    const monitor = await monitorOf(id, pid);
    await whileDown(daemon, async () => {
      process.kill(monitor, 'SIGKILL');
      if (order === 'container first') process.kill(pid, 'SIGKILL');
      await sleep(300);
    });

    if (order === 'container first') {
      const { exitCode, reason } = await waitForExit(daemon, id, 20_000);
      assert.deepEqual({ exitCode, reason }, { exitCode: 255, reason: 'Unknown' });
    } else {
      await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
      const { state, exitCode } = await containerStatus(daemon, id);
      assert.deepEqual({ state, exitCode }, { state: ContainerState.CONTAINER_EXITED, exitCode: 255 });
    }
  });
}

e2eTest('conmon killed under a running daemon: how the container ends is seen all the same', async (daemon) => {
  const pod = await runPod(daemon);
  const script = shell('trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done');
  const ids = await Promise.all(['exits', 'killed', 'stopped', 'with-it'].map(async (name) => runContainer(daemon, pod, script, { name })));
  const [exits = '', killed = '', stopped = '', together = ''] = ids;
  const pids = new Map<string, number>();
  for (const id of ids) {
    await waitForOutput(daemon, id, 'ready');
    const pid = await pidOf(daemon, id);
    pids.set(id, pid);
    const monitor = await monitorOf(id, pid);
    // Stopped, it cannot see the end of the container that dies with it.
    if (id === together) process.kill(monitor, 'SIGSTOP');
    if (id === together) process.kill(pid, 'SIGKILL');
    process.kill(monitor, 'SIGKILL');
  }
  await sleep(200);
  process.kill(pids.get(exits) ?? 0, 'SIGTERM');
  process.kill(pids.get(killed) ?? 0, 'SIGKILL');
  await daemon.runtime.stopContainer({ containerId: stopped, timeout: 10n });

  for (const [id, code] of [
    [exits, 7],
    [killed, 137],
    [stopped, 7],
    [together, 137],
  ] as const) {
    const { exitCode, reason } = await waitForExit(daemon, id, 20_000);
    assert.deepEqual({ exitCode, reason }, { exitCode: code, reason: 'Error' });
  }
});

e2eTest('the infra process of a shared PID namespace survives a restart; when it dies the sandbox is NOTREADY', async (daemon) => {
  const pod = await runPod(daemon, { namespaces: { pid: NamespaceMode.POD } });
  const id = await runContainer(daemon, pod, SLEEP);
  await whileDown(daemon, async () => undefined);
  assert.equal((await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_READY);

  // Process 1 of the shared namespace: the one whose parent there is 0.
  const own = await pidOf(daemon, id);
  const namespace = await readlink(`/proc/${own}/ns/pid`);
  const infra = await initOf(namespace);
  process.kill(infra, 'SIGKILL');
  await until('the sandbox is NOTREADY', async () => {
    const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
    return status?.state === PodSandboxState.SANDBOX_NOTREADY;
  });
  assert.equal((await waitForExit(daemon, id)).exitCode, 137);
});

async function initOf(namespace: string): Promise<number> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    if ((await readlink(`/proc/${name}/ns/pid`).catch(() => '')) !== namespace) continue;
    const inner = /^NSpid:.*\t(\d+)$/m.exec(await readFile(`/proc/${name}/status`, 'utf8').catch(() => ''))?.[1];
    if (inner === '1') return Number(name);
  }
  return assert.fail(`no process 1 in ${namespace}`);
}

e2eTest('the namespaces of a sandbox are lost (a reboot of the run directory): it is NOTREADY, and can be removed', async (daemon) => {
  const pod = await runPod(daemon);

  await whileDown(daemon, async () => {
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
    for (const target of mounts.filter((path) => path.startsWith(`${daemon.runDir}/`))) await execa('umount', ['-l', target]);
  });

  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY);
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  // The bridge plugin before 1.6 looks for its rules' addresses in the namespace, and leaves the rules where that is gone.
  await removeFirewallRules(daemon.network);
  const again = await runPod(daemon, { name: 'again' });
  assert.equal((await daemon.runtime.podSandboxStatus({ podSandboxId: again.id })).status?.state, PodSandboxState.SANDBOX_READY);
});
