import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { eventually, openSpdy, sleep, startServer } from '../../support/streaming/harness.ts';
import { attachByUrl, Output, Terminal } from '../../support/streaming/kubernetes-client.ts';
import { connectWebSocket } from '../../support/streaming/websocket-client.ts';

const request = { containerId: 'local', tty: false, stdin: true, stdout: true, stderr: false };

test('attach carries input and output, and ends with the container, over both transports', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const spdy = await openSpdy(server.attachUrl(request), ['stdin', 'stdout']);
  const [stdin, stdout] = [new PassThrough(), new Output()];
  const webSocket = await attachByUrl(server.attachUrl(request), { stdin, stdout });
  await spdy.stdin?.write('one');
  stdin.write('two');
  await eventually('the echo', () => spdy.stdout?.text === 'one' && stdout.text === 'two');
  await spdy.stdin?.write('exit');
  stdin.write('exit');
  const [end] = await Promise.all([webSocket.over(), spdy.error.over()]);
  assert.match(spdy.error.text, /Success/);
  assert.deepEqual(end, { closeCode: 1000, status: { metadata: {}, status: 'Success' } });
});

test("attach by Kubernetes' client: sizes arrive, and output goes on when its input has ended", { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const [stdin, stdout] = [new PassThrough(), new Terminal(80, 24)];
  const session = await attachByUrl(server.attachUrl({ ...request, tty: true }), { stdin, stdout, tty: true });
  await eventually('the first size', () => backend.sizes.length > 0);
  stdout.resize(121, 45);
  await eventually('the new size', () => backend.sizes.at(-1)?.width === 121);
  assert.deepEqual([backend.sizes[0], backend.sizes.at(-1)], [{ width: 80, height: 24 }, { width: 121, height: 45 }]); // prettier-ignore
  stdin.end('the last');
  await eventually('the echo, and the end', () => stdout.text === 'the last' && backend.ended === 1);
  for (const output of backend.outputs) output.stdout?.write(Buffer.from(', and more'));
  await eventually('more', () => stdout.text === 'the last, and more');
  session.socket.close();
  assert.equal((await session.over()).closeCode, 1005);
});

test('several clients attach at once and see the output from then on', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const clients = await Promise.all([1, 2, 3].map(() => openSpdy(server.attachUrl({ ...request, stdin: false }), ['stdout'])));
  await eventually('all are attached', () => backend.outputs.size === 3);
  for (const { stdout } of backend.outputs) stdout?.write(Buffer.from('tick'));
  await eventually('all saw it', () => clients.every(({ stdout }) => stdout?.text === 'tick'));
  for (const { client } of clients) client.socket.destroy();
  await eventually('all are gone', () => backend.outputs.size === 0);
});

/** Writes until the session is gone, in pieces as the monitor hands them out; answers how much was taken. */
async function flood(outputs: ReadonlySet<{ readonly stdout?: { write(chunk: Uint8Array): void } }>, limitBytes: number): Promise<number> {
  const piece = Buffer.alloc(8 * 1024, 'x');
  let sentBytes = 0;
  while (outputs.size > 0 && sentBytes < limitBytes) {
    for (let turn = 0; turn < 16; turn += 1) {
      for (const { stdout } of outputs) stdout?.write(piece);
      sentBytes += piece.length;
    }
    await new Promise(setImmediate);
  }
  return sentBytes;
}

test(
  'an attach client that does not read is disconnected with an error, its memory bounded, while another reads on',
  { timeout: 30_000 },
  async (t) => {
    const { server, backend } = await startServer(t);
    const slow = await openSpdy(server.attachUrl({ ...request, stdin: false }), ['stdout']);
    await eventually('it is attached', () => backend.outputs.size === 1);
    slow.client.socket.pause();
    const before = process.memoryUsage().rss;
    await flood(backend.outputs, 64 * 1024 * 1024);
    assert.equal(backend.outputs.size, 0);
    assert.ok(process.memoryUsage().rss - before < 20 * 1024 * 1024);

    const reader = await openSpdy(server.attachUrl({ ...request, stdin: false }), ['stdout']);
    if (reader.stdout) reader.stdout.keep = false;
    await eventually('it is attached', () => backend.outputs.size === 1);
    for (let turn = 0; turn < 32; turn += 1) {
      const sentBytes = (turn + 1) * 512 * 1024;
      await flood(backend.outputs, 512 * 1024);
      await eventually('it has read', () => reader.stdout?.sizeBytes === sentBytes);
    }
    reader.client.socket.destroy();

    slow.client.socket.resume(); // what was on its way, and the reason behind it
    await slow.error.over();
    assert.match(slow.error.text, /more than 1048576 bytes of output wait/);
    await eventually('both sessions are over', () => server.sessionCount === 0);
  },
);

test('an attach client that never reads is cut off for good', { timeout: 30_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const stuck = await connectWebSocket(server.attachUrl({ ...request, stdin: false }), ['v5.channel.k8s.io']);
  await eventually('it is attached', () => backend.outputs.size === 1);
  stuck.socket.pause();
  await flood(backend.outputs, 64 * 1024 * 1024);
  await sleep(10);
  await eventually('the session is over', () => server.sessionCount === 0, 7000);
  stuck.socket.terminate();
});
