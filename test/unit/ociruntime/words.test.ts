import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanWords } from '../../../src/ociruntime/monitor.ts';
import { describeExit, lastLine } from '../../../src/ociruntime/oci-runtime.ts';

const RUNC = 'time="2026-11-23T16:00:00Z" level=error msg="runc create failed: exec: \\"/nothing\\": no such file or directory"';
const WORDS = 'runc create failed: exec: "/nothing": no such file or directory';

test('lastLine() is the last line, without the log prefix of runc', () => {
  assert.equal(lastLine(Buffer.from(`time="x" level=warning msg="first"\n${RUNC}\n\n`)), WORDS);
  assert.equal(lastLine(Buffer.from('container not known\n')), 'container not known');
  assert.equal(lastLine(Buffer.alloc(0)), '');
});

test("cleanWords() is the runtime's sentence out of what conmon hands on", () => {
  assert.equal(cleanWords(`${RUNC}\n`), WORDS);
  assert.equal(cleanWords('crun: executable file `/nothing` not found\n'), 'crun: executable file `/nothing` not found');
  assert.equal(cleanWords(`warning: something\n${RUNC} more`), WORDS);
});

test('an end in words', () => {
  assert.deepStrictEqual([describeExit({ code: 1 }), describeExit({ signal: 9 })], ['exit 1', 'killed by signal 9']);
});
