import assert from 'node:assert/strict';
import { mkdtemp, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { AdminBackend } from '../../../src/admin/backend.ts';
import type { StatusReport } from '../../../src/admin/reports.ts';
import { AdminServer } from '../../../src/admin/server.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { AdminClient } from '../../../src/cli/admin-client.ts';
import { saveImages } from '../../../src/cli/images.ts';

const IMAGE = { id: `sha256:${'a'.repeat(64)}`, names: ['localhost/a:1'], sizeBytes: 3 };
const STATUS = { version: '1', pid: 1 } as unknown as StatusReport;

let folder: string;
let socket: string;
let server: AdminServer;
let client: AdminClient;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwright-admin-'));
  socket = join(folder, 'admin.sock');
});
afterEach(async () => {
  await server.close();
  await remove(folder);
});

/** Starts a server whose domain does what `parts` says and fails in everything else. */
async function serve(parts: Partial<AdminBackend>): Promise<void> {
  const absent = async (): Promise<never> => {
    throw new DaemonError('Unimplemented', 'not part of this test');
  };
  const backend = {
    status: absent,
    leaks: absent,
    listImages: absent,
    resolveImage: absent,
    verifyImages: absent,
    pulls: () => ({ pulls: [], leftOut: 0 }),
    onPullEnded: () => () => undefined,
    pullImage: absent,
    inspectImage: absent,
    removeImage: absent,
    pruneImages: absent,
    loadImages: absent,
    saveImages: absent,
    metrics: absent,
    debug: { fixLeaks: absent, profile: absent, heap: absent, stacks: absent },
    explain: { explain: absent },
    ...parts,
  };
  server = new AdminServer(socket, backend, silentLog);
  await server.listen();
  client = new AdminClient(socket);
}

test('AdminServer listens on a socket that only its owner can open, and removes it at the end', async () => {
  await serve({ status: async () => STATUS });

  assert.equal((await stat(socket)).mode & 0o777, 0o600);
  assert.deepEqual(await client.status(), STATUS);
  await server.close();
  await assert.rejects(stat(socket), /ENOENT/);
});

test('AdminServer replaces a stale socket, refuses a live one and leaves a file that is no socket', async () => {
  const dead = createServer().listen(join(folder, 'moved.sock'));
  await new Promise((resolve) => dead.once('listening', resolve));
  await rename(join(folder, 'moved.sock'), socket); // so that closing does not remove it
  await new Promise((resolve) => dead.close(resolve));
  await serve({});

  const second = new AdminServer(socket, {} as AdminBackend, silentLog);
  await assert.rejects(second.listen(), { kind: 'FailedPrecondition', message: /a process listens there already/ });
  await writeFile(join(folder, 'file'), 'mine');
  await assert.rejects(new AdminServer(join(folder, 'file'), {} as AdminBackend, silentLog).listen(), { kind: 'FailedPrecondition' });
  assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'mine');
});

test('a failure of the domain reaches the client in its words', async () => {
  await serve({ leaks: async () => Promise.reject(new DaemonError('Unavailable', 'still restoring')) });

  await assert.rejects(client.leaks(), { name: 'CliError', exitCode: 1, message: 'still restoring' });
});

test('a request whose target is no path is answered', async () => {
  await serve({});
  const status = await new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, path: '//', timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 2 s')));
    sent.on('error', reject).end();
  });
  assert.equal(status, 400);
});

test('an image load streams the archive in, and progress and images out', async () => {
  let receivedBytes = 0;
  await serve({
    loadImages: async (archive, _signal, progress) => {
      progress('begun');
      for await (const chunk of archive) receivedBytes += (chunk as Buffer).length;
      return [IMAGE];
    },
  });
  const seen: string[] = [];

  const images = await client.loadImages(Readable.from(Array<Buffer>(64).fill(Buffer.alloc(65_536))), (message) => seen.push(message));

  assert.deepEqual([images, seen, receivedBytes], [[IMAGE], ['begun'], 64 * 65_536]);
});

test('an image load that is refused while the archive is still being sent says why', async () => {
  await serve({ loadImages: async () => Promise.reject(new DaemonError('InvalidArgument', 'no archive I know')) });
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(65_536);
    })(),
  );

  await assert.rejects(
    client.loadImages(endless, () => undefined),
    { exitCode: 1, message: 'no archive I know' },
  );
});

test('an image load whose client leaves is canceled', async () => {
  const begun = Promise.withResolvers<undefined>();
  const canceled = Promise.withResolvers<unknown>();
  await serve({
    loadImages: async (_archive, signal) =>
      new Promise((_resolve, reject) => {
        begun.resolve(undefined);
        signal.addEventListener('abort', () => {
          canceled.resolve(signal.reason);
          reject(signal.reason as Error);
        });
      }),
  });
  const source = new Readable({ read: () => setTimeout(() => source.push(Buffer.alloc(10)), 5) });
  begun.promise.then(
    () => source.destroy(new Error('disk gone')),
    () => undefined,
  );

  await assert.rejects(
    client.loadImages(source, () => undefined),
    { exitCode: 1, message: 'image load: disk gone' },
  );

  assert.equal(((await canceled.promise) as DaemonError).kind, 'Canceled');
});

test('an image save writes the archive, to a file only when it is whole', async () => {
  const bytes = Buffer.alloc(300_000, 'x');
  await serve({
    saveImages: async (references, format, target) => {
      assert.deepEqual([references, format], [['a', 'b:1'], 'docker']);
      await pipeline(Readable.from([bytes]), target);
    },
  });
  const io = { stdin: Readable.from([]), stdout: new Writable(), stderr: new Writable() };

  await saveImages(client, ['a', 'b:1'], 'docker', join(folder, 'out.tar'), io);

  assert.ok(bytes.equals(await readFile(join(folder, 'out.tar'))));
});

test('an image save that fails half-way leaves no file and says why', async () => {
  await serve({
    saveImages: async (_references, _format, target) => {
      target.write(Buffer.alloc(100_000));
      throw new DaemonError('Internal', 'layer “x” is damaged');
    },
  });
  const io = { stdin: Readable.from([]), stdout: new Writable(), stderr: new Writable() };

  await assert.rejects(saveImages(client, ['a'], 'oci', join(folder, 'out.tar'), io), { message: 'layer “x” is damaged' });
  await assert.rejects(stat(join(folder, 'out.tar')), /ENOENT/);
});

test('an image save whose client leaves ends the work and not the daemon', async () => {
  const ended = Promise.withResolvers<unknown>();
  await serve({
    status: async () => STATUS,
    saveImages: async (_references, _format, target, signal) => {
      target.write(Buffer.alloc(10));
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      target.destroy(signal.reason as Error);
      ended.resolve(signal.reason);
      throw signal.reason as Error;
    },
  });
  const target = new Writable({
    write() {
      this.destroy(new Error('disk full'));
    },
  });

  await assert.rejects(client.saveImages(['a'], 'oci', target), { message: 'image save: disk full' });

  assert.equal(((await ended.promise) as DaemonError).kind, 'Canceled');
  assert.deepEqual(await client.status(), STATUS);
});

test('an image save of what is not there fails before it begins', async () => {
  await serve({ saveImages: async () => Promise.reject(new DaemonError('NotFound', 'image a: not here')) });

  await assert.rejects(client.saveImages(['a'], 'oci', new Writable()), { exitCode: 1, message: 'image a: not here' });
});
