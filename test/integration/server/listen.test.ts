import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { services } from '../../../api/cri/runtime.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { connect, CriError } from '../../../src/cli/cri-client.ts';
import type { ImageServiceHandlers } from '../../../src/imageservice/handlers.ts';
import type { RuntimeServiceHandlers } from '../../../src/runtimeservice/handlers.ts';
import { unimplementedRpcs } from '../../../src/server/listen.ts';
import { eventually, handlers, serve, temporaryFolder } from '../../support/cri-server.ts';

const version = async () => ({ version: '0.1.0', runtimeName: 'podwright', runtimeVersion: '1', runtimeApiVersion: 'v1' });

test('the socket is 0660 whatever the umask, and nothing else is left beside it', async (t) => {
  for (const mask of [0, 0o077, 0o777]) {
    const path = join(await temporaryFolder(t), 'cri.sock');
    const before = process.umask(mask);
    try {
      const { client } = await serve(t, { version }, { path });
      const stats = await lstat(path);
      assert.ok(stats.isSocket());
      assert.equal(stats.mode & 0o7777, 0o660, `umask ${mask.toString(8)}`);
      assert.deepEqual(await readdir(dirname(path)), ['cri.sock']);
      assert.equal((await client.runtime.version()).runtimeName, 'podwright');
    } finally {
      process.umask(before);
    }
  }
});

test('owner and mode of the socket are as asked for', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const { path } = await serve(t, { version }, { uid: 1234, gid: 4321, mode: 0o600 });

  const { uid, gid, mode } = await lstat(path);
  assert.deepEqual([uid, gid, mode & 0o7777], [1234, 4321, 0o600]);
});

test('the socket of a killed daemon is replaced', async (t) => {
  const path = join(await temporaryFolder(t), 'cri.sock');
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('bound'))`;
  const child = execa(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'], reject: false });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await child;
  assert.ok((await lstat(path)).isSocket());
  // What a daemon leaves that is killed while it binds.
  await mkdir(`${path}.new`);
  await writeFile(`${path}.new/s`, '');

  const { client } = await serve(t, { version }, { path });
  assert.equal((await client.runtime.version()).version, '0.1.0');
  assert.deepEqual(await readdir(dirname(path)), ['cri.sock']);
});

test('a live socket is refused and goes on answering', async (t) => {
  const { path, client } = await serve(t, { version });

  await assert.rejects(
    serve(t, { version }, { path }),
    (error) =>
      error instanceof DaemonError && error.kind === 'FailedPrecondition' && error.message.includes('a process listens there already'),
  );
  assert.equal((await client.runtime.version()).version, '0.1.0');
});

test('a live socket with a full backlog is refused too', async (t) => {
  const path = join(await temporaryFolder(t), 'cri.sock');
  const program = `
    const server = require('node:net').createServer();
    server.listen({ path: ${JSON.stringify(path)}, backlog: 0 }, () => {
      process.stdout.write('bound\\n', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`;
  const child = execa(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'], reject: false });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const waiting = Array.from({ length: 3 }, () => connectSocket(path).on('error', () => {}));
  t.after(() => {
    for (const socket of waiting) socket.destroy();
  });

  await assert.rejects(serve(t, { version }, { path }), /a process listens there already/);
});

test('a path that is no socket, too long, or in a folder that cannot be made is refused with its words', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'file'), 'data');

  await assert.rejects(serve(t, {}, { path: join(folder, 'file') }), /a file that is no socket is there/);
  await assert.rejects(serve(t, {}, { path: join(folder, 'x'.repeat(100)) }), /the path has \d+ bytes, must have at most 101/);
  await assert.rejects(serve(t, {}, { path: join(folder, 'file', 'cri.sock') }), /ENOTDIR/);
});

test('names with spaces, percent signs and colons work', async (t) => {
  const path = join(await temporaryFolder(t), 'a b%20c:d', 'cri.sock');

  const { client } = await serve(t, { version }, { path });
  assert.equal((await client.runtime.version()).version, '0.1.0');
  const other = connect(`unix://${path}`);
  t.after(() => {
    other.close();
  });
  assert.equal((await other.runtime.version()).version, '0.1.0');
});

test('closing finishes the calls in flight, ends streams and frees the path', async (t) => {
  const gate = Promise.withResolvers<undefined>();
  const { server, client, path } = await serve(t, {
    stopPodSandbox: async () => {
      await gate.promise;
      return {};
    },
    async *getContainerEvents(_request, call) {
      yield { containerId: 'first' };
      await once(call.signal, 'abort');
    },
  });
  const stopping = client.runtime.stopPodSandbox({ podSandboxId: 's1' });
  const events = Array.fromAsync(client.runtime.getContainerEvents());
  events.catch(() => {});
  await eventually(() => server.callsInFlight === 2);

  const closing = server.close(10_000);
  await assert.rejects(
    events,
    (error) => error instanceof CriError && error.code === 'UNAVAILABLE' && error.details === 'podwright is stopping',
  );
  await assert.rejects(access(path), { code: 'ENOENT' });
  const late = connect(path);
  t.after(() => {
    late.close();
  });
  await assert.rejects(late.runtime.version({}, { timeoutMs: 2000 }), (error) => error instanceof CriError && error.code === 'UNAVAILABLE');
  gate.resolve(undefined);
  assert.deepEqual(await stopping, {});
  await closing;
});

test('closing does not wait longer than its grace for a call that does not end', async (t) => {
  const reasons: unknown[] = [];
  const { server, client } = await serve(t, {
    runPodSandbox: (_request, call) =>
      new Promise(() => {
        call.signal.addEventListener('abort', () => reasons.push((call.signal.reason as DaemonError).message));
      }),
  });
  const running = client.runtime.runPodSandbox();
  running.catch(() => {});
  await eventually(() => server.callsInFlight === 1);

  const startedAt = performance.now();
  await server.close(200);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 190 && tookMs < 2500, `${tookMs} ms`);
  assert.deepEqual(reasons, ['podwright is stopping']);
  await assert.rejects(running, CriError);
});

test('closing leaves a socket that a newer daemon has put in its place', async (t) => {
  const { server, path } = await serve(t, { version });
  const other = createServer();
  t.after(() => other.close());
  await rm(path);
  await new Promise<void>((resolve) => {
    other.listen(path, resolve);
  });

  await server.close(0);
  assert.ok((await lstat(path)).isSocket());
});

test('unimplementedRpcs lists what has no handler, by its CRI name', () => {
  const runtime = handlers(services.RuntimeService, { version }) as RuntimeServiceHandlers;
  const image = handlers(services.ImageService, {}) as ImageServiceHandlers;

  const names = unimplementedRpcs({ runtime, image });
  assert.equal(names.length, 42);
  assert.ok(!names.includes('Version'));
  assert.ok(names.includes('PullImage') && names.includes('GetContainerEvents'));
});
