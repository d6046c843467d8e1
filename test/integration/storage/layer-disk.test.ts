import assert from 'node:assert/strict';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { LayerDisk } from '../../../src/storage/layer-disk.ts';
import { StorageWorkers } from '../../../src/storage/storage-workers.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const MIB = 1024 * 1024;
/** Which of the two the kernel keeps is a matter of what the loop device says first. */
const WRITE_FAILED = /(EIO|ENOSPC).*syncfs/;

test('what a flush on the way could not write fails the one at the end, also for those beside it', { timeout: 60_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const [room, disk] = [join(directory, 'room'), join(directory, 'disk')];
  for (const each of [room, disk]) await mkdir(each);
  // A disk that has room for a third of what it promises.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', room]);
  const image = join(room, 'disk.img');
  await writeFile(image, '');
  await truncate(image, 72 * MIB);
  await execa('mkfs.ext4', ['-q', '-O', '^has_journal', image]);
  await execa('mount', ['-o', 'loop', image, disk]);
  const workers = new StorageWorkers({ idleMs: 50 });
  const layerDisk = new LayerDisk(disk, workers);
  try {
    await layerDisk.watched(async (beside) => {
      await layerDisk.watched(async (own) => {
        await writeFile(join(disk, 'small'), Buffer.alloc(MIB, 1));
        await own.sync();
        await writeFile(join(disk, 'large'), Buffer.alloc(40 * MIB, 2));
        layerDisk.wrote(40 * MIB);
        await sleep(3000); // the flush on the way has been there, which would have the failure to itself
        await assert.rejects(own.sync(), WRITE_FAILED);
      });
      await assert.rejects(beside.sync(), WRITE_FAILED);
    });
    await layerDisk.watched(async (later) => later.sync());
  } finally {
    await workers.close();
    await execa('umount', [disk]);
    await execa('umount', [room]);
  }
});
