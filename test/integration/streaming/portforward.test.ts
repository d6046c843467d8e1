import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import type { StreamingServer } from '../../../src/streaming/server.ts';
import { eventually, startServer } from '../../support/streaming/harness.ts';
import { forwardByUrl, Output } from '../../support/streaming/kubernetes-client.ts';
import { type ClientStream, SpdyClient, upgradeToSpdy } from '../../support/streaming/spdy-client.ts';
import { openTunnel } from '../../support/streaming/tunnel-client.ts';
import { connectWebSocket } from '../../support/streaming/websocket-client.ts';

async function listen(t: TestContext, server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Sends back what comes; ends when the client has. */
async function echoPort(t: TestContext): Promise<number> {
  return await listen(
    t,
    net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    }),
  );
}

async function connect(server: StreamingServer, transport: string): Promise<SpdyClient> {
  const url = server.portForwardUrl({ sandboxId: 'local', ports: [] });
  if (transport === 'tunnel') return new SpdyClient(await openTunnel(url), undefined);
  const client = await upgradeToSpdy(url, ['portforward.k8s.io']);
  assert.ok(client instanceof SpdyClient);
  return client;
}

let nextRequest = 0;
async function openPair(client: SpdyClient, port: number): Promise<{ data: ClientStream; error: ClientStream }> {
  const headers = { port: String(port), requestid: String(nextRequest) };
  nextRequest += 1;
  const error = await client.open({ ...headers, streamtype: 'error' });
  await error.end();
  return { error, data: await client.open({ ...headers, streamtype: 'data' }) };
}

for (const transport of ['SPDY', 'tunnel']) {
  test(`port-forward by ${transport} serves 20 parallel HTTP requests`, { timeout: 20_000 }, async (t) => {
    const { server } = await startServer(t);
    const port = await listen(
      t,
      http.createServer((request, response) => {
        response.setHeader('Connection', 'close');
        request.pipe(response);
      }),
    );
    const client = await connect(server, transport);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const { data, error } = await openPair(client, port);
        const body = `request ${index} `.repeat(5000);
        await data.write(`POST / HTTP/1.1\r\nHost: local\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        await data.over();
        await data.cancel(); // as client-go: what the port has ended, nobody sends to
        await error.over();
        return data.text.startsWith('HTTP/1.1 200') && error.text === '' && data.text.includes(body.slice(0, 1000));
      }),
    );
    assert.deepEqual(
      answers,
      answers.map(() => true),
    );
    client.socket.end();
    await eventually('the session is over', () => server.sessionCount === 0);
  });

  test(`port-forward by ${transport} carries 30 MB out and back byte for byte, and half-closes`, { timeout: 60_000 }, async (t) => {
    const { server } = await startServer(t);
    const { data, error } = await openPair(await connect(server, transport), await echoPort(t));
    const sent = Buffer.alloc(30 * 1024 * 1024, 'some words that repeat, ');
    for (let offset = 0; offset < sent.length; offset += 32 * 1024) await data.write(sent.subarray(offset, offset + 32 * 1024));
    await data.end(); // the echo ends only after this
    await Promise.all([data.over(), error.over()]);
    assert.equal(createHash('sha256').update(Buffer.concat(data.chunks)).digest('hex'), createHash('sha256').update(sent).digest('hex'));
    assert.deepEqual([data.ended, error.text], [true, '']);
  });

  test(
    `port-forward by ${transport} tells of a refused port on its error stream, and the next one works`,
    { timeout: 20_000 },
    async (t) => {
      const { server } = await startServer(t);
      const client = await connect(server, transport);
      const refused = await openPair(client, 1);
      await Promise.all([refused.data.over(), refused.error.over()]);
      assert.match(refused.error.text, /^forward to port 1 of sandbox local: .*refused$/);
      const works = await openPair(client, await echoPort(t));
      await works.data.write('still here');
      await works.data.end();
      await works.data.over();
      assert.equal(works.data.text, 'still here');
    },
  );
}

test('a port that ends its side first still gets what the client sends', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  let got = '';
  const port = await listen(
    t,
    net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.end('greeting');
      socket.on('data', (chunk) => (got += chunk.toString()));
    }),
  );
  const { data, error } = await openPair(await connect(server, 'SPDY'), port);
  await data.over();
  assert.equal(data.text, 'greeting');
  await data.write('answer');
  await data.end();
  await error.over();
  assert.deepEqual([got, error.text], ['answer', '']);
});

test('a port that resets its connection is no reason for the client to give up the others', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const port = await listen(
    t,
    net.createServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    }),
  );
  const { data, error } = await openPair(await connect(server, 'SPDY'), port);
  await data.write('x');
  await Promise.all([data.over(), error.over()]);
  assert.deepEqual([data.reset, error.text, server.sessionCount], [true, '', 1]);
});

test('a reset by the client ends its connection to the port', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const { data, error } = await openPair(await connect(server, 'SPDY'), await echoPort(t));
  await data.write('x');
  await eventually('it is connected', () => data.text === 'x' && backend.running === 1);
  await data.cancel();
  await eventually('it is gone', () => backend.running === 0);
  await error.over();
  assert.deepEqual([error.text, server.sessionCount], ['', 1]);
});

test('streams with a wrong port or type are refused; half of a pair is given up', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t, { creationTimeoutMs: 100 });
  const client = await connect(server, 'SPDY');
  for (const headers of [
    { streamtype: 'data', port: '0' },
    { streamtype: 'data', port: '65536' },
    { streamtype: 'data', port: 'http' },
    { streamtype: 'stdin', port: '80' },
    { streamtype: 'error' },
  ] as Record<string, string>[]) {
    assert.equal((await client.open({ ...headers, requestid: '1' })).reset, true, JSON.stringify(headers));
  }
  const alone = await client.open({ streamtype: 'error', port: '80', requestid: '2' });
  await alone.over();
  assert.match(alone.text, /request 2 has no data stream/);
});

test('old clients, which number no requests, are served', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const client = await connect(server, 'SPDY');
  const port = String(await echoPort(t));
  await client.open({ streamtype: 'error', port });
  const data = await client.open({ streamtype: 'data', port });
  await data.write('old');
  await data.end();
  await data.over();
  assert.equal(data.text, 'old');
});

for (const protocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'portforward.k8s.io']) {
  test(
    `port-forward by WebSocket channels, ${protocol}: a pair of channels for each port, which begin with it`,
    { timeout: 10_000 },
    async (t) => {
      const { server } = await startServer(t);
      const [first, second] = [await echoPort(t), await echoPort(t)];
      const client = await connectWebSocket(server.portForwardUrl({ sandboxId: 'local', ports: [first, 1, second] }), [protocol]);
      await client.send(0, 'to the first');
      await client.send(4, 'to the second');
      const prefix = (port: number): Buffer => Buffer.of(port & 0xff, port >> 8);
      const channel = (number: number): Buffer => Buffer.concat(client.channels.get(number) ?? []);
      await eventually('the echoes', () => channel(0).length === 14 && channel(4).length === 15 && channel(3).length > 20);
      assert.deepEqual(
        [channel(0), channel(4)],
        [Buffer.concat([prefix(first), Buffer.from('to the first')]), Buffer.concat([prefix(second), Buffer.from('to the second')])],
      );
      assert.deepEqual([channel(1), channel(2), channel(5)], [prefix(first), prefix(1), prefix(second)]);
      assert.match(channel(3).subarray(2).toString(), /refused/);
      client.socket.close();
      await client.over();
      await eventually('the session is over', () => server.sessionCount === 0);
    },
  );
}

test('a WebSocket whose port has ended is closed', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const port = await listen(
    t,
    net.createServer((socket) => socket.end('bye')),
  );
  const output = new Output();
  const session = await forwardByUrl(
    server.portForwardUrl({ sandboxId: 'local', ports: [port] }),
    port,
    new PassThrough(),
    output,
    new Output(),
  );
  const { closeCode } = await session.over();
  assert.deepEqual([output.text, closeCode], ['bye', 1000]);
});

test("port-forward by Kubernetes' client carries both directions, and tells of a refused port", { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const forward = async (port: number) => {
    const streams = { input: new PassThrough(), output: new Output(), error: new Output() };
    const url = server.portForwardUrl({ sandboxId: 'local', ports: [port] });
    return { ...streams, session: await forwardByUrl(url, port, streams.input, streams.output, streams.error) };
  };
  const echo = await forward(await echoPort(t));
  assert.equal(echo.session.socket.protocol, 'v4.channel.k8s.io');
  echo.input.write('there');
  await eventually('the echo', () => echo.output.text === 'there');
  echo.input.write(' and back');
  await eventually('the second echo', () => echo.output.text === 'there and back');
  echo.input.end(); // a client of v4 has no word for it but the close
  await echo.session.over();
  await eventually('the session is over', () => server.sessionCount === 0);

  const refused = await forward(1);
  await eventually('the refusal', () => refused.error.text.includes('refused'));
  assert.match(refused.error.text, /^forward to port 1 of sandbox local: .*refused$/);
  assert.deepEqual([echo.error.text, refused.output.text, (await refused.session.over()).closeCode], ['', '', 1000]);
});
