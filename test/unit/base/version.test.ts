import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readJson } from 'fs-extra/esm';
import { VERSION } from '../../../src/base/version.ts';

test('VERSION is the version in package.json', async () => {
  const manifest = (await readJson(join(import.meta.dirname, '../../../package.json'))) as { version: string };

  assert.equal(VERSION, manifest.version);
});
