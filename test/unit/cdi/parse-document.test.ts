import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDocument } from '../../../src/cdi/parse-document.ts';

test('parseDocument() reads JSON, and YAML as Kubernetes does', () => {
  assert.deepEqual(parseDocument('\n {"a": [1, "0666"], "b": null}'), { a: [1, '0666'], b: null });
  const yaml =
    'mode: 0640\nnew: 0o640\nhex: 0x10\nmany: 1_000\nminus: -8\ntime: 0:1\nyes: yes\nversion: 1.1.0\nfloat: 1.5\nnone:\ntext: "1"';
  assert.deepEqual(parseDocument(yaml), {
    mode: 0o640,
    new: 0o640,
    hex: 16,
    many: 1000,
    minus: -8,
    time: '0:1',
    true: true,
    version: '1.1.0',
    float: 1.5,
    none: null,
    text: '1',
  });
});

test('parseDocument() reads the first document, of a text without one nothing', () => {
  assert.deepEqual(parseDocument('---\na: 1\n---\nb: 2\n'), { a: 1 });
  assert.equal(parseDocument(''), undefined);
  assert.equal(parseDocument('# nothing\n'), undefined);
});

test('parseDocument() says where a text is wrong', () => {
  assert.throws(() => parseDocument('{"a":'), /1:6|line 1/);
  assert.throws(() => parseDocument('a: 1\na: 2\n'), /duplicate/i);
});
