import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { threadsAreBusy } from '../../../src/linux/kernel-threads.ts';
import { StorageWorkers } from '../../../src/storage/storage-workers.ts';
import { scratchDirectory } from '../../support/scratch.ts';

test('a worker that hangs in a place is left behind, four at most, and keeps no other job and no end', { timeout: 60_000 }, async (t) => {
  const scratch = await scratchDirectory(t);
  const [hung, sound] = [join(scratch, 'hung'), join(scratch, 'sound')];
  await writeFile(sound, '');
  // open(2) of a pipe waits for its writer: as a call in a file system that does not answer.
  await execa('mkfifo', [hung]);
  const workers = new StorageWorkers({ idleMs: 50 });
  const look = async (path: string, timeoutMs: number) => workers.runAt(scratch, 'digestFile', { path }, timeoutMs);
  const answers = async () => look(sound, 10_000).then(() => true, () => false); // prettier-ignore
  try {
    assert.ok(await answers());
    const looks = Array.from({ length: 4 }, async () => assert.rejects(look(hung, 2000), { kind: 'DeadlineExceeded' }));
    assert.ok(threadsAreBusy());
    for (let beside = 0; beside < 4; beside += 1) await workers.run('digestFile', { path: sound });
    await Promise.all(looks);
    await assert.rejects(look(sound, 10_000), { kind: 'Unavailable', message: /4 processes or threads .* still hang/ });
    await workers.run('digestFile', { path: sound });
    await workers.close();
    assert.ok(threadsAreBusy());
  } finally {
    await (await open(hung, 'r+')).close();
    while (threadsAreBusy()) await sleep(20);
  }
});
