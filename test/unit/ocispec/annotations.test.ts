import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handedAnnotations, matchesAny } from '../../../src/ocispec/annotations.ts';

test('matchesAny(): * is any text without a slash, ? one character of it', () => {
  for (const [name, pattern, matches] of [
    ['dev.gvisor.x', 'dev.gvisor.*', true],
    ['dev.gvisor.', 'dev.gvisor.*', true],
    ['dev.gvisor.x/y', 'dev.gvisor.*', false],
    ['dev.gvisor.x/y', 'dev.gvisor.*/*', true],
    ['a.example.org', '*.example.org', true],
    ['aXb', 'a?b', true],
    ['a/b', 'a?b', false],
    ['ab', 'a?b', false],
    ['aabab', 'a*ab', true],
    ['aabac', 'a*ab', false],
    ['exact', 'exact', true],
    ['exactly', 'exact', false],
    ['exact', 'exact**', true],
  ] as const) {
    assert.equal(matchesAny(name, [pattern]), matches, `${name} ${pattern}`);
  }
  assert.equal(matchesAny('a', []), false);
});

test('matchesAny() takes no time that a name could make long', () => {
  const begun = performance.now();
  assert.equal(matchesAny('a'.repeat(20_000), [`${'a*'.repeat(12)}b`]), false);
  assert.ok(performance.now() - begun < 2_000);
});

test('handedAnnotations() hands on what a pattern names, and of one name that of the container', () => {
  const none = { podAnnotations: [], containerAnnotations: [], allowedAnnotations: [] };
  const pod = { a: 'pod', b: 'pod', c: 'pod' };
  const container = { a: 'container', b: 'container', d: 'container' };

  assert.deepStrictEqual(handedAnnotations(none, pod, container), {});
  assert.deepStrictEqual(handedAnnotations({ ...none, podAnnotations: ['*'] }, pod, container), pod);
  assert.deepStrictEqual(handedAnnotations({ ...none, containerAnnotations: ['d', 'b'] }, pod, container), {
    b: 'container',
    d: 'container',
  });
  assert.deepStrictEqual(handedAnnotations({ ...none, allowedAnnotations: ['a', 'c'] }, pod, container), { a: 'container', c: 'pod' });
});
