/** https and plain http at the wrong door. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { run } from '../../../src/linux/spawn.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { authConfig, pullBench } from '../../support/pull-bench.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const NAME = 'registry.example/team/app:1';
const TEST_MS = 60_000;

async function serve(t: TestContext, auth?: 'basic'): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(auth === undefined ? {} : { auth });
  t.after(async () => registry.stop());
  registry.addImage({ config: {}, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] }, 'team/app', '1');
  return registry;
}

async function listen(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('plain http where https must be is told in words, and nothing is asked by plain http', async (t) => {
  const registry = await serve(t);
  const { puller } = await pullBench(t, registry.conf.replace('insecure = true', 'insecure = false'));

  await assert.rejects(puller.pull(NAME, authConfig({ username: 'user', password: 'secret' }), AbortSignal.timeout(TEST_MS)), {
    kind: 'RegistryUnavailable',
    message: `RegistryUnavailable: pull ${NAME}: the registry ${registry.host} answers plain http; it must be https, or be named insecure in registries.conf`,
  });
  assert.deepEqual(registry.requests, []);
});

test('what speaks neither is told without what OpenSSL says of its own source', async (t) => {
  const host = await listen(t, (socket) => {
    // A fatal alert, handshake_failure: RFC 8446, 6.
    socket.once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 40])));
  });
  const { puller } = await pullBench(t, `[[registry]]\nprefix = "registry.example"\nlocation = "${host}"\n`);

  await assert.rejects(puller.pull(NAME, undefined, AbortSignal.timeout(TEST_MS)), (error: Error) => {
    assert.match(error.message, /^RegistryUnavailable: pull registry\.example\/team\/app:1: GET https:.*TLS.*handshake failure/);
    assert.doesNotMatch(error.message, /error:[0-9A-F]{8}|EPROTO|\.c:\d+/);
    return true;
  });
});

/** A registry that speaks TLS, and answers plain http with 400 as servers do; a connection fails while `isDown`. */
async function tlsRegistry(
  t: TestContext,
  behind: FaultyRegistry,
  isDown: () => boolean,
): Promise<{ host: string; plain: () => string; cut: () => void }> {
  const scratch = await scratchDirectory(t);
  const [key, cert] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  const made = await run('/usr/bin/openssl', {
    args: ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=registry'],
    timeoutMs: 30_000,
  });
  assert.equal(made.exit.code, 0, made.stderr.toString());
  const secure = createHttpsServer({ key: await readFile(key), cert: await readFile(cert) }, (request, response) => {
    void fetch(`http://${behind.host}${request.url ?? ''}`, { headers: { authorization: request.headers.authorization ?? '' } }).then(
      async (answer) => {
        const headers = Object.fromEntries(
          [...answer.headers].filter(([name]) => !/^(connection|keep-alive|transfer-encoding)$/.test(name)),
        );
        response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
      },
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => secure.once('listening', resolve));
  t.after(() => {
    secure.close();
    secure.closeAllConnections();
  });
  let plain = '';
  const open = new Set<Socket>();
  const host = await listen(t, (socket) => {
    open.add(socket);
    socket.once('data', (first) => {
      if (first[0] === 0x16) {
        if (isDown()) {
          socket.destroy();
          return;
        }
        const through = connect((secure.address() as AddressInfo).port, '127.0.0.1');
        through.on('error', () => socket.destroy());
        through.write(first);
        socket.pipe(through).pipe(socket);
      } else {
        plain += first.toString();
        socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      }
    });
  });
  return {
    host,
    plain: () => plain,
    cut: () => {
      open.forEach((socket) => socket.destroy());
    },
  };
}

test('a registry that may be insecure and speaks https is not asked by plain http for ever after it was away for a moment', async (t) => {
  const behind = await serve(t, 'basic');
  let failures = 0;
  const { host } = await tlsRegistry(t, behind, () => failures++ < 3);
  const { puller } = await pullBench(t, behind.conf.replace(behind.host, host));
  const user = authConfig({ username: 'user', password: 'secret' });

  assert.deepEqual((await puller.pull(NAME, user, AbortSignal.timeout(TEST_MS))).names, [NAME]);
});

test('credentials go by no plain http to a host that has spoken https', async (t) => {
  const behind = await serve(t, 'basic');
  let isDown = false;
  const { host, plain, cut } = await tlsRegistry(t, behind, () => isDown);
  const { puller, stores } = await pullBench(t, behind.conf.replace(behind.host, host));
  const user = authConfig({ username: 'user', password: 'secret' });
  const record = await puller.pull(NAME, user, AbortSignal.timeout(TEST_MS));
  await stores.images.remove(record.id);

  isDown = true;
  cut();
  await assert.rejects(puller.pull(NAME, user, AbortSignal.timeout(TEST_MS)), { kind: 'RegistryUnavailable' });
  assert.doesNotMatch(plain(), /authorization/i);
});
