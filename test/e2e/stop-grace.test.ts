import assert from 'node:assert/strict';
import { access, rename } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, execOutput, failureOf, runContainer, runPod, shell, until, waitForOutput, type Pod } from '../support/pods.ts';
import { openSpdy } from '../support/streaming/harness.ts';
import { SpdyClient, upgradeToSpdy } from '../support/streaming/spdy-client.ts';
import { execByUrl, Terminal } from '../support/streaming/kubernetes-client.ts';

const GRACE_S = 12n;
const test = sharedDaemon();

/** A container that says when its stop signal has come, and goes on. */
const DEAF = shell('trap "echo asked to end" TERM; httpd -p 127.0.0.1:80 -h /www; echo ready; while :; do sleep 0.1; echo tick; done');

interface Draining {
  readonly pod: Pod;
  readonly id: string;
  /** Ends the grace at once, as a StopContainer without one does. */
  readonly end: () => Promise<void>;
}

/** A container in the grace period of its stop: it has had its signal, and drains. */
async function draining(daemon: TestDaemon): Promise<Draining> {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, DEAF);
  await waitForOutput(daemon, id, 'ready');
  const begun = Date.now();
  const stop = daemon.runtime.stopContainer({ containerId: id, timeout: GRACE_S });
  stop.catch(() => undefined);
  await waitForOutput(daemon, id, 'asked to end');
  return {
    pod,
    id,
    end: async () => {
      // All of a test's calls were made in the grace period.
      assert.ok(Date.now() - begun < Number(GRACE_S) * 1000, `the grace period was over after ${Date.now() - begun} ms`);
      await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
      await stop;
      assert.equal((await containerStatus(daemon, id)).exitCode, 137);
    },
  };
}

test('in the grace period of its stop a container can be looked into: ExecSync, and Exec over both transports', async (daemon) => {
  const { id, end } = await draining(daemon);
  assert.equal(await execOutput(daemon, id, ['echo', 'alive']), 'alive');

  const request = { containerId: id, cmd: ['sh', '-c', 'echo alive; exit 3'], tty: false, stdin: false, stdout: true, stderr: true };
  const spdy = await openSpdy((await daemon.runtime.exec(request)).url, ['stdout', 'stderr']);
  await spdy.error.over();
  assert.deepEqual([spdy.stdout?.text, /"message":"(\d+)"/.exec(spdy.error.text)?.[1]], ['alive\n', '3'], spdy.error.text);
  spdy.client.socket.destroy();

  const { url } = await daemon.runtime.exec({ ...request, tty: true, stdin: true, stderr: false });
  const [stdin, stdout] = [new PassThrough(), new Terminal(80, 24)];
  const { status } = await (await execByUrl(url, { stdin, stdout, tty: true })).over();
  assert.deepEqual([stdout.text, status?.details?.causes?.[0]?.message], ['alive\r\n', '3'], JSON.stringify(status));
  await end();
});

test('in the grace period of its stop a container runs for every other call too', async (daemon) => {
  const { pod, id, end } = await draining(daemon);
  assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
  assert.equal(
    (await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: false })).status?.state,
    PodSandboxState.SANDBOX_READY,
  );

  const attached = await openSpdy(
    (await daemon.runtime.attach({ containerId: id, tty: false, stdin: false, stdout: true, stderr: true })).url,
    ['stdout', 'stderr'],
  );
  await until('the attached client gets output', () => Promise.resolve(attached.stdout?.text.includes('tick')));
  attached.client.socket.destroy();

  const forwarded = await upgradeToSpdy((await daemon.runtime.portForward({ podSandboxId: pod.id, port: [] })).url, ['portforward.k8s.io']);
  assert.ok(forwarded instanceof SpdyClient);
  const error = await forwarded.open({ port: '80', requestid: '1', streamtype: 'error' });
  const data = await forwarded.open({ port: '80', requestid: '1', streamtype: 'data' });
  await data.write('GET / HTTP/1.0\r\n\r\n');
  await data.over();
  assert.match(data.text, /It works/, error.text);
  forwarded.socket.destroy();

  await daemon.runtime.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: 64n * 1024n * 1024n } });
  assert.equal(await cgroupFile(await pidOf(daemon, id), ['memory.limit_in_bytes', 'memory.max']), String(64 * 1024 * 1024));
  const { stats } = await daemon.runtime.containerStats({ containerId: id });
  assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n);

  const { logPath } = await containerStatus(daemon, id);
  await rename(logPath, `${logPath}.1`);
  await daemon.runtime.reopenContainerLog({ containerId: id });
  await access(logPath);

  // A sidecar may come up again in a pod whose containers end one after another.
  const other = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'other' });
  assert.equal(await execOutput(daemon, other, ['echo', 'alive']), 'alive');
  await end();
});

test('a container whose stop has killed it starts no new process', async (daemon) => {
  const { id, end } = await draining(daemon);
  await end();

  assert.equal((await failureOf(daemon.runtime.execSync({ containerId: id, cmd: ['true'], timeout: 5n }))).code, 'FAILED_PRECONDITION');
});
