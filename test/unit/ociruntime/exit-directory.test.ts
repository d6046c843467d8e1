import assert from 'node:assert/strict';
import { readdir, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { ExitDirectory, readExit, removeExitFiles } from '../../../src/ociruntime/exit-directory.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)];

test('readExit() gives the code, the time of the file, and whether conmon saw an OOM kill', async (t) => {
  const directory = await scratchDirectory(t);
  await writeFile(join(directory, 'exit'), '137');
  await utimes(join(directory, 'exit'), 1_700_000_000, 1_700_000_000);
  assert.deepStrictEqual(await readExit(directory), { exitCode: 137, finishedAtNs: 1_700_000_000_000_000_000n, oomSeen: false });

  await writeFile(join(directory, 'oom'), '');
  assert.equal((await readExit(directory))?.oomSeen, true);
});

test('without an exit file, or with one that a loss of power left empty, the end is not known', async (t) => {
  const directory = await scratchDirectory(t);
  assert.equal(await readExit(directory), undefined);
  assert.equal(await readExit(join(directory, 'no-such-directory')), undefined);
  for (const text of ['', '\0\0', 'killed']) {
    await writeFile(join(directory, 'exit'), text);
    assert.equal(await readExit(directory), undefined, JSON.stringify(text));
  }
});

test('the exit directory reports files that are there, and each that comes; others it does not know', async (t) => {
  const path = await scratchDirectory(t);
  await writeFile(join(path, A), '0');
  await writeFile(join(path, 'README'), 'mine');
  await writeFile(join(path, `${B}.Xy12Z3`), '');
  const seen = new Set<string>();
  const arrived = Promise.withResolvers<undefined>();
  const exits = new ExitDirectory({
    path,
    log: silentLog,
    onExit: (id) => {
      seen.add(id);
      if (id === B) arrived.resolve(undefined);
    },
  });
  t.after(() => {
    exits.close();
  });
  await exits.start();
  assert.deepStrictEqual([...seen], [A]);
  assert.deepStrictEqual((await readdir(path)).sort(), [A, 'README'].sort(), 'what a killed conmon left half-written is gone');

  // As conmon does it.
  await writeFile(join(path, `${B}.Ab34C5`), '3');
  await rename(join(path, `${B}.Ab34C5`), join(path, B));
  await Promise.race([arrived.promise, sleep(10_000, undefined, { ref: false })]);
  assert.deepStrictEqual([...seen], [A, B]);
});

test('what a killed conmon left half-written goes with its container, and nothing of another', async (t) => {
  const path = await scratchDirectory(t);
  for (const name of [A, `${A}.AQ8MZ3`, B, `${B}.Xy12Z3`]) await writeFile(join(path, name), '0');
  await removeExitFiles(path, A);
  await removeExitFiles(path, A);
  assert.deepStrictEqual((await readdir(path)).sort(), [B, `${B}.Xy12Z3`]);
});
