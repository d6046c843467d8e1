import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { pinNamespaces, unpinNamespaces, withNamespaces } from '../../../src/linux/namespaces.ts';
import { connectInNamespace } from '../../../src/linux/netns-connect.ts';
import { spawn } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

async function pod(t: TestContext): Promise<string> {
  const directory = await scratchDirectory(t);
  pinNamespaces(directory, { net: true, ipc: false, uts: false, loopback: true });
  t.after(() => {
    unpinNamespaces(directory);
  });
  return join(directory, 'net');
}

/** socat that echoes on `address` inside the pod. */
async function echo(t: TestContext, net: string, address: string): Promise<void> {
  const child = withNamespaces({ net }, () =>
    spawn('socat', { args: ['-d', '-d', address, 'EXEC:cat'], stdio: ['ignore', 'ignore', 'pipe'], newSession: true }),
  );
  t.after(async () => {
    process.kill(-child.pid, 'SIGKILL');
    await child.exit;
  });
  await once(child.pipes[2] ?? assert.fail(), 'data'); // "listening on"
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('connectInNamespace reaches a port of the pod, with half-close, while our threads stay outside', async (t) => {
  const net = await pod(t);
  await echo(t, net, 'TCP4-LISTEN:8080,bind=127.0.0.1,reuseaddr,fork');
  const data = Buffer.alloc(3_000_000, 'podwright');
  const sockets = await Promise.all([1, 2, 3].map(() => connectInNamespace(net, 8080, soon())));
  for (const socket of sockets) {
    const answer = readAll(socket);
    socket.end(data);
    assert.ok((await answer).equals(data));
  }
  const links = new Set(readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`)));
  assert.equal(links.size, 1);
});

test('connectInNamespace tries IPv6 where nobody listens on IPv4', async (t) => {
  const net = await pod(t);
  await echo(t, net, 'TCP6-LISTEN:8080,bind=[::1],ipv6-v6only=1,reuseaddr,fork');
  const socket = await connectInNamespace(net, 8080, soon());
  const answer = readAll(socket);
  socket.end('hello');
  assert.equal((await answer).toString(), 'hello');
});

test('connectInNamespace says why: refused, no such namespace, given up', async (t) => {
  const net = await pod(t);
  const before = readdirSync('/proc/self/fd').length;
  await assert.rejects(connectInNamespace(net, 9, soon()), { code: 'ECONNREFUSED', message: /127\.0\.0\.1 port 9/ });
  await assert.rejects(connectInNamespace(`${net}-none`, 9, soon()), { code: 'ENOENT' });
  await assert.rejects(connectInNamespace(net, 9, AbortSignal.abort()), { kind: 'Canceled' });
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('connectInNamespace without a namespace uses the node', async (t) => {
  const server = createServer((socket) => socket.end('node'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const socket = await connectInNamespace(undefined, (server.address() as AddressInfo).port, soon());
  socket.end();
  assert.equal((await readAll(socket)).toString(), 'node');
});
