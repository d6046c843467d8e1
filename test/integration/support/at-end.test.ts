import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execa } from 'execa';

const FIXTURE = new URL('../../fixtures/two-ends.ts', import.meta.url).pathname;

test('an end of a test file that fails keeps no other from being done, and fails the file', async () => {
  const env = { NODE_TEST_CONTEXT: undefined };
  const { exitCode, stdout, timedOut } = await execa(process.execPath, ['--test', FIXTURE], { env, timeout: 20_000, reject: false });
  assert.deepEqual([timedOut, exitCode], [false, 1]);
  assert.match(stdout, /the first end fails/);
});
