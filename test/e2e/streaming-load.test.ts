// long: 60 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { ContainerState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, execOutput, runContainer, runPod, shell, until, type Pod } from '../support/pods.ts';
import { mostGrowth, openSpdy } from '../support/streaming/harness.ts';
import { dice, PROPER_END, spdySession, webSocketSession } from '../support/streaming/sessions.ts';
import { SpdyClient, upgradeToSpdy } from '../support/streaming/spdy-client.ts';
import { openTunnel } from '../support/streaming/tunnel-client.ts';
import { connectWebSocket } from '../support/streaming/websocket-client.ts';

/** How many sessions; half of them are broken off. `STREAMING_SESSIONS=10000` for the long run. */
const SESSIONS = Number(process.env['STREAMING_SESSIONS'] ?? 300);
const PARALLEL = 8;
const STOP_MS = 10_000;
const MOST_GROWTH_KIB = 20 * 1024;
const OUTPUT_BYTES = 100_000_000;
const FORWARDED_BYTES = 30 * 1024 * 1024;
const PORT = 82;

const e2e = sharedDaemon({ timeoutMs: 180_000 + SESSIONS * 200 });

interface Use {
  readonly descriptors: number;
  readonly residentKib: number;
  readonly children: number;
}

/** What the daemon's process holds now, as the kernel says. */
async function useOf(daemon: TestDaemon): Promise<Use> {
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  const children = await readFile(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8');
  return {
    descriptors: (await readdir(`/proc/${daemon.pid}/fd`)).length,
    residentKib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
    children: children.split(' ').filter((pid) => pid !== '').length,
  };
}

/** Makes the daemon collect its garbage, over Node's inspector, which SIGUSR1 opens; its address is on the daemon's log. */
async function collectGarbage(daemon: TestDaemon): Promise<void> {
  process.kill(daemon.pid, 'SIGUSR1');
  const url = await until(
    'the inspector listens',
    async () => /Debugger listening on (ws:\S+)/.exec(await readFile(daemon.logFile, 'utf8'))?.[1],
  );
  const inspector = new WebSocket(url);
  await once(inspector, 'open');
  inspector.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
  await once(inspector, 'message');
  inspector.close();
  await once(inspector, 'close');
}

/** What the daemon holds when its garbage is collected, and given back to the system after one session more. */
async function settledUse(daemon: TestDaemon, containerId: string): Promise<Use> {
  await collectGarbage(daemon);
  const { url } = await daemon.runtime.exec({ containerId, cmd: ['true'], tty: false, stdin: false, stdout: true, stderr: false });
  const { error } = await openSpdy(url, ['stdout']);
  await error.over();
  await sleep(2_000);
  return useOf(daemon);
}

/** By how much the daemon's memory grew at most in ten seconds, KiB. */
async function growthWhileStopped(daemon: TestDaemon): Promise<number> {
  const resident = async (): Promise<number> => (await useOf(daemon)).residentKib;
  return mostGrowth(await resident(), STOP_MS, resident);
}

async function runSessions(daemon: TestDaemon, containerId: string, count: number, seed: number): Promise<void> {
  const roll = dice(seed);
  const request = { containerId, tty: false, stdin: true, stdout: true, stderr: false };
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      // An attach session ends with its container only, so it is always broken off; of exec's, a quarter are.
      const attach = roll(3) === 0;
      const leaveAt = !attach && roll(4) > 0 ? PROPER_END : roll(PROPER_END);
      // A terminal has no end of input, so a session on one is broken off too.
      const tty = !attach && leaveAt !== PROPER_END && roll(2) === 0;
      const { url } = attach ? await daemon.runtime.attach(request) : await daemon.runtime.exec({ ...request, tty, cmd: ['cat'] });
      if (roll(2) === 0) await spdySession(url, attach, leaveAt, tty);
      else await webSocketSession(url, attach, leaveAt);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

e2e(`${SESSIONS} exec and attach sessions, half of them broken off in any phase, leave nothing behind`, async (daemon, context) => {
  const id = await runContainer(daemon, await runPod(daemon), ['cat'], { change: { stdin: true } });
  const onlyCat = async (): Promise<boolean> =>
    (await execOutput(daemon, id, ['ps', '-o', 'comm'])).split('\n').filter((name) => name === 'cat').length === 1;
  // The heap reaches its size within the first thousands.
  await runSessions(daemon, id, Math.min(3_000, SESSIONS), 1);
  await until('the first are over', onlyCat);
  const before = await settledUse(daemon, id);
  await runSessions(daemon, id, SESSIONS, 2);
  await until('only the container itself runs in it', onlyCat);
  await until(`descriptors are back at ${before.descriptors}`, async () => (await useOf(daemon)).descriptors <= before.descriptors);
  await until(`children are back at ${before.children}`, async () => (await useOf(daemon)).children <= before.children);
  const after = await settledUse(daemon, id);
  context.diagnostic(`before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  assert.ok(after.residentKib - before.residentKib < MOST_GROWTH_KIB, `grew by ${after.residentKib - before.residentKib} KiB`);
});

e2e('1000 attach clients that come and go leave the monitor alive, and the exit code is its own', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), shell('trap "exit 7" TERM; while :; do echo line; sleep 0.01; done'), {
    change: { stdin: true },
  });
  let left = 1_000;
  const worker = async (): Promise<void> => {
    while ((left -= 1) >= 0) {
      const { url } = await daemon.runtime.attach({ containerId: id, tty: false, stdin: true, stdout: true, stderr: false });
      const { client } = await openSpdy(url, ['stdin', 'stdout']);
      client.socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: 2 * PARALLEL }, worker));
  assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 10n });
  assert.equal((await containerStatus(daemon, id)).exitCode, 7);
});

e2e('a reader that stops for 10 s slows its command and costs the daemon no memory, over both transports', async (daemon, context) => {
  const id = await runContainer(daemon, await runPod(daemon), shell('sleep 1000'));
  const request = {
    containerId: id,
    cmd: ['head', '-c', String(OUTPUT_BYTES), '/dev/zero'],
    tty: false,
    stdin: false,
    stdout: true,
    stderr: false,
  };
  const viaSpdy = async (pause: boolean): Promise<number> => {
    const { client, stdout, error } = await openSpdy((await daemon.runtime.exec(request)).url, ['stdout']);
    assert.ok(stdout);
    stdout.keep = false;
    const growth = pause ? await whilePaused(client.socket) : 0;
    await error.over();
    await stdout.over();
    assert.equal(stdout.sizeBytes, OUTPUT_BYTES);
    return growth;
  };
  const viaWebSocket = async (pause: boolean): Promise<number> => {
    const client = await connectWebSocket((await daemon.runtime.exec(request)).url, ['v5.channel.k8s.io']);
    client.keep = false;
    const growth = pause ? await whilePaused(client.socket) : 0;
    await client.over();
    assert.equal(client.sizes.get(1), OUTPUT_BYTES);
    return growth;
  };
  const whilePaused = async (socket: { pause: () => unknown; resume: () => unknown }): Promise<number> => {
    socket.pause();
    const growth = await growthWhileStopped(daemon);
    socket.resume();
    return growth;
  };
  for (const [transport, take] of Object.entries({ spdy: viaSpdy, websocket: viaWebSocket })) {
    await take(false); // what a first session takes is no growth
    const growth = await take(true);
    context.diagnostic(`${transport}: memory +${growth} KiB`);
    assert.ok(growth < MOST_GROWTH_KIB, `${transport}: ${growth} KiB`);
  }
});

/** An echo server on the pod's ::1 alone. The images here have no program that listens on IPv6. */
async function listenInside(daemon: TestDaemon, pod: Pod): Promise<ChildProcess> {
  const program = `require('node:net').createServer({ allowHalfOpen: true }, (s) => s.on('error', () => {}).pipe(s)).listen(${PORT}, '::1', () => console.log('listens'))`;
  const child = spawn('nsenter', [`--net=${join(daemon.runDir, 'ns', pod.id, 'net')}`, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

e2e("port-forward carries 30 MB to the pod's ::1 and back byte for byte, over both transports", async (daemon) => {
  const pod = await runPod(daemon);
  const server = await listenInside(daemon, pod);
  try {
    const data = Buffer.alloc(FORWARDED_BYTES);
    for (let index = 0; index < data.length; index += 1) data[index] = (index * 13 + (index >> 9)) & 0xff;
    const wanted = createHash('sha256').update(data).digest('hex');
    for (const transport of ['spdy', 'websocket']) {
      const { url } = await daemon.runtime.portForward({ podSandboxId: pod.id, port: [PORT] });
      const client =
        transport === 'spdy' ? await upgradeToSpdy(url, ['portforward.k8s.io']) : new SpdyClient(await openTunnel(url), undefined);
      assert.ok(client instanceof SpdyClient);
      const headers = { port: String(PORT), requestid: '1' };
      const error = await client.open({ ...headers, streamtype: 'error' });
      const stream = await client.open({ ...headers, streamtype: 'data' });
      for (let at = 0; at < data.length; at += 65_536) await stream.write(data.subarray(at, at + 65_536));
      await stream.end();
      await Promise.all([stream.over(), error.over()]);
      assert.equal(error.text, '', transport);
      assert.equal(createHash('sha256').update(Buffer.concat(stream.chunks)).digest('hex'), wanted, transport);
      client.socket.destroy();
    }
  } finally {
    server.kill();
    await once(server, 'close');
  }
});
