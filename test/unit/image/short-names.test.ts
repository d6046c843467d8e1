import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meaningsOf, meaningsToPull } from '../../../src/image/short-names.ts';
import { NO_SHORT_NAMES } from '../../../src/registry/short-names.ts';
import type { ShortNames } from '../../../src/registry/short-names.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

function shortNames(rest: Partial<ShortNames>): ShortNames {
  return { ...NO_SHORT_NAMES, ...rest };
}

test('a name is looked for in the search registries only where it says no registry', () => {
  const two = shortNames({ searchRegistries: ['a.io', 'b.io'] });
  for (const text of ['quay.io/x', 'localhost/x', 'h:1/x', '[::1]/x', 'Host/x']) assert.deepEqual(meaningsOf(text, two).names, [text]);
  for (const text of ['x', 'x:1', 'library/x', 'a/b/c', `x@${DIGEST}`]) {
    assert.deepEqual(meaningsOf(text, NO_SHORT_NAMES).names, [text]);
    assert.deepEqual(meaningsOf(text, two).names, [`a.io/${text}`, `b.io/${text}`]);
  }
});

test('an alias is the one meaning of its name, and takes over tag and digest', () => {
  const aliases = new Map([
    ['x', { target: 'quay.io/team/x', file: '/etc/a.conf' }],
    ['team/y', { target: 'localhost:5000/y', file: '/etc/b.conf' }],
    ['gone', { target: undefined, file: '/etc/b.conf' }],
  ]);
  const all = shortNames({ aliases, searchRegistries: ['a.io', 'b.io'], mode: 'enforcing' });
  const cases: Record<string, string> = {
    x: 'quay.io/team/x',
    'x:1': 'quay.io/team/x:1',
    [`x@${DIGEST}`]: `quay.io/team/x@${DIGEST}`,
    [`x:1@${DIGEST}`]: `quay.io/team/x:1@${DIGEST}`,
    'team/y:2': 'localhost:5000/y:2',
    'docker.io/x': 'docker.io/x',
  };
  for (const [text, meaning] of Object.entries(cases)) assert.deepEqual(meaningsToPull(text, all).names, [meaning], text);
  assert.match(meaningsOf('x:1', all).reason, /alias "x" = "quay.io\/team\/x" in \/etc\/a.conf/);
  for (const text of ['y', 'xx', 'team/x', 'gone']) assert.equal(meaningsOf(text, all).names.length, 2, text);
});

test('an ambiguous name is refused by an enforcing mode, not by the others, and never where it is only looked up', () => {
  const two = { searchRegistries: ['a.io', 'b.io'] };
  for (const mode of ['permissive', 'disabled'] as const) assert.equal(meaningsToPull('x', shortNames({ ...two, mode })).names.length, 2);
  const enforcing = shortNames({ ...two, mode: 'enforcing' });
  assert.throws(() => meaningsToPull('x:1', enforcing), {
    kind: 'InvalidArgument',
    message:
      'pull x:1: it may mean a.io/x:1, b.io/x:1, and short-name-mode is enforcing in registries.conf: name its registry, or give it an alias there',
  });
  assert.equal(meaningsOf('x:1', enforcing).names.length, 2);
  assert.deepEqual(meaningsToPull('a.io/x', enforcing).names, ['a.io/x']);
  for (const searchRegistries of [[], ['a.io']])
    assert.equal(meaningsToPull('x', shortNames({ searchRegistries, mode: 'enforcing' })).names.length, 1);
});
