import assert from 'node:assert/strict';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Digest } from '../../../../src/base/ids.ts';
import { unpackChunks } from '../../../../src/storage/chunks/unpack-chunks.ts';
import { FollowedFile } from '../../../../src/storage/followed-file.ts';
import { scratchDirectory } from '../../../support/scratch.ts';

test('unpackChunks leaves nothing open where the recipe is gone', async (t) => {
  const scratch = await scratchDirectory(t);
  const [source, directory] = [join(scratch, 'source'), join(scratch, 'fs')];
  await writeFile(source, '');
  await mkdir(directory);
  const part = { position: 0, storedBytes: 1, sizeBytes: 1 };
  const digest = `sha256:${'0'.repeat(64)}` as Digest;
  const request = { source, directory, recipe: join(scratch, 'recipe'), layers: [], diffId: digest, blobDigest: digest, blobBytes: 1 };
  const index = { path: source, toc: part, tocDigest: digest };
  const file = new FollowedFile(source);
  try {
    await assert.rejects(unpackChunks(file, { ...request, index }, AbortSignal.timeout(60_000)), { code: 'ENOENT' });
  } finally {
    file.close();
  }
  const open = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  assert.deepEqual(
    open.filter((path) => path.startsWith(scratch)),
    [],
  );
});
