import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { chmod, link, lutimes, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ensureDir } from 'fs-extra/esm';
import { isDirectoryAtHand, lockFile, openInRoot, pathInRoot, readFileInRoot } from '../../../src/linux/files.ts';
import { close, O_RDONLY } from '../../../src/linux/libc.ts';
import { run } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const LIMIT = 64 * 1024;

test('readFileInRoot never leaves the root, by whatever symlink', async (t) => {
  const directory = await scratchDirectory(t);
  const root = join(directory, 'root');
  await ensureDir(join(root, 'etc', 'deep'));
  await writeFile(join(directory, 'secret'), 'outside');
  await writeFile(join(root, 'etc', 'passwd'), 'inside');
  const links = {
    'etc/absolute': '/etc/passwd',
    'etc/relative': '../../../../../../etc/passwd',
    'etc/out': '../../secret',
    'etc/deep/up': '..',
    'etc/loop': 'loop',
    'etc/proc': `/proc/self/root${directory}/secret`,
    'etc/outside': join(directory, 'secret'),
    top: '/..',
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name));
  const read = async (path: string): Promise<string> => (await readFileInRoot(root, path, LIMIT)).toString();

  for (const path of [
    '/etc/passwd',
    'etc/passwd',
    '/etc/absolute',
    '/etc/relative',
    '/etc/deep/up/passwd',
    '/../../etc/passwd',
    '/top/etc/passwd',
  ]) {
    assert.equal(await read(path), 'inside', path);
  }
  for (const path of ['/etc/out', '/etc/outside', '/etc/proc', '/none', '/../secret', '/top/secret']) {
    await assert.rejects(read(path), { code: 'ENOENT' }, path);
  }
  await assert.rejects(read('/etc/loop'), { code: 'ELOOP' });
  await assert.rejects(read('/etc/passwd/x'), { code: 'ENOTDIR' });
  await assert.rejects(read('/etc'), { code: 'EISDIR' });
  await assert.rejects(read('/etc/passwd\0/x'), { code: 'EINVAL' });
  await assert.rejects(readFileInRoot(join(directory, 'none'), '/x', LIMIT), { code: 'ENOENT' });

  assert.equal(pathInRoot(root, '/etc/deep/up/absolute'), join(root, 'etc/passwd'));
  assert.equal(pathInRoot(root, '/top'), root);
  assert.throws(() => pathInRoot(root, '/etc/out'), { code: 'ENOENT' });
});

test('readFileInRoot does not follow magic links of a proc inside the root', async () => {
  await assert.rejects(readFileInRoot('/proc', '/self/root/etc/hostname', LIMIT), { code: 'ELOOP' });
  await assert.rejects(readFileInRoot('/proc', '/self/exe', LIMIT), { code: 'ELOOP' });
});

test('readFileInRoot does not wait for a FIFO or touch a device', { timeout: 5000 }, async (t) => {
  const root = await scratchDirectory(t);
  await run('mkfifo', { args: [join(root, 'fifo')], timeoutMs: 5000 });
  await run('mknod', { args: [join(root, 'null'), 'c', '1', '3'], timeoutMs: 5000 });
  const before = readdirSync('/proc/self/fd').length;
  for (const name of ['fifo', 'null']) await assert.rejects(readFileInRoot(root, name, LIMIT), { code: 'EINVAL' }, name);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('readFileInRoot reads up to the limit, not a byte more', async (t) => {
  const root = await scratchDirectory(t);
  await writeFile(join(root, 'big'), Buffer.alloc(200_000, 'x'));
  assert.equal((await readFileInRoot(root, 'big', 200_000)).length, 200_000);
  await assert.rejects(readFileInRoot(root, 'big', 199_999), { code: 'EFBIG' });
  await writeFile(join(root, 'empty'), '');
  assert.equal((await readFileInRoot(root, 'empty', 0)).length, 0);
});

test('openInRoot stays inside while directories are swapped under it', { timeout: 20_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const root = join(directory, 'root');
  await ensureDir(join(root, 'a', 'b'));
  await writeFile(join(root, 'a', 'b', 'file'), 'inside');
  await writeFile(join(directory, 'file'), 'outside');
  await symlink('../..', join(root, 'evil'));
  const state = { swapping: true };
  const swaps = (async () => {
    while (state.swapping) {
      await rename(join(root, 'a', 'b'), join(root, 'a', 'c'));
      await rename(join(root, 'evil'), join(root, 'a', 'b'));
      await rename(join(root, 'a', 'b'), join(root, 'evil'));
      await rename(join(root, 'a', 'c'), join(root, 'a', 'b'));
    }
  })();
  const seen = new Set<string>();
  t.after(() => (state.swapping = false));
  for (let index = 0; index < 1500; index += 1) {
    try {
      seen.add((await readFileInRoot(root, '/a/b/file', LIMIT)).toString());
    } catch (error) {
      seen.add(String((error as NodeJS.ErrnoException).code));
    }
    await nextTurn();
  }
  state.swapping = false;
  await swaps;
  assert.ok(seen.has('inside'), [...seen].join());
  assert.ok(!seen.has('outside'));
});

test('openInRoot makes files only inside and closes them on exec', async (t) => {
  const root = await scratchDirectory(t);
  const fd = openInRoot(root, '/', O_RDONLY);
  const { stdout } = await run('ls', { args: ['/proc/self/fd'], timeoutMs: 5000 });
  assert.equal(stdout.toString(), '0\n1\n2\n3\n');
  close(fd);
});

test('lockFile is taken once, here and by others, until released or the holder ends', async (t) => {
  const directory = await scratchDirectory(t);
  const path = join(directory, 'lock');
  const lock = lockFile(path);
  assert.ok(lock !== false);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(lockFile(path), false);
  const others = async (): Promise<number | undefined> => (await run('flock', { args: ['-n', path, 'true'], timeoutMs: 5000 })).exit.code;
  assert.equal(await others(), 1);
  await chmod(path, 0o644);
  lock.release();
  assert.equal(await others(), 0);
  const again = lockFile(path);
  assert.ok(again !== false);
  again.release();
  await link(path, join(directory, 'other'));
  await symlink(path, join(directory, 'symlink'));
  assert.throws(() => lockFile(join(directory, 'symlink')), { code: 'ELOOP' });
});

test('a directory that the kernel has in its cache is at hand; a file, what is absent, and what is mounted is not', async (t) => {
  const directory = await scratchDirectory(t);
  await ensureDir(join(directory, 'made', 'just', 'now'));
  await writeFile(join(directory, 'file'), '');
  await symlink('made', join(directory, 'link'));
  // A link whose time of access is due (relatime) has to be written, from the clock's next tick after its making on.
  await lutimes(join(directory, 'link'), Date.now() / 1000 + 3600, 0);

  const found = ['made/just/now', 'link/just', 'made/../made', 'file', 'file/in', 'absent', 'absent/in'].map((name) =>
    isDirectoryAtHand(`${directory}/${name}`),
  );
  const isOnRoot = (await stat(directory)).dev === (await stat('/')).dev;
  assert.deepEqual(found, [isOnRoot, isOnRoot, isOnRoot, false, false, false, false]);
  // Whoever is behind a mount may have to be asked.
  assert.equal(isDirectoryAtHand('/proc'), false);
  assert.equal(isDirectoryAtHand('/proc/sys/kernel'), false);
});
