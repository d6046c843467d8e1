import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStreams } from '../../../src/runtimeservice/streams.ts';

const NONE = { tty: false, stdin: false, stdout: false, stderr: false };

test('a terminal has no stderr of its own', () => {
  assert.throws(() => {
    checkStreams('exec', { ...NONE, tty: true, stdout: true, stderr: true });
  }, { kind: 'InvalidArgument', message: /exec: tty and stderr are both asked for/ }); // prettier-ignore
});

test('one stream at least must be asked for', () => {
  assert.throws(() => {
    checkStreams('attach', { ...NONE, tty: true });
  }, { kind: 'InvalidArgument', message: /attach: no stream is asked for/ }); // prettier-ignore
});

test('every other choice is fine', () => {
  for (const streams of [{ stdin: true }, { stdout: true }, { stderr: true }, { tty: true, stdin: true, stdout: true }]) {
    assert.doesNotThrow(() => {
      checkStreams('exec', { ...NONE, ...streams });
    });
  }
});
