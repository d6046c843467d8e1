/** What docs/security.md says of systemd's directives is what the guest tries, and the unit has none of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TRIALS } from '../vm/guest/hardening-trials.ts';

const REPOSITORY = join(import.meta.dirname, '../..');

test('each directive that is tried in the guest is in the table of docs/security.md', async () => {
  const page = await readFile(join(REPOSITORY, 'docs/security.md'), 'utf8');
  const [, table = ''] = /\n\| directive \|(.*?)\n\n/s.exec(page) ?? [];
  const missing = TRIALS.map(({ set }) => (set.startsWith('SystemCallFilter=') ? set.replace('SystemCallFilter=', '') : (set.split('=')[0] ?? '')))
    .filter((name) => !table.includes(name)); // prettier-ignore
  assert.deepEqual(missing, []);
});

test('the unit sets none of them', async () => {
  const unit = await readFile(join(REPOSITORY, 'deploy/podwright.service'), 'utf8');
  const names = TRIALS.map(({ set }) => set.split('=')[0] ?? '');
  const set = unit.split('\n').filter((line) => names.some((name) => line.startsWith(`${name}=`)));
  assert.deepEqual(set, ['UMask=0022']);
});
