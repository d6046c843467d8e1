import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/base/ids.ts';
import { artifactFiles } from '../../../src/image/artifact-files.ts';

function layersOf(titles: readonly string[]): Parameters<typeof artifactFiles>[0] {
  const digestOf = (index: number): Digest => `sha256:${String(index).padStart(64, '0')}` as Digest;
  return {
    layers: titles.map((title, index) => ({
      mediaType: 'application/octet-stream',
      digest: digestOf(index),
      size: 1,
      annotations: { 'org.opencontainers.image.title': title },
    })),
  };
}

function namesOf(titles: readonly string[]): string[] {
  return artifactFiles(layersOf(titles), 'x').files.map(({ name }) => name);
}

test('the files of a directory come together, whatever stands between their titles', () => {
  assert.deepStrictEqual(namesOf(['b/2', 'b-1', 'a', 'b/1/z', 'b/1/a', 'b!', './b//3']), [
    'a',
    'b/1/a',
    'b/1/z',
    'b/2',
    'b/3',
    'b!',
    'b-1',
  ]);
});

test('a file below a file is refused, also where other names sort between them', () => {
  for (const titles of [['a', 'a/b'], ['a/b', 'a'], ['a', 'a-b', 'a!', 'a/b/c'], ['x/y/z', 'x/y-', 'x/y']])
    assert.throws(() => namesOf(titles), { kind: 'InvalidArgument', message: /it has a file ".*" and a file ".*" below it, must not/ }, titles.join(' ')); // prettier-ignore
});

test('titles of too many parts in all are refused, and as many as may be are read in a moment', () => {
  const titles = Array.from({ length: 49 }, (_, index) => `${index}/${'a/'.repeat(2030)}x`);
  assert.equal(namesOf(titles).length, 49);
  const before = process.cpuUsage();
  assert.throws(() => namesOf(Array.from({ length: 20 }, () => titles).flat()), { kind: 'InvalidArgument', message: /over 100000 parts/ });
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 500_000, `${(user + system) / 1000} ms; it was 7600 for a manifest of 4 MB`);
});
