import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FilesWatch } from '../../../src/registry/files-watch.ts';
import { until } from '../../support/pods.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Whether the kernel tells this process what changes in a directory: proc_pid_fdinfo(5), inotify. */
async function isWatched(directory: string): Promise<boolean> {
  const inode = (await stat(directory)).ino.toString(16);
  for (const fd of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '');
    if (target !== 'anon_inode:inotify') continue;
    if ((await readFile(`/proc/self/fdinfo/${fd}`, 'utf8')).includes(` ino:${inode} `)) return true;
  }
  return false;
}

test('of several calls at once the last one says what is watched, and nothing is once it is closed', async (t) => {
  const directory = await scratchDirectory(t);
  const [old, kept] = [join(directory, 'old'), join(directory, 'kept')];
  for (const place of [old, kept]) await mkdir(place);
  const watch = new FilesWatch(() => undefined, { warn: () => undefined } as unknown as ConstructorParameters<typeof FilesWatch>[1]);
  t.after(() => {
    watch.close();
  });
  // The first has the more to look at.
  const many = Array.from({ length: 50 }, (_, index) => join(old, String(index), 'deep', 'below'));
  await Promise.all([watch.follow(many, [old]), watch.follow([], [kept])]);
  assert.ok(await isWatched(kept));
  await until('what only the first named is watched no more', async () => !(await isWatched(old)), 3000);
  watch.close();
  await until('nothing is watched', async () => !(await isWatched(kept)), 3000);
});
