import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import type { ContainerId, Digest } from '../../../src/base/ids.ts';
import { run } from '../../../src/linux/spawn.ts';
import { startImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

async function shell(script: string, ...args: string[]): Promise<void> {
  const { exit, stderr } = await run('/bin/sh', { args: ['-ec', script, 'sh', ...args], timeoutMs: 60_000 });
  assert.equal(exit.code, 0, stderr.toString());
}

/** What containers leave in their writable layers. */
const TREES: Readonly<Record<string, string>> = {
  nothing: 'true',
  'a few files': 'mkdir a; echo x > a/f; ln -s /etc/passwd a/l; mkfifo a/p; mknod a/n c 0 0',
  'many files': 'for d in $(seq 1 30); do mkdir d$d; for f in $(seq 1 50); do : > d$d/f$f; done; done',
  'a path longer than PATH_MAX': 'n=$(printf "n%.0s" $(seq 1 200)); for i in $(seq 1 40); do mkdir $n; cd -P $n; done; echo x > f',
  'more levels than the walk goes down': 'for i in $(seq 1 1500); do mkdir d; cd -P d; done; echo x > f',
  'names that are not text':
    'touch "$(printf "\\\\377\\\\376")" "$(printf "a\\\\nb")"; mkdir "$(printf "d\\\\377")"; touch "$(printf "d\\\\377/f\\\\377")"',
};

test('a writable layer of any shape is measured and removed whole, and nothing a symlink of it leads to', async (t) => {
  const root = await scratchDirectory(t);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  await mkdir(join(root, 'outside'));
  await writeFile(join(root, 'outside/kept'), 'kept');
  let number = 0;
  for (const [name, script] of Object.entries(TREES)) {
    const id = String(++number).repeat(64) as ContainerId;
    const upper = join(root, 'rootfs', id, 'diff');
    await ensureDir(upper);
    await writeFile(join(root, 'rootfs', id, 'chain'), 'sha256:x');
    await shell(`cd "$1"; ln -s "$2" out; ${script}`, upper, join(root, 'outside'));
    const { inodesUsed } = await stores.rootfs.usage(id);
    assert.ok(inodesUsed >= 2, name);
    if (name === 'many files') assert.equal(inodesUsed, 1 + 1 + 30 + 1500);
    await stores.rootfs.remove(id);
    assert.deepEqual(await stores.rootfs.list(), [], name);
    assert.deepEqual(await readdir(join(root, 'rootfs')), [], name);
  }
  assert.deepEqual(await readdir(join(root, 'outside')), ['kept']);
});

test('a container whose layers are missing is not mounted, and says which', async (t) => {
  const root = await scratchDirectory(t);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  const missing = `sha256:${'0'.repeat(64)}` as Digest;
  await assert.rejects(stores.rootfs.mount('a'.repeat(64) as ContainerId, missing, { target: root }), {
    kind: 'NotFound',
    message: /layer sha256:0000.* is not here/,
  });
  assert.deepEqual(await stores.rootfs.usage('b'.repeat(64) as ContainerId), { usedBytes: 0, inodesUsed: 0 });
});
