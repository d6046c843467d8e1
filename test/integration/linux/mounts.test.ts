import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { mountOverlay, mountTmpfs, readMounts, unmount, unmountAllBelow } from '../../../src/linux/mounts.ts';
import { mountClassic } from '../../../src/linux/overlay.ts';
import { setPropagation } from '../../support/mounts.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const TMPFS_MAGIC = 0x01021994;

/** A tmpfs to work in, as an overlay's upper must not lie on another overlay; private, so that nothing spreads. */
async function workspace(t: TestContext, name?: string): Promise<string> {
  const directory = await scratchDirectory(t, name);
  mountTmpfs(directory, { sizeBytes: 64 * 1024 * 1024, mode: 0o755 });
  setPropagation(directory, 'private');
  return directory;
}

async function makeLayers(directory: string, count: number, nested = ''): Promise<string[]> {
  const layers = Array.from({ length: count }, (_each, index) => join(directory, 'layers', `l${index}`, nested));
  for (const [index, layer] of layers.entries()) {
    await ensureDir(layer);
    await writeFile(join(layer, `only-${index}`), String(index));
    await writeFile(join(layer, 'same'), `from ${index}`);
  }
  for (const name of ['upper', 'work', 'target']) await ensureDir(join(directory, name));
  return layers;
}

for (const classic of [false, true]) {
  const mount = classic ? mountClassic : mountOverlay;
  const way = classic ? 'mount(2)' : 'the mount API';

  test(`mountOverlay by ${way}: 120 layers, the topmost first`, async (t) => {
    const directory = await workspace(t);
    const lower = await makeLayers(directory, 120);
    const target = join(directory, 'target');
    mount({ lower, upper: join(directory, 'upper'), work: join(directory, 'work'), target });
    assert.equal(await readFile(join(target, 'same'), 'utf8'), 'from 0');
    assert.equal((await readdir(target)).length, 121);
    await writeFile(join(target, 'new'), 'x');
    assert.deepEqual(await readdir(join(directory, 'upper')), ['new']);
    unmount(target);
    assert.deepEqual(await readdir(target), []);
  });

  test(`mountOverlay by ${way}: long paths and paths with colon, comma, blank and backslash`, async (t) => {
    const directory = await workspace(t, 'pod: a,b\\c');
    const lower = await makeLayers(directory, 40, join('x'.repeat(200), 'y'.repeat(200), ':,\\'));
    const target = join(directory, 'target');
    mount({ lower, upper: join(directory, 'upper'), work: join(directory, 'work'), target });
    assert.equal((await readdir(target)).length, 41);
    await writeFile(join(target, 'new'), 'x');
    const entry = (await readMounts()).find((each) => each.target === target);
    assert.equal(entry?.type, 'overlay');
  });

  test(`mountOverlay by ${way}: read-only, without upper, with options; what is wrong is said`, async (t) => {
    const directory = await workspace(t);
    const lower = await makeLayers(directory, 2);
    const target = join(directory, 'target');
    mount({ lower, target, readOnly: true, options: ['index=off'] });
    await assert.rejects(writeFile(join(target, 'x'), ''), { code: 'EROFS' });
    unmount(target);
    const before = readdirSync('/proc/self/fd').length;
    assert.throws(
      () => {
        mount({ lower: [join(directory, 'nope')], target });
      },
      { code: 'ENOENT' },
    );
    assert.throws(() => {
      mountOverlay({ lower: [], target });
    }, /must have one/);
    assert.throws(
      () => {
        mount({ lower, target: join(directory, 'nope') });
      },
      { code: 'ENOENT' },
    );
    assert.throws(
      () => {
        mount({ lower, target, options: ['bogus=1'] });
      },
      classic ? { code: 'EINVAL' } : /Unknown parameter 'bogus'/,
    );
    assert.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor stays open');
  });
}

test('mountTmpfs has the size and mode asked for', async (t) => {
  const directory = await workspace(t);
  const target = join(directory, 'shm');
  await mkdir(target);
  mountTmpfs(target, { sizeBytes: 8 * 1024 * 1024, mode: 0o1777, source: 'shm' });
  const fs = await statfs(target);
  assert.equal(fs.type, TMPFS_MAGIC);
  assert.equal(fs.blocks * fs.bsize, 8 * 1024 * 1024);
  assert.equal((await stat(target)).mode & 0o7777, 0o1777);
  const mount = (await readMounts()).find((entry) => entry.target === target);
  assert.equal(mount?.source, 'shm');
  for (const option of ['nosuid', 'nodev', 'noexec']) assert.ok(mount.options.includes(option), option);
});

test('unmount is lazy, takes all of a stack, and is fine with nothing to do', async (t) => {
  const directory = await workspace(t);
  const target = join(directory, 'x');
  await mkdir(target);
  mountTmpfs(target, { sizeBytes: 1024 * 1024, mode: 0o755 });
  mountTmpfs(target, { sizeBytes: 1024 * 1024, mode: 0o755 });
  const busy = await readdir(target)
    .then(() => import('node:fs/promises'))
    .then(({ open }) => open(target, 'r'));
  unmount(target);
  assert.equal(
    (await readMounts()).some((entry) => entry.target === target),
    false,
  );
  await busy.close();
  unmount(target);
  unmount(join(directory, 'nope'));
  unmount(join(directory, 'nope', 'deeper'));
});

test('unmount does not follow a symlink at the end', async (t) => {
  const directory = await workspace(t);
  const target = join(directory, 'x');
  await mkdir(target);
  mountTmpfs(target, { sizeBytes: 1024 * 1024, mode: 0o755 });
  await symlink(target, join(directory, 'link'));
  unmount(join(directory, 'link'));
  assert.equal(
    (await readMounts()).some((entry) => entry.target === target),
    true,
  );
});

test('unmountAllBelow clears a tree and leaves its neighbours', async (t) => {
  const directory = await workspace(t);
  for (const name of ['pod', 'pod/a', 'pod/a/b', 'pod2']) {
    await ensureDir(join(directory, name));
    mountTmpfs(join(directory, name), { sizeBytes: 1024 * 1024, mode: 0o755 });
    if (name === 'pod') await ensureDir(join(directory, 'pod', 'a'));
  }
  const gone = await unmountAllBelow(join(directory, 'pod'));
  assert.deepEqual(
    gone,
    ['pod', 'pod/a', 'pod/a/b'].map((name) => join(directory, name)),
  );
  const left = (await readMounts()).map(({ target }) => target).filter((target) => target.startsWith(`${directory}/`));
  assert.deepEqual(left, [join(directory, 'pod2')]);
});
