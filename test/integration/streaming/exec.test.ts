import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import type { ExecRequest } from '../../../src/streaming/backend.ts';
import { eventually, openSpdy, quiet, sleep, startServer } from '../../support/streaming/harness.ts';
import { execByUrl, Output, Terminal } from '../../support/streaming/kubernetes-client.ts';
import { connectWebSocket } from '../../support/streaming/websocket-client.ts';

const containerId = 'local';
const all = { tty: false, stdin: true, stdout: true, stderr: true };

function shell(script: string, choice: Partial<ExecRequest> = {}): ExecRequest {
  return { containerId, command: ['sh', '-c', script], ...quiet, ...choice };
}

function pattern(sizeBytes: number): Buffer {
  const data = Buffer.alloc(sizeBytes);
  for (let index = 0; index < sizeBytes; index += 1) data[index] = (index * 7 + (index >> 11)) & 0xff;
  return data;
}

const exit7 = {
  metadata: {},
  status: 'Failure',
  message: 'command terminated with exit code 7',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: '7' }] },
};

for (const [protocol, status] of [
  ['v4.channel.k8s.io', exit7],
  ['v3.channel.k8s.io', 'command terminated with exit code 7'],
  ['v2.channel.k8s.io', 'command terminated with exit code 7'],
  ['channel.k8s.io', 'command terminated with exit code 7'],
] as const) {
  test(`exec over SPDY ${protocol} hands out both outputs and the exit code`, { timeout: 10_000 }, async (t) => {
    const { server } = await startServer(t);
    const request = shell('cat; echo done; echo failed >&2; exit 7', all);
    const { client, error, stdin, stdout, stderr } = await openSpdy(server.execUrl(request), ['stdin', 'stdout', 'stderr'], [protocol]);
    assert.equal(client.protocol, protocol);
    await stdin?.write('input ');
    await stdin?.end();
    await Promise.all([error.over(), stdout?.over(), stderr?.over()]);

    assert.deepEqual([stdout?.text, stderr?.text], ['input done\n', 'failed\n']);
    assert.deepEqual(typeof status === 'string' ? error.text : JSON.parse(error.text), status);
    await client.until(() => false);
  });
}

for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
  test(`exec by Kubernetes' client over WebSocket ${protocol} hands out both outputs and the exit code`, { timeout: 10_000 }, async (t) => {
    const { server } = await startServer(t);
    const streams = { stdin: new PassThrough(), stdout: new Output(), stderr: new Output() };
    const offered = protocol.startsWith('v5') ? {} : { protocols: [protocol] }; // v5 is chosen from all that it knows
    const url = server.execUrl(shell('head -c 6; echo done; echo failed >&2; exit 7', all));
    const session = await execByUrl(url, { ...streams, ...offered });
    assert.equal(session.socket.protocol, protocol);
    streams.stdin.write('input ');

    assert.deepEqual(await session.over(), { closeCode: 1000, status: exit7 });
    assert.deepEqual([streams.stdout.text, streams.stderr.text], ['input done\n', 'failed\n']);
  });
}

// What the client does not speak.
for (const [protocol, status] of [
  ['v4.base64.channel.k8s.io', exit7],
  ['channel.k8s.io', 'command terminated with exit code 7'],
  ['base64.channel.k8s.io', 'command terminated with exit code 7'],
  [undefined, 'command terminated with exit code 7'],
] as const) {
  test(
    `exec over WebSocket ${protocol ?? 'without a protocol'} hands out both outputs and the exit code`,
    { timeout: 10_000 },
    async (t) => {
      const { server } = await startServer(t);
      const client = await connectWebSocket(
        server.execUrl(shell('head -c 6; echo done; echo failed >&2; exit 7', all)),
        protocol === undefined ? [] : [protocol],
      );
      assert.equal(client.socket.protocol, protocol ?? '');
      await client.send(0, 'input ');
      await client.over();

      assert.deepEqual([client.text(1), client.text(2), client.closeCode], ['input done\n', 'failed\n', 1000]);
      assert.deepEqual(typeof status === 'string' ? client.text(3) : JSON.parse(client.text(3)), status);
    },
  );
}

test('exec tells success, and a failure to start', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const fine = await openSpdy(server.execUrl(shell('true')), ['stdout']);
  await fine.error.over();
  assert.deepEqual(JSON.parse(fine.error.text), { metadata: {}, status: 'Success' });

  const missing = await openSpdy(server.execUrl({ containerId, command: ['/no/such/program'], ...quiet }), ['stdout']);
  await missing.error.over();
  assert.match(missing.error.text, /InternalError.*\/no\/such\/program.*ENOENT/);

  const gone = await execByUrl(server.execUrl({ ...shell('true'), containerId: 'gone' }), { stdout: new Output() });
  const { status } = await gone.over();
  assert.match(String(status?.message), /there is no such container/);
});

test('exec reports the death by a signal as 128 and its number', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const { error } = await openSpdy(server.execUrl(shell('kill -TERM $$')), ['stdout']);
  await error.over();
  assert.match(error.text, /"message":"143"/);
});

test('exec carries 30 MB in and back byte for byte over SPDY', { timeout: 60_000 }, async (t) => {
  const { server } = await startServer(t);
  const data = pattern(30 * 1024 * 1024);
  const { stdin, stdout, error } = await openSpdy(server.execUrl({ containerId, command: ['cat'], ...quiet, stdin: true }), [
    'stdin',
    'stdout',
  ]);
  assert.ok(stdin && stdout);
  for (let offset = 0; offset < data.length; offset += 32 * 1024) await stdin.write(data.subarray(offset, offset + 32 * 1024));
  await stdin.end();
  await Promise.all([stdout.over(), error.over()]);
  assert.equal(createHash('sha256').update(Buffer.concat(stdout.chunks)).digest('hex'), createHash('sha256').update(data).digest('hex'));
  assert.match(error.text, /Success/);
});

/** The data in pieces as they come out of a pipe. */
function* pieces(data: Buffer): Generator<Buffer, void> {
  for (let offset = 0; offset < data.length; offset += 32 * 1024) yield data.subarray(offset, offset + 32 * 1024);
}

test("exec by Kubernetes' client carries 30 MB in and back byte for byte, and half-closes", { timeout: 60_000 }, async (t) => {
  const { server } = await startServer(t);
  const data = pattern(30 * 1024 * 1024);
  const stdout = new Output();
  const stdin = Readable.from(pieces(data)); // `cat` ends when the input has ended
  const session = await execByUrl(server.execUrl({ containerId, command: ['cat'], ...quiet, stdin: true }), { stdin, stdout });
  assert.deepEqual(await session.over(), { closeCode: 1000, status: { metadata: {}, status: 'Success' } });
  const back = Buffer.concat(stdout.chunks);
  assert.equal(back.length, data.length);
  assert.equal(createHash('sha256').update(back).digest('hex'), createHash('sha256').update(data).digest('hex'));
});

test('exec carries 30 MB in and back byte for byte over WebSocket v4.base64.channel.k8s.io', { timeout: 60_000 }, async (t) => {
  const { server } = await startServer(t);
  const data = pattern(30 * 1024 * 1024);
  const command = ['head', '-c', String(data.length)];
  const request = { containerId, command, ...quiet, stdin: true };
  const client = await connectWebSocket(server.execUrl(request), ['v4.base64.channel.k8s.io']);
  client.keep = false;
  const hash = createHash('sha256');
  client.socket.on('message', (message: Buffer) => {
    if (message[0] === '1'.charCodeAt(0)) hash.update(Buffer.from(message.subarray(1).toString(), 'base64'));
  });
  for (const piece of pieces(data)) await client.send(0, piece);
  await client.over();
  assert.equal(client.sizes.get(1), data.length);
  assert.equal(hash.digest('hex'), createHash('sha256').update(data).digest('hex'));
});

test('exec on a terminal starts with the size the client tells, follows it, and echoes', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const script = 'trap "stty size" WINCH; stty size; while :; do read line; echo "got $line"; [ "$line" = end ] && exit 5; done';
  const { stdin, stdout, resize, error } = await openSpdy(server.execUrl(shell(script, { tty: true, stdin: true })), [
    'stdin',
    'stdout',
    'resize',
  ]);
  assert.ok(stdin && stdout && resize);
  await resize.write('{"Width":99,"Height":33}\n');
  await eventually('the first size', () => stdout.text.includes('33 99'));
  await resize.write('{"Width":121,"Height":45}\n');
  await sleep(100);
  await stdin.write('end\n');
  await error.over();
  assert.match(stdout.text, /^33 99\r\n/);
  assert.match(stdout.text, /45 121\r\n/);
  assert.match(stdout.text, /got end\r\n/);
  assert.match(error.text, /"message":"5"/);
});

test("exec by Kubernetes' client on a terminal: its first size, a new one, Ctrl-C", { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const [stdin, stdout] = [new PassThrough(), new Terminal(80, 24)];
  const script = 'trap "stty size" WINCH; stty size; while :; do sleep 0.05; done';
  const session = await execByUrl(server.execUrl(shell(script, { tty: true, stdin: true })), { stdin, stdout, tty: true });
  await eventually('the first size', () => stdout.text.includes('24 80\r\n'));
  stdout.resize(121, 45);
  await eventually('the new size', () => stdout.text.includes('45 121\r\n'));
  stdin.write('\u0003');
  const { status } = await session.over();
  assert.equal(status?.details?.causes?.[0]?.message, '130');
});

test('a terminal whose client vanishes is hung up, over either transport', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const request = shell('echo ready; exec sleep 100', { tty: true, stdin: true });
  const spdy = await openSpdy(server.execUrl(request), ['stdin', 'stdout', 'resize']);
  const terminal = new Terminal(80, 24);
  const webSocket = await execByUrl(server.execUrl(request), { stdin: new PassThrough(), stdout: terminal, tty: true });
  await eventually('both run', () => spdy.stdout?.text === 'ready\r\n' && terminal.text === 'ready\r\n');
  assert.equal(backend.running, 2);
  spdy.client.socket.destroy();
  webSocket.socket.terminate();
  await eventually('both are gone', () => backend.running === 0 && server.sessionCount === 0);
});

test('a command that stops reading its input does not hold up its end', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const { client, stdin, stdout, error } = await openSpdy(
    server.execUrl(shell('head -c 3; exec 0<&-; sleep 0.2; exit 4', { stdin: true })),
    ['stdin', 'stdout'],
  );
  const flood = (async () => {
    while (!client.socket.destroyed && !error.ended) await stdin?.write(Buffer.alloc(32 * 1024, 'x'));
  })();
  await error.over();
  await flood;
  assert.equal(stdout?.text, 'xxx');
  assert.match(error.text, /"message":"4"/);
});

test('streams that a client does not open end the session with an error', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t, { creationTimeoutMs: 100 });
  const { client } = await openSpdy(server.execUrl(shell('true', { stdin: true })), ['stdout']);
  await client.until(() => false);
  await eventually('the session is over', () => server.sessionCount === 0);
  assert.equal(backend.running, 0);
});

test('a session on which nothing moves is ended and told why', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t, { idleTimeoutMs: 1500 });
  const busy = await openSpdy(server.execUrl(shell('for i in $(seq 20); do echo $i; sleep 0.1; done')), ['stdout']);
  const idle = await openSpdy(server.execUrl(shell('sleep 100')), ['stdout']);
  await Promise.all([busy.error.over(), idle.error.over()]);
  assert.match(busy.error.text, /Success/);
  assert.match(idle.error.text, /nothing came or went for 1.5 s/);
});

test('the server tells its sessions when it closes', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const session = await openSpdy(server.execUrl(shell('echo ready; sleep 100')), ['stdout']);
  await eventually('it runs', () => session.stdout?.text === 'ready\n');
  await server.close();
  await session.error.over();
  assert.match(session.error.text, /the runtime daemon stops/);
  assert.equal(backend.running, 0);
});
