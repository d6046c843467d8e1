/** What Node has compiled, kept for the next start in the directory that systemd makes: bin/podwright, src/daemon/compiled-code.ts. */
import assert from 'node:assert/strict';
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';

/** Nothing else that the daemon loads is as large as its bundle. */
const BUNDLE_BYTES = 500_000;
test('a daemon that kill -9 ended leaves its compiled code to the next one, which starts without where that is damaged', async () => {
  const daemon = await TestDaemon.start({ images: [] });
  try {
    const first = await codeOf(daemon);

    await daemon.kill9();
    await daemon.start();
    assert.deepEqual(await codeOf(daemon), first, 'the second start has taken it, and so not written it again');

    await daemon.kill9();
    await truncate(first.path, BUNDLE_BYTES / 2);
    await daemon.start();
    assert.equal((await codeOf(daemon)).path, first.path, 'it is written anew');
  } finally {
    await daemon.destroy();
  }
});

/** The file of the bundle's code, which is there before the first call is answered; another one after each writing. */
async function codeOf(daemon: TestDaemon): Promise<{ readonly path: string; readonly inode: number }> {
  const directory = join(daemon.directory, 'cache/code');
  for (const path of (await readdir(directory, { recursive: true })).map((name) => join(directory, name))) {
    const { size, ino } = await stat(path);
    if (size > BUNDLE_BYTES) return { path, inode: ino };
  }
  return assert.fail(`no compiled code in ${directory}`);
}
