import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';

const FIXTURE = new URL('../../fixtures/two-ends.ts', import.meta.url).pathname;

test('an end of a test file that fails keeps no other from being done, and fails the file', async () => {
  const env = { NODE_TEST_CONTEXT: undefined };
  const { exitCode, stdout, timedOut } = await execa(process.execPath, ['--test', FIXTURE], { env, timeout: 20_000, reject: false });
  assert.deepEqual([timedOut, exitCode], [false, 1]);
  assert.match(stdout, /the first end fails/);
  assert.match(stdout, /at last the child is killed/);
});

test('a directory that cannot be removed yet keeps no end behind its own from being done, and goes after them', async () => {
  const fixture = new URL('../../fixtures/busy-scratch.ts', import.meta.url).pathname;
  const env = { NODE_TEST_CONTEXT: undefined };
  const { exitCode, stdout, timedOut } = await execa(process.execPath, ['--test', fixture], { env, timeout: 20_000, reject: false });
  const [, file = ''] = /ended (\S+)/.exec(stdout) ?? [];
  assert.deepEqual([timedOut, exitCode], [false, 0], stdout);
  assert.notEqual(file, '', stdout);
  assert.equal(existsSync(dirname(file)), false, file);
});
