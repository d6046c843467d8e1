/** What Node has compiled, kept for the next start in the directory that systemd makes: bin/podwright, src/daemon/compiled-code.ts. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon } from '../support/daemon.ts';
import { until } from '../support/pods.ts';

/** Nothing else that the daemon loads is as large as its bundle. */
const BUNDLE_BYTES = 500_000;
/** It is written 10 s after the start. */
const WRITTEN_MS = 30_000;

test('a daemon that kill -9 ended leaves its compiled code to the next one, which starts without where that is damaged', async () => {
  const daemon = await TestDaemon.start({ images: [] });
  try {
    const first = await codeOf(daemon);

    await daemon.kill9();
    await daemon.start();
    await sleep(12_000);
    assert.deepEqual(await codeOf(daemon), first, 'the second start has taken it, and so not written it again');

    await daemon.kill9();
    await truncate(first.path, BUNDLE_BYTES / 2);
    await daemon.start();
    assert.equal((await codeOf(daemon)).path, first.path, 'it is written anew');
    assert.doesNotMatch(await readFile(daemon.logFile, 'utf8'), /stood still.*compiled code/, 'to write it does not hold up the calls');
  } finally {
    await daemon.destroy();
  }
});

/** The file of the bundle's code, once it is there; another one after each writing. */
async function codeOf(daemon: TestDaemon): Promise<{ readonly path: string; readonly inode: number }> {
  const directory = join(daemon.directory, 'cache/code');
  return until(
    'compiled code is there',
    async () => {
      const names = await readdir(directory, { recursive: true }).catch(() => []);
      for (const path of names.map((name) => join(directory, name))) {
        const { size, ino } = await stat(path);
        if (size > BUNDLE_BYTES) return { path, inode: ino };
      }
      return undefined;
    },
    WRITTEN_MS,
  );
}
