import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';

const document = new Field(
  JSON.parse('{"a": {"b": [{"c": 1}, {"c": "x"}]}, "with.dot": 1, "n": null, "__proto__": {"own": true}}'),
  'read doc',
);

test('a refusal names the field by its place, what it must be and what it is', () => {
  const refused: [() => unknown, string][] = [
    [
      () =>
        document
          .at('a')
          .at('b')
          .list((entry) => entry.at('c').text()),
      'read doc: a.b[0].c: must be text, is 1',
    ],
    [
      () =>
        document
          .at('a')
          .at('b')
          .list((entry) => entry.at('c').count('a number of bytes')),
      'read doc: a.b[1].c: must be a number of bytes, is "x"',
    ],
    [() => document.at('a').at('d').digest(), 'read doc: a.d: must be sha256:<64 hex>, is missing'],
    [() => document.at('a').at('b').object(), 'read doc: a.b: must be an object, is a list'],
    [() => document.at('a').list(() => 0), 'read doc: a: must be a list, is an object'],
    [() => document.at('n').texts(), 'read doc: n: must be a list, is null'],
    [() => document.at('n').at('deeper'), 'read doc: n: must be an object, is null'],
    [() => document.at('with.dot').text(), 'read doc: ["with.dot"]: must be text, is 1'],
    [() => document.at('a').oneOf(['x', 'y']), 'read doc: a: must be one of x, y, is an object'],
    [() => document.at('version').oneOf([1]), 'read doc: version: must be 1, is missing'],
    [() => document.at('n').bigint(), 'read doc: n: must be a 64-bit number, is null'],
    [() => new Field([], '').at('x'), 'must be an object, is an empty list'],
    [() => new Field({ x: 5 }, '').at('x').text(), 'x: must be text, is 5'],
  ];
  for (const [work, message] of refused) assert.throws(work, { kind: 'InvalidArgument', message });
});

test('a refusal repeats no more than the start of a wrong value', () => {
  const long = new Field({ x: 'y'.repeat(1_000_000) }, '');
  assert.throws(() => long.at('x').number(), { message: `x: must be a number, is "${'y'.repeat(64)}..."` });
  assert.throws(() => long.at('z'.repeat(1_000_000)).number(), { message: `["${'z'.repeat(64)}..."]: must be a number, is missing` });
});

test('the first wrong entry of a list ends its reading', () => {
  let read = 0;
  const list = new Field(
    Array.from({ length: 1_000_000 }, () => 0),
    'list',
  );
  assert.throws(
    () =>
      list.list((entry) => {
        read += 1;
        return entry.text();
      }),
    { message: 'list: [0]: must be text, is 0' },
  );
  assert.equal(read, 1);
});

test('only fields of the document itself are seen', () => {
  for (const name of ['toString', 'constructor', 'hasOwnProperty']) assert.equal(document.at(name).value, undefined);
  assert.deepEqual(document.at('__proto__').object(), { own: true });
  assert.equal(new Field({}, '').at('__proto__').value, undefined);
});

test('null is as good as missing where a field need not be given, and what is odd where it may be', () => {
  assert.equal(document.at('n').given, undefined);
  assert.equal(document.at('nothing').given, undefined);
  assert.equal(document.at('with.dot').given?.number(), 1);
  assert.equal(document.at('with.dot').asText(), undefined);
  assert.equal(document.at('with.dot').asObject(), undefined);
  assert.equal(
    document
      .at('a')
      .asObject()
      ?.at('b')
      .given?.list(() => 1).length,
    2,
  );
});

test('numbers of bytes are whole, exact and not negative', () => {
  for (const value of [-1, 1.5, 2 ** 53, Number.NaN, '1', null])
    assert.throws(() => new Field(value, '').count(), { kind: 'InvalidArgument' });
  assert.equal(new Field(0, '').count(), 0);
});

test('a text that is no JSON is refused in words', () => {
  assert.throws(() => Field.parse('<html>', 'read x'), { kind: 'InvalidArgument', message: /^read x: must be JSON: / });
  assert.throws(() => Field.parse('', ''), { message: /^must be JSON: / });
});
