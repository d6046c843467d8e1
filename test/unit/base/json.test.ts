import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson, fromJson, toJson, toPlainJson } from '../../../src/base/json.ts';

const roundTrip = (value: unknown): unknown => fromJson(toJson(value));

test('64-bit integers come back whole, as bigint', () => {
  const value = { limit: 9_223_372_036_854_775_807n, none: 0n, negative: -1n, list: [1n] };
  assert.deepStrictEqual(roundTrip(value), value);
});

test('bytes come back as bytes, also those that are no UTF-8, and those of a Buffer', () => {
  const value = { raw: new Uint8Array([0, 255, 128]), empty: new Uint8Array(), buffer: Buffer.from('hello') };
  assert.deepStrictEqual(roundTrip(value), { ...value, buffer: new Uint8Array(Buffer.from('hello')) });
});

test('plain JSON comes back as it is; undefined fields are left out', () => {
  const value = { text: 'a', number: 1.5, yes: true, nothing: null, list: [], nested: { map: {} } };
  assert.deepStrictEqual(roundTrip({ ...value, gone: undefined }), value);
});

test('a map whose keys look like our marks comes back as that map', () => {
  const labels = { $int64: '7', $bytes: 'AAAA', $$int64: 'x', $other: 'y', plain: 'z' };
  assert.deepStrictEqual(roundTrip({ labels, only: { $int64: 'no number' } }), { labels, only: { $int64: 'no number' } });
});

test('what is no JSON is refused', () => {
  assert.throws(() => fromJson('{"a":'), SyntaxError);
  assert.throws(() => fromJson('{"a":{"$int64":"seven"}}'), SyntaxError);
});

test('toPlainJson() has no marks of ours: numbers, exact text for what is greater, base64', () => {
  const value = { shares: 102n, most: 2n ** 63n - 1n, least: -(2n ** 53n), raw: Buffer.from('yes'), list: [1n], gone: undefined };
  assert.equal(toPlainJson(value), '{"shares":102,"most":"9223372036854775807","least":"-9007199254740992","raw":"eWVz","list":[1]}');
});

test('canonicalJson() is the same for what says the same', () => {
  const text = canonicalJson({ b: 1n, a: { y: new Uint8Array([1]), x: [{ q: 1, p: 2 }] } });
  assert.equal(canonicalJson({ a: { x: [{ p: 2, q: 1 }], y: Buffer.from([1]) }, b: 1n, c: undefined }), text);
  assert.notEqual(canonicalJson({ a: { x: [{ p: 2, q: 1 }], y: Buffer.from([1]) }, b: 1 }), text);
  assert.notEqual(canonicalJson({ list: [1, 2] }), canonicalJson({ list: [2, 1] }));
});
