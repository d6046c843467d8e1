import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import tls from 'node:tls';
import { silentLog, type Log } from '../../../src/base/log.ts';
import { eventually, openSpdy, quiet, startServer } from '../../support/streaming/harness.ts';
import { SpdyClient, upgradeToSpdy } from '../../support/streaming/spdy-client.ts';
import { connectWebSocket } from '../../support/streaming/websocket-client.ts';
import { makeSelfSigned } from '../../support/self-signed.ts';

const request = { containerId: 'local', command: ['true'], ...quiet };
const v4 = ['v4.channel.k8s.io'];

async function statusOf(
  url: string,
  protocols: readonly string[] = v4,
  options: Parameters<typeof upgradeToSpdy>[2] = {},
): Promise<number> {
  const answer = await upgradeToSpdy(url, protocols, options);
  return answer instanceof SpdyClient ? 101 : answer.status;
}

async function plain(url: string, method: string): Promise<number> {
  const asked = http.request(url, { method, agent: false });
  asked.end();
  return await new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
}

test('a URL works once, and only for what it was made for', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const url = server.execUrl(request);
  const { error } = await openSpdy(url, ['stdout']);
  await error.over();
  assert.equal(await statusOf(url), 404);
  assert.equal(await statusOf(url.replace(/[^/]*$/, 'AAAAAAAAAAAAAAAAAAAAAA')), 404);
  assert.equal(await statusOf(server.execUrl(request).replace('/exec/', '/attach/')), 404);
  assert.equal(await statusOf(url.replace(/exec.*/, '')), 404);
  await assert.rejects(connectWebSocket(url, ['v5.channel.k8s.io']), /404/);
  assert.equal(server.tokenCount, 0);
});

test('GET and POST upgrade; other methods, no upgrade, and unknown protocols are refused', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  assert.equal(await statusOf(server.execUrl(request), v4, { method: 'GET' }), 101);
  assert.equal(await statusOf(server.execUrl(request), ['v9.channel.k8s.io', 'v3.channel.k8s.io']), 101);
  assert.equal(await statusOf(server.execUrl(request), v4, { method: 'PUT' }), 405);
  assert.equal(await statusOf(server.execUrl(request), ['v9.channel.k8s.io']), 403);
  assert.equal(await statusOf(server.execUrl(request), []), 400);
  assert.equal(await statusOf(server.execUrl(request), v4, { headers: { Upgrade: 'h2c' } }), 400);
  assert.equal(await plain(server.execUrl(request), 'GET'), 400);
  assert.equal(await plain(server.execUrl(request), 'POST'), 400);
  await assert.rejects(connectWebSocket(server.execUrl(request), ['v9.channel.k8s.io']), /403/);
  await assert.rejects(connectWebSocket(server.portForwardUrl({ sandboxId: 's', ports: [] }), v4), /400/);
});

test('a WebSocket request that is no handshake is refused and forgotten', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const url = server.execUrl(request);
  assert.equal(await statusOf(url, [], { method: 'GET', headers: { Upgrade: 'websocket' } }), 400);
  await eventually('no session is left', () => server.sessionCount === 0);
});

const garbage: Record<string, (socket: net.Socket) => void> = {
  'random bytes': (socket) => socket.write(Buffer.alloc(4096, 0xa5)),
  'another version of SPDY': (socket) => socket.write(Buffer.from('80020001000000040000000100000000', 'hex')),
  'a huge control frame': (socket) => socket.write(Buffer.from('8003000100ffffff', 'hex')),
  'headers that are no zlib': (socket) =>
    socket.write(Buffer.from('8003000100000012' + '0000000100000000' + '0000' + 'ffffffffffffffff', 'hex')),
  'nothing, and its end': (socket) => socket.end(),
  'a reset': (socket) => socket.resetAndDestroy(),
};
for (const [what, misbehave] of Object.entries(garbage)) {
  test(`a SPDY client that sends ${what} loses its session, and the server goes on`, { timeout: 10_000 }, async (t) => {
    const { server, backend } = await startServer(t);
    const client = await upgradeToSpdy(server.execUrl(request), v4);
    assert.ok(client instanceof SpdyClient);
    misbehave(client.socket as net.Socket);
    await eventually('the session is over', () => server.sessionCount === 0);
    assert.equal(backend.running, 0);
    const next = await openSpdy(server.execUrl(request), ['stdout']);
    await next.error.over();
    assert.match(next.error.text, /Success/);
  });
}

test('a WebSocket client that breaks the protocol loses its session, and the server goes on', { timeout: 10_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const long = { ...request, command: ['sleep', '100'], stdin: true };
  const badClose = await connectWebSocket(server.execUrl(long), ['v5.channel.k8s.io']);
  badClose.socket.send(Buffer.of(255));
  const badText = await connectWebSocket(server.execUrl(long), ['v4.base64.channel.k8s.io']);
  badText.socket.send('0!!!');
  const badFrame = await connectWebSocket(server.execUrl(long), ['v5.channel.k8s.io']);
  (badFrame.socket as unknown as { _socket: net.Socket })._socket.write(Buffer.alloc(100, 0xff));
  await Promise.all([badClose.over(), badText.over(), badFrame.over()]);
  assert.deepEqual([badClose.closeCode, badText.closeCode], [1008, 1008]);
  await eventually('no session is left', () => server.sessionCount === 0 && backend.running === 0);
});

test('requests that are no HTTP, or never come, hold nothing up', { timeout: 10_000 }, async (t) => {
  const { server } = await startServer(t);
  const { port } = new URL(server.execUrl(request));
  const silent = net.connect(Number(port), '127.0.0.1');
  const noise = net.connect(Number(port), '127.0.0.1');
  noise.write(Buffer.alloc(1000, 0x16));
  await new Promise((resolve) =>
    noise
      .on('close', resolve)
      .on('error', () => undefined)
      .resume(),
  );
  assert.equal(await statusOf(server.execUrl(request)), 101);
  silent.destroy();
});

async function certificates(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'streaming-tls-'));
  t.after(() => rm(directory, { recursive: true }));
  await Promise.all(['one', 'two', 'client', 'stranger'].map((name) => makeSelfSigned(directory, name)));
  return directory;
}

async function subjectSeen(url: string): Promise<string> {
  const socket = tls.connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const subject = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return String(subject);
}

test('TLS: sessions work, and new certificates are taken without a restart, broken ones not', { timeout: 20_000 }, async (t) => {
  const directory = await certificates(t);
  const files = { certificateFile: join(directory, 'server.crt'), keyFile: join(directory, 'server.key') };
  const use = async (name: string): Promise<void> => {
    await copyFile(join(directory, `${name}.key`), files.keyFile);
    await copyFile(join(directory, `${name}.crt`), files.certificateFile);
  };
  await use('one');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
  const { server } = await startServer(t, { tls: files, tlsCheckMs: 50, log });
  const url = server.execUrl({ ...request, command: ['echo', 'secret'] });
  assert.match(url, /^https:/);
  const answered = await httpsUpgrade(url);
  assert.equal(answered, 101);
  assert.equal(await subjectSeen(url), 'one');
  await use('two');
  await eventually('the second is used', async () => (await subjectSeen(url)) === 'two');
  warnings.length = 0;
  await writeFile(files.certificateFile, 'broken');
  await eventually('the broken one is refused', () => Promise.resolve(warnings.includes('streaming server keeps its certificates')));
  assert.equal(await subjectSeen(url), 'two');
});

test('TLS with a client CA: strangers and the nameless are refused', { timeout: 20_000 }, async (t) => {
  const directory = await certificates(t);
  const { server } = await startServer(t, {
    tls: { certificateFile: join(directory, 'one.crt'), keyFile: join(directory, 'one.key'), clientCaFile: join(directory, 'client.crt') },
  });
  const identity = async (name: string): Promise<https.RequestOptions> => ({
    cert: await readFile(join(directory, `${name}.crt`)),
    key: await readFile(join(directory, `${name}.key`)),
  });
  await assert.rejects(httpsUpgrade(server.execUrl(request)));
  await assert.rejects(httpsUpgrade(server.execUrl(request), await identity('stranger')));
  assert.equal(await httpsUpgrade(server.execUrl(request), await identity('client')), 101);
});

async function httpsUpgrade(url: string, options: https.RequestOptions = {}): Promise<number> {
  const asked = https.get(url, {
    agent: false,
    rejectUnauthorized: false,
    ...options,
    headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': v4 },
  });
  return await new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
  });
}
