import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../../../src/base/ids.ts';
import { planChunks } from '../../../../src/storage/chunks/plan-chunks.ts';
import { scratchDirectory } from '../../../support/scratch.ts';

const PIB = 2 ** 50;

test('planChunks refuses files that have no room, however little of them is to be fetched', async (t) => {
  const directory = await scratchDirectory(t);
  const digest = `sha256:${'0'.repeat(64)}`;
  const zeros = { type: 'reg', name: 'zeros', size: PIB, chunkSize: PIB, chunkType: 'zeros', chunkDigest: digest, offset: 1, endOffset: 2 };
  const toc = Buffer.from(JSON.stringify({ version: 1, entries: [zeros] }));
  const stored = zstdCompressSync(toc);
  const path = join(directory, 'index');
  await writeFile(path, stored);
  const index = {
    path,
    toc: { position: 0, storedBytes: stored.length, sizeBytes: toc.length },
    tocDigest: `sha256:${createHash('sha256').update(stored).digest('hex')}` as Digest,
  };
  const [list, recipe] = [join(directory, 'list'), join(directory, 'recipe')];
  await assert.rejects(planChunks({ index, contentEnd: 3, layers: [], list, recipe }, AbortSignal.timeout(60_000)), {
    kind: 'FailedPrecondition',
    message: new RegExp(`its files have ${PIB} bytes, and \\d+ are free`),
  });
  await assert.rejects(access(recipe));
});
