/** Writable layers are mounted volatile: what the kernel makes of that, after a kill of the daemon and after a reboot. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ContainerId, Digest } from '../../../src/base/ids.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { mountOverlay, readMounts, unmount } from '../../../src/linux/mounts.ts';
import { startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const CONTAINER = 'c'.repeat(64) as ContainerId;

interface Lab {
  readonly stores: ImageStorage;
  readonly chain: Digest;
  readonly target: string;
  /** The container's own directory. */
  readonly own: string;
  readonly lower: string;
  mount(): Promise<void>;
  writtenNow(): Promise<string | undefined>;
}

async function lab(t: TestContext): Promise<Lab> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  const target = join(scratch, 'mounted');
  for (const directory of [root, target]) await mkdir(directory);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  const layers = [await makeLayer([{ path: 'etc', kind: 'directory', mode: 0o755 }])];
  const [record] = await loadArchive(stores, Readable.from([ociArchive([{ name: 'localhost/test/v:1', config: {}, layers }])]), {
    signal: t.signal,
  });
  assert.ok(record !== undefined);
  const own = join(root, 'rootfs', CONTAINER);
  return {
    stores,
    chain: record.chain,
    target,
    own,
    lower: stores.layers.lowerDirs(record.chain)[0]!,
    mount: async () => stores.rootfs.mount(CONTAINER, record.chain, { target }),
    writtenNow: async () => readFile(join(target, 'written'), 'utf8').catch(() => undefined),
  };
}

test('a root file system is mounted volatile, and the kernel refuses its writable layer the next time', async (t) => {
  const { mount, target, own, lower, stores } = await lab(t);
  await mount();
  const entry = (await readMounts()).find((each) => each.target === target);
  assert.match(JSON.stringify(entry), /volatile/);
  await stat(join(own, 'work/work/incompat/volatile'));
  await stores.rootfs.unmount(CONTAINER, target);
  const again = { lower: [lower], upper: join(own, 'diff'), work: join(own, 'work'), target };
  for (const volatile of [true, false]) assert.throws(() => { mountOverlay({ ...again, volatile }); }, { code: 'EINVAL' }); // prettier-ignore
});

test('after a kill of the daemon the same writable layer is mounted again, with what was written', async (t) => {
  const { mount, target, stores, writtenNow } = await lab(t);
  await mount();
  await writeFile(join(target, 'written'), 'before');
  unmount(target);
  await mount();
  assert.equal(await writtenNow(), 'before');
  await stores.rootfs.unmount(CONTAINER, target);
});

test('after a reboot the writable layer is made anew, for any part of it may be missing', async (t) => {
  const { mount, target, own, stores, writtenNow } = await lab(t);
  await mount();
  await writeFile(join(target, 'written'), 'before');
  unmount(target);
  await writeFile(join(own, 'boot'), '00000000-0000-0000-0000-000000000000');
  await mount();
  assert.equal(await writtenNow(), undefined);
  await writeFile(join(target, 'written'), 'after');
  unmount(target);
  // A loss of power may leave the file empty, or without a name.
  await rm(join(own, 'boot'));
  await mount();
  assert.equal(await writtenNow(), undefined);
  await stores.rootfs.unmount(CONTAINER, target);
});

test('a daemon that was killed before its first mount has left nothing in the way', async (t) => {
  const { mount, own, stores, target } = await lab(t);
  await ensureDir(join(own, 'diff'));
  await mount();
  assert.equal(((await stat(target)).mode & 0o777).toString(8), '755');
  await stores.rootfs.unmount(CONTAINER, target);
});
