import assert from 'node:assert/strict';
import { mkdir, mkdtemp, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { DiskLayout } from '../../../src/config/disk-layout.ts';
import type { Config } from '../../../src/config/schema.ts';
import { PART_LIMIT_BYTES } from '../../../src/debugbundle/part.ts';
import type { BundleContext } from '../../../src/debugbundle/part.ts';
import { recordParts } from '../../../src/debugbundle/record-parts.ts';

test('of many large records the newest are told, and how many are not', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'podwright-records-'));
  t.after(async () => remove(root));
  const config = { root, runDir: join(root, 'run') } as Config;
  const { bad } = new DiskLayout(config);
  await mkdir(bad, { recursive: true });
  const sizeBytes = 200 * 1024;
  for (let index = 0; index < 40; index += 1) {
    const path = join(bad, `${index}.json`);
    await writeFile(path, JSON.stringify({ id: 'x'.repeat(sizeBytes) }));
    await utimes(path, 1000 + index, 1000 + index);
  }
  const part = recordParts.find(({ file }) => file === 'records/bad.json') ?? assert.fail();
  const { 'left out': leftOut, ...told } = JSON.parse(await part.read({ config } as BundleContext)) as Record<string, unknown>;
  const count = Math.ceil(PART_LIMIT_BYTES / sizeBytes);
  assert.deepEqual(Object.keys(told).toSorted(), Array.from({ length: count }, (_, index) => `${39 - index}.json`).toSorted());
  assert.equal(leftOut, `${40 - count} older ones`);
});
