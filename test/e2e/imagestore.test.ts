/** Images on a file system of their own, and what the kubelet is told of it. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { execOutput, removePod, runContainer, runPod } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const DISK_BYTES = 256 * 1024 * 1024;

test('with imagestore, images lie there and ImageFsInfo tells two file systems', { timeout: 120_000 }, async () => {
  const disk = await mkdtemp(join(tmpdir(), 'pw-disk-'));
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'pw-disk', disk]);
  const imagestore = join(disk, 'images');
  const daemon = await TestDaemon.start({ config: `imagestore = "${imagestore}"\n`, images: ['busybox', 'layers'] });
  try {
    const before = await inventoryOf(daemon);
    const told = async (): Promise<(string | undefined)[]> => {
      const { imageFilesystems, containerFilesystems } = await daemon.images.imageFsInfo({});
      return [imageFilesystems[0]?.fsId?.mountpoint, containerFilesystems[0]?.fsId?.mountpoint];
    };
    assert.deepEqual(await told(), [imagestore, join(daemon.root, 'storage')]);
    assert.deepEqual((await readdir(join(daemon.root, 'storage'))).sort(), ['rootfs']);
    assert.deepEqual((await readdir(imagestore)).sort(), ['blobs', 'daemon.lock', 'images', 'layers']);

    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, ['sleep', '3600'], { imageVolumes: { '/one': { image: IMAGES.layers } } });
    await execOutput(daemon, id, ['touch', '/written']);
    await daemon.restart();
    assert.equal((await execOutput(daemon, id, ['ls', '/written'])).trim(), '/written');
    const { stats } = await daemon.runtime.containerStats({ containerId: id });
    assert.equal(stats?.writableLayer?.fsId?.mountpoint, join(daemon.root, 'storage'));

    const other = await TestDaemon.prepare({ config: `imagestore = "${imagestore}"\n` });
    try {
      await other.launch();
      await other.ended();
      assert.match(await other.logTail(), /another podwright already works on imagestore/);
    } finally {
      await other.destroy();
    }
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: IMAGES.layers } });
    assert.equal((await daemon.images.listImages({})).images.length, 1);
    await assertNothingNew(daemon, before);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    throw error;
  } finally {
    await daemon.destroy();
    await execa('umount', ['-l', disk]);
    await remove(disk);
  }
});

test('an imagestore on the file system of the root is one file system for the kubelet', { timeout: 120_000 }, async () => {
  const imagestore = await mkdtemp(join(tmpdir(), 'pw-images-'));
  await mkdir(join(imagestore, 'of-others'));
  const daemon = await TestDaemon.start({ config: `imagestore = "${imagestore}"\n` });
  try {
    const { imageFilesystems, containerFilesystems } = await daemon.images.imageFsInfo({});
    const mountpoints = [...imageFilesystems, ...containerFilesystems].map(({ fsId }) => fsId?.mountpoint);
    assert.deepEqual(mountpoints, [join(daemon.root, 'storage'), join(daemon.root, 'storage')]);
  } finally {
    await daemon.destroy();
    await remove(imagestore);
  }
});
