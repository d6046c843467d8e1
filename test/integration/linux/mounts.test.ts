import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import {
  bindMount,
  mountOverlay,
  mountTmpfs,
  propagationOf,
  readMounts,
  setPropagation,
  unmount,
  unmountAllBelow,
} from '../../../src/linux/mounts.ts';
import { forceClassicOverlay } from '../../../src/linux/overlay.ts';
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
  const way = classic ? 'mount(2)' : 'the mount API';

  test(`mountOverlay by ${way}: 120 layers, the topmost first`, async (t) => {
    forceClassicOverlay(classic);
    const directory = await workspace(t);
    const lower = await makeLayers(directory, 120);
    const target = join(directory, 'target');
    mountOverlay({ lower, upper: join(directory, 'upper'), work: join(directory, 'work'), target });
    assert.equal(await readFile(join(target, 'same'), 'utf8'), 'from 0');
    assert.equal((await readdir(target)).length, 121);
    await writeFile(join(target, 'new'), 'x');
    assert.deepEqual(await readdir(join(directory, 'upper')), ['new']);
    unmount(target);
    assert.deepEqual(await readdir(target), []);
  });

  test(`mountOverlay by ${way}: long paths and paths with colon, comma, blank and backslash`, async (t) => {
    forceClassicOverlay(classic);
    const directory = await workspace(t, 'pod: a,b\\c');
    const lower = await makeLayers(directory, 40, join('x'.repeat(200), 'y'.repeat(200), ':,\\'));
    const target = join(directory, 'target');
    mountOverlay({ lower, upper: join(directory, 'upper'), work: join(directory, 'work'), target });
    assert.equal((await readdir(target)).length, 41);
    await writeFile(join(target, 'new'), 'x');
    const mount = (await readMounts()).find((entry) => entry.target === target);
    assert.equal(mount?.type, 'overlay');
  });

  test(`mountOverlay by ${way}: read-only, without upper, with options; what is wrong is said`, async (t) => {
    forceClassicOverlay(classic);
    const directory = await workspace(t);
    const lower = await makeLayers(directory, 2);
    const target = join(directory, 'target');
    mountOverlay({ lower, target, readOnly: true, options: ['index=off'] });
    await assert.rejects(writeFile(join(target, 'x'), ''), { code: 'EROFS' });
    unmount(target);
    const before = readdirSync('/proc/self/fd').length;
    assert.throws(
      () => {
        mountOverlay({ lower: [join(directory, 'nope')], target });
      },
      { code: 'ENOENT' },
    );
    assert.throws(() => {
      mountOverlay({ lower: [], target });
    }, /must have one/);
    assert.throws(
      () => {
        mountOverlay({ lower, target: join(directory, 'nope') });
      },
      { code: 'ENOENT' },
    );
    assert.throws(
      () => {
        mountOverlay({ lower, target, options: ['bogus=1'] });
      },
      classic ? { code: 'EINVAL' } : /Unknown parameter 'bogus'/,
    );
    assert.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor stays open');
  });
}

test('bindMount shows a directory, read-only all the way down where asked', async (t) => {
  const directory = await workspace(t);
  const [source, target] = [join(directory, 'source'), join(directory, 'target')];
  await ensureDir(join(source, 'below'));
  await mkdir(target);
  mountTmpfs(join(source, 'below'), { sizeBytes: 1024 * 1024, mode: 0o700 });
  await writeFile(join(source, 'below', 'file'), 'x');

  bindMount(source, target);
  assert.deepEqual(await readdir(join(target, 'below')), [], 'not recursive');
  unmount(target);

  bindMount(source, target, { recursive: true, readOnly: true });
  assert.equal(await readFile(join(target, 'below', 'file'), 'utf8'), 'x');
  await assert.rejects(writeFile(join(target, 'file'), ''), { code: 'EROFS' });
  await assert.rejects(writeFile(join(target, 'below', 'file'), ''), { code: 'EROFS' });
  await writeFile(join(source, 'below', 'file'), 'the source stays writable');
});

test('bindMount works on a file and says what is missing', async (t) => {
  const directory = await workspace(t);
  await writeFile(join(directory, 'a'), 'A');
  await writeFile(join(directory, 'b'), 'B');
  bindMount(join(directory, 'a'), join(directory, 'b'), { readOnly: true });
  assert.equal(await readFile(join(directory, 'b'), 'utf8'), 'A');
  assert.throws(() => {
    bindMount(join(directory, 'nope'), join(directory, 'b'));
  }, /ENOENT.*open_tree.*nope/);
});

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

test('propagationOf says how mounts below spread', async (t) => {
  const directory = await workspace(t);
  assert.equal(await propagationOf(join(directory, 'anything/at/all')), 'private');
  setPropagation(directory, 'shared');
  assert.equal(await propagationOf(directory), 'shared');
  await mkdir(join(directory, 'x'));
  bindMount(directory, join(directory, 'x'), { propagation: 'slave' });
  assert.equal(await propagationOf(join(directory, 'x')), 'slave');
  setPropagation(directory, 'private');
});
