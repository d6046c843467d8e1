import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog, type Log } from '../../../src/base/log.ts';
import { HookDirectories } from '../../../src/hooks/hook-directories.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const SUBJECT = { annotations: {}, command: 'sh', hasBindMounts: false };

test('hooks come in the order of their names, a later directory wins, and changes count at once', async (t) => {
  const directory = await scratchDirectory(t, 'podwright-hooks');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => void warnings.push(message) };
  const hooks = new HookDirectories(() => ['0', '1', 'file'].map((name) => join(directory, name)), log);
  const write = async (name: string, arg: string, path = '/bin/sh'): Promise<void> =>
    writeFile(join(directory, name), JSON.stringify({ version: '1.0.0', hook: { path, args: [arg] }, when: { always: true }, stages: ['poststop'] })); // prettier-ignore
  const found = async (): Promise<string[]> => (await hooks.matching(SUBJECT)).flatMap(({ hook }) => hook.args ?? []);

  assert.deepEqual(await found(), []);
  for (const name of ['0', '1']) await mkdir(join(directory, name));
  for (const name of ['0/20-B.json', '0/10-a.json', '0/20-a.json', '1/15.json', '1/20-a.json', '0/other.txt']) await write(name, name);
  assert.deepEqual(await found(), ['0/10-a.json', '1/15.json', '1/20-a.json', '0/20-B.json']);
  await write('1/15.json', 'changed');
  await rm(join(directory, '1/20-a.json'));
  assert.deepEqual(await found(), ['0/10-a.json', 'changed', '0/20-a.json', '0/20-B.json']);

  await writeFile(join(directory, '0/10-a.json'), '{}');
  await write('0/20-B.json', 'B', join(directory, 'late'));
  await writeFile(join(directory, 'file'), '');
  for (let look = 0; look < 3; look++) assert.deepEqual(await found(), ['changed', '0/20-a.json']);
  assert.equal(warnings.length, 3, warnings.join('\n'));
  assert.match(warnings[0] ?? '', /10-a\.json is not used: version: must be 1\.0\.0, is missing/);
  await writeFile(join(directory, 'late'), '');
  assert.deepEqual(await found(), ['changed', '0/20-a.json', 'B']);
});
