import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const REPOSITORY = join(import.meta.dirname, '../../..');

test('every promise of SPECIFICATION.md names the tests that hold it, and they exist', async () => {
  const text = await readFile(join(REPOSITORY, 'SPECIFICATION.md'), 'utf8');
  const promises = text.split(/^(?=\d+\. )/m).slice(1);

  assert.ok(promises.length >= 18);
  for (const promise of promises) {
    const paths = [...promise.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!);
    assert.notDeepEqual(paths, [], promise);
    for (const path of paths) await access(join(REPOSITORY, path));
  }
});
