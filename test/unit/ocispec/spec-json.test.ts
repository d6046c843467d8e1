import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciProcess } from '../../../src/ocispec/oci-types.ts';
import { specFromJson, specToJson } from '../../../src/ocispec/spec-json.ts';

const UNLIMITED = 18446744073709551615n;

test('a limit of infinity is written as the number it is, and comes back whole', () => {
  const process = { rlimits: [{ type: 'RLIMIT_MEMLOCK', soft: 65536, hard: UNLIMITED }] } as unknown as OciProcess;
  const text = specToJson(process);
  assert.match(text, /"hard":18446744073709551615\b/);
  assert.deepStrictEqual(specFromJson(text), process);
  assert.equal(specToJson(specFromJson(text) as OciProcess), text);
});

test('ordinary numbers and texts of digits stay what they are', () => {
  assert.deepStrictEqual(specFromJson('{"a":1,"b":-2.5,"c":1e300,"d":"18446744073709551615","e":null}'), {
    a: 1,
    b: -2.5,
    c: 1e300,
    d: '18446744073709551615',
    e: null,
  });
});
