// long: 20 s
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { execa } from 'execa';
import { ContainerState } from '../../api/cri/enums.ts';
import { crictlCommand, noCrictl } from '../support/crictl.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import {
  containerStatus,
  execSync,
  failureOf,
  outputOf,
  runContainer,
  runPod,
  shell,
  until,
  waitForExit,
  waitForOutput,
} from '../support/pods.ts';
import { openSpdy } from '../support/streaming/harness.ts';
import { attachByUrl, execByUrl, forwardByUrl, Output, Terminal } from '../support/streaming/kubernetes-client.ts';
import { SpdyClient, upgradeToSpdy } from '../support/streaming/spdy-client.ts';

const TRANSPORTS = ['spdy', 'websocket'] as const;

interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs crictl, or with `terminal` crictl on a terminal of its own, and hands it the input. */
async function runCrictl(daemon: TestDaemon, args: readonly string[], input: string | Buffer = '', terminal = false): Promise<Ran> {
  const [program, all] = await crictlCommand(daemon, args);
  const quoted = [program, ...all].map((part) => `'${part}'`).join(' ');
  const options = { input, encoding: 'latin1', reject: false, stripFinalNewline: false } as const;
  const { exitCode, stdout, stderr } = await (terminal
    ? execa('script', ['-qec', quoted, '/dev/null'], options)
    : execa(program, all, options));
  return { code: exitCode, stdout, stderr };
}

const e2e = sharedDaemon({ skip: false });
const idle = shell('trap "exit 0" TERM; while :; do sleep 0.1; done');

e2e('crictl exec runs commands over both transports, with exit codes, input and a terminal', async (daemon, context) => {
  if (noCrictl !== false) {
    context.skip(noCrictl);
    return;
  }
  const id = await runContainer(daemon, await runPod(daemon), idle);
  const data = Buffer.alloc(30 * 1024 * 1024);
  for (let index = 0; index < data.length; index += 1) data[index] = (index * 7 + (index >> 11)) & 0xff;
  for (const transport of TRANSPORTS) {
    const exec = async (args: readonly string[], input?: string | Buffer, terminal?: boolean): Promise<Ran> =>
      await runCrictl(daemon, ['exec', '--transport', transport, ...args], input, terminal);
    const both = await exec([id, 'sh', '-c', 'echo out; echo err >&2']);
    assert.deepEqual([both.code, both.stdout, both.stderr], [0, 'out\n', 'err\n'], transport);
    const seven = await exec([id, 'sh', '-c', 'exit 7']);
    assert.match(seven.stderr, /exit code 7/, transport);
    assert.notEqual(seven.code, 0);
    const missing = await exec([id, '/no/such/program']);
    assert.match(missing.stderr, /no\/such\/program/, transport);
    const counted = await exec(['-i', id, 'cat'], data);
    assert.equal(
      createHash('sha256').update(counted.stdout, 'latin1').digest('hex'),
      createHash('sha256').update(data).digest('hex'),
      transport,
    );
    const early = await exec(['-i', id, 'sh', '-c', 'head -c 5; exec 0<&-; sleep 0.3'], Buffer.alloc(data.length, 'x'));
    assert.deepEqual([early.code, early.stdout], [0, 'xxxxx'], transport);
    const terminal = await exec(['-i', '-t', id, 'sh', '-c', 'tty; stty size; exit 3'], '', true);
    assert.match(terminal.stdout, /\/dev\/pts\/\d+/, transport);
    assert.match(terminal.stdout, /exit code 3/, transport);
  }
});

e2e('crictl attach carries input to the container over both transports', async (daemon, context) => {
  if (noCrictl !== false) {
    context.skip(noCrictl);
    return;
  }
  const pod = await runPod(daemon);
  for (const [index, transport] of TRANSPORTS.entries()) {
    const id = await runContainer(daemon, pod, shell('while read line; do echo "got $line"; [ "$line" = end ] && exit 0; done'), {
      name: `attached-${index}`,
      change: { stdin: true, stdinOnce: true },
    });
    const { stdout } = await runCrictl(daemon, ['attach', '--transport', transport, '-i', id], 'one\nend\n');
    assert.equal(stdout, 'got one\ngot end\n', transport);
    await waitForExit(daemon, id);
  }
});

e2e('crictl port-forward serves 20 parallel HTTP requests over both transports', async (daemon, context) => {
  if (noCrictl !== false) {
    context.skip(noCrictl);
    return;
  }
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['httpd', '-f', '-p', '127.0.0.1:80', '-h', '/www']);
  const fetched = ['wget', '-q', '-O', '-', 'http://127.0.0.1/'];
  await until('the server listens', async () => (await execSync(daemon, id, fetched)).exitCode === 0); // crictl ends at the first refusal
  for (const transport of TRANSPORTS) {
    const command = await crictlCommand(daemon, ['port-forward', '--transport', transport, pod.id, ':80']);
    const child = execa(...command, { all: true, reject: false });
    let said = '';
    child.all.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      const port = await until('crictl forwards', () => Promise.resolve(/127\.0\.0\.1:(\d+)/.exec(said)?.[1]));
      const pages = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(20_000) });
          return (await answer.text()).includes('It works');
        }),
      );
      assert.deepEqual(
        pages,
        pages.map(() => true),
        `${transport}: ${said}`,
      );
    } finally {
      child.kill();
      await child;
    }
  }
});

e2e("Kubernetes' client runs commands, attaches and forwards a port", async (daemon) => {
  const pod = await runPod(daemon);
  const script = 'httpd -p 127.0.0.1:81 -h /www; while read line; do echo "got $line"; done; echo over';
  const id = await runContainer(daemon, pod, shell(script), { change: { stdin: true, stdinOnce: true } });
  const request = { containerId: id, tty: false, stdin: true, stdout: true, stderr: true };
  const cmd = ['sh', '-c', 'cat; echo failed >&2; exit 7'];
  const streams = (): { stdin: PassThrough; stdout: Output; stderr: Output } => ({
    stdin: new PassThrough(),
    stdout: new Output(),
    stderr: new Output(),
  });

  const run = streams();
  run.stdin.end('input'); // `cat` ends with it
  const ran = await (await execByUrl((await daemon.runtime.exec({ ...request, cmd })).url, run)).over();
  assert.deepEqual([run.stdout.text, run.stderr.text], ['input', 'failed\n']);
  assert.deepEqual([ran.status?.reason, ran.status?.details?.causes?.[0]?.message], ['NonZeroExitCode', '7']);

  const [input, output, error] = [new PassThrough(), new Output(), new Output()];
  const { url } = await daemon.runtime.portForward({ podSandboxId: pod.id, port: [81] });
  const forwarded = await forwardByUrl(url, 81, input, output, error);
  input.write('GET / HTTP/1.0\r\n\r\n');
  await forwarded.over();
  assert.match(output.text, /It works/, error.text);

  const attached = streams();
  const attachment = await attachByUrl((await daemon.runtime.attach(request)).url, attached);
  attached.stdin.write('one\n');
  await until('the answer', () => Promise.resolve(attached.stdout.text === 'got one\n'));
  attached.stdin.end(); // stdin_once: the container's input ends with it
  assert.equal((await attachment.over()).status?.status, 'Success');
  assert.equal(attached.stdout.text, 'got one\nover\n');
  await waitForExit(daemon, id);
});

e2e('Exec, Attach and PortForward refuse what the CRI forbids', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('exit 0'));
  await waitForExit(daemon, id);
  const choice = { tty: false, stdin: false, stdout: true, stderr: true };
  const codes = async (calls: readonly Promise<unknown>[]): Promise<unknown[]> =>
    (await Promise.all(calls.map(failureOf))).map(({ code }) => code);
  assert.deepEqual(
    await codes([
      daemon.runtime.exec({ containerId: id, cmd: ['true'], ...choice, tty: true }),
      daemon.runtime.exec({ containerId: id, cmd: ['true'], ...choice, stdout: false, stderr: false }),
      daemon.runtime.attach({ containerId: id, ...choice, tty: true }),
      daemon.runtime.attach({ containerId: id, ...choice, stdout: false, stderr: false }),
    ]),
    Array.from({ length: 4 }, () => 'INVALID_ARGUMENT'),
  );
  assert.deepEqual(
    await codes([
      daemon.runtime.exec({ containerId: id, cmd: ['true'], ...choice }),
      daemon.runtime.attach({ containerId: id, ...choice }),
      daemon.runtime.exec({ containerId: 'f'.repeat(64), cmd: ['true'], ...choice }),
      daemon.runtime.portForward({ podSandboxId: 'f'.repeat(64), port: [80] }),
    ]),
    ['FAILED_PRECONDITION', 'FAILED_PRECONDITION', 'NOT_FOUND', 'NOT_FOUND'],
  );
});

e2e('a terminal session is hung up when its client vanishes or the container stops', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, idle);
  const request = {
    containerId: id,
    cmd: ['sh', '-c', 'echo ready; exec sleep 1000'],
    tty: true,
    stdin: true,
    stdout: true,
    stderr: false,
  };
  const sleepers = async (): Promise<number> => {
    const { stdout } = await daemon.runtime.execSync({ containerId: id, cmd: ['sh', '-c', 'ps | grep -c "[s]leep 1000"'], timeout: 10n });
    return Number(Buffer.from(stdout).toString());
  };
  const first = await openSpdy((await daemon.runtime.exec(request)).url, ['stdin', 'stdout', 'resize']);
  await until('it runs', () => Promise.resolve(first.stdout?.text === 'ready\r\n'));
  assert.equal(await sleepers(), 1);
  first.client.socket.destroy();
  await until('it is hung up', async () => (await sleepers()) === 0);

  const terminal = new Terminal(80, 24);
  const second = await execByUrl((await daemon.runtime.exec(request)).url, { stdin: new PassThrough(), stdout: terminal, tty: true });
  await until('it runs', () => Promise.resolve(terminal.text === 'ready\r\n'));
  await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
  assert.equal((await second.over()).status?.status, 'Failure');
});

e2e('port-forward reaches 127.0.0.1 of the pod, and tells of a refused port', async (daemon) => {
  const pod = await runPod(daemon);
  await runContainer(daemon, pod, shell('httpd -p 127.0.0.1:81 -h /www; while :; do sleep 0.1; done'));
  const { url } = await daemon.runtime.portForward({ podSandboxId: pod.id, port: [] });
  const client = await upgradeToSpdy(url, ['portforward.k8s.io']);
  assert.ok(client instanceof SpdyClient);
  let request = 0;
  const ask = async (port: number, text: string): Promise<{ data: string; error: string }> => {
    const headers = { port: String(port), requestid: String((request += 1)) };
    const error = await client.open({ ...headers, streamtype: 'error' });
    const data = await client.open({ ...headers, streamtype: 'data' });
    await data.write(text);
    await data.end();
    await Promise.all([data.over(), error.over()]);
    return { data: data.text, error: error.text };
  };
  const served = await until('the server listens', async () => {
    const answer = await ask(81, 'GET / HTTP/1.0\r\n\r\n');
    return answer.error === '' && answer;
  });
  assert.match(served.data, /It works/);
  assert.match((await ask(9, '')).error, /port 9 .*refused/i);
  client.socket.destroy();
});

e2e('an attach client that does not read delays neither the log, nor its reopening, nor the exit', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(
    daemon,
    pod,
    shell(
      'while ! [ -e /go ]; do sleep 0.05; done; head -c 20000000 /dev/zero | tr "\\0" "x" | fold -w 1000; echo last; while ! [ -e /end ]; do sleep 0.05; done; exit 6',
    ),
  );
  const { url } = await daemon.runtime.attach({ containerId: id, tty: false, stdin: false, stdout: true, stderr: true });
  const { client } = await openSpdy(url, ['stdout', 'stderr']);
  client.socket.pause();
  await daemon.runtime.execSync({ containerId: id, cmd: ['touch', '/go'], timeout: 10n });
  await waitForOutput(daemon, id, 'last', 60_000);
  const { logPath } = await containerStatus(daemon, id);
  await rename(logPath, `${logPath}.1`);
  await daemon.runtime.reopenContainerLog({ containerId: id });
  await execSync(daemon, id, ['touch', '/end']);
  const { exitCode, state } = await waitForExit(daemon, id, 10_000);
  assert.deepEqual([exitCode, state], [6, ContainerState.CONTAINER_EXITED]);
  assert.ok((await outputOf(daemon, id)).length < 10);
  client.socket.destroy();
});
