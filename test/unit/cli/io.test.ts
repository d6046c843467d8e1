import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLine, jsonText, shownLines } from '../../../src/cli/io.ts';

/** As a terminal takes it that knows C1: clear the screen. */
const CLEAR = '\u009b2J';

test('nothing that steers a terminal is in JSON, which says the same, or in words of others', () => {
  const value = { message: `exec: "${CLEAR}\u001b[2J\u007f": not found`, lines: 'a\nb' };
  for (const text of [jsonText(value), jsonLine(value)]) {
    assert.doesNotMatch(text.replaceAll('\n', ''), /\p{Cc}/u);
    assert.deepEqual(JSON.parse(text), value);
  }
  assert.equal(jsonLine(value).indexOf('\n'), jsonLine(value).length - 1);
  assert.equal(shownLines(`one${CLEAR}\ntwo`), 'one\\u009b2J\ntwo\n');
});
