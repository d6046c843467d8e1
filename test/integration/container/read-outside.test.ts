/** Reading in a root file system that does not answer. */
// long: 12 s
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStartOutside } from '../../../src/container/read-outside.ts';
import { onThread, threadsAreBusy } from '../../../src/linux/kernel-threads.ts';
import { resolveUser } from '../../../src/ocispec/user.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const FIXTURE = join(import.meta.dirname, '../../fixtures/hung-fuse.ts');
const skip = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';
const USER = { user: 'web', group: 'staff', supplementalGroups: [], isStrict: false };

test('a file is read as everywhere: in its root, no more than wanted, and an error is that of the call', async (t) => {
  const root = await scratchDirectory(t);
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'passwd'), 'web:x:7:8::/home:/bin/sh\n');
  await symlink('/passwd', join(root, 'etc/passwd'));
  assert.equal(Buffer.from(await readStartOutside(root, '/etc/passwd', 5)).toString(), 'web:x');
  const long = 'x'.repeat(150_000);
  await writeFile(join(root, 'long'), long);
  assert.equal(Buffer.from(await readStartOutside(root, 'long', 200_000)).toString(), long);
  await assert.rejects(readStartOutside(root, 'etc', 5), { code: 'EISDIR' });
  await assert.rejects(readStartOutside(root, 'etc/group', 5), { code: 'ENOENT' });
  assert.equal((await resolveUser(root, { ...USER, group: undefined }, readStartOutside)).uid, 7);
});

test('a root that hangs costs its reader ten seconds, and nobody else', { skip, timeout: 60_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const [hung, target] = [join(directory, 'hung'), join(directory, 'target')];
  for (const each of [hung, target]) await mkdir(each);
  const fuse = spawn(process.execPath, [FIXTURE, hung], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => fuse.kill('SIGKILL'));
  await once(fuse.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  const startMs = performance.now();
  const readers = Array.from({ length: 8 }, async () => {
    const words = /^read \/etc\/passwd of an image with layers of an additional store: not finished after 10 s$/;
    await assert.rejects(resolveUser(hung, USER, readStartOutside), { kind: 'DeadlineExceeded', message: words });
  });
  await sleep(1000);
  assert.ok(performance.now() - startMs < 3000, 'the event loop was held up');
  // More than libuv has threads.
  await Promise.all(Array.from({ length: 8 }, async () => readFile(FIXTURE)));
  await onThread('mountTmpfs', { target, sizeBytes: 4096, mode: 0o755 });
  assert.ok(performance.now() - startMs < 5000, 'others were held up');
  await Promise.all(readers);
  assert.ok(threadsAreBusy());
  fuse.kill('SIGKILL');
  await once(fuse, 'exit');
  for (let left = 50; left > 0 && threadsAreBusy(); left -= 1) await sleep(100);
  assert.equal(threadsAreBusy(), false);
  await assert.rejects(readStartOutside(hung, '/etc/passwd', 5), { code: 'ENOTCONN' });
});
