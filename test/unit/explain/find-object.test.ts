import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidatesOf, findObject } from '../../../src/explain/find-object.ts';
import type { Candidate } from '../../../src/explain/find-object.ts';
import type { Operation } from '../../../src/base/steps.ts';

const CANDIDATES: readonly Candidate[] = [
  { kind: 'pod', id: 'aaa111', name: 'shop/web' },
  { kind: 'pod', id: 'aab222', name: 'shop/web' },
  { kind: 'pod', id: 'abc333', name: 'shop/db' },
  { kind: 'pod', id: 'fff444', name: 'test/db' },
  { kind: 'container', id: 'ccc555', name: 'shop/web/web' },
  { kind: 'container', id: 'ccc666', name: 'shop/web/proxy' },
  { kind: 'container', id: '', name: 'shop/db/never-made' },
  { kind: 'image', id: 'sha256:ddd777', name: 'docker.io/library/busybox:latest' },
  { kind: 'image', id: '', name: 'registry.test/team/slow:1' },
];

test('a name, NAMESPACE/NAME or the beginning of an id finds its object; a pod comes before its containers', () => {
  const found = (asked: string): unknown => {
    const { kind, name, ids } = findObject(asked, CANDIDATES);
    return [kind, name, ...ids];
  };
  assert.deepEqual(found('web'), ['pod', 'shop/web', 'aaa111', 'aab222']);
  assert.deepEqual(found('shop/web'), ['pod', 'shop/web', 'aaa111', 'aab222']);
  assert.deepEqual(found('aaa'), ['pod', 'shop/web', 'aaa111']);
  assert.deepEqual(found('shop/db'), ['pod', 'shop/db', 'abc333']);
  assert.deepEqual(found('shop/web/web'), ['container', 'shop/web/web', 'ccc555']);
  assert.deepEqual(found('proxy'), ['container', 'shop/web/proxy', 'ccc666']);
  assert.deepEqual(found('never-made'), ['container', 'shop/db/never-made']);
  for (const asked of ['busybox', 'docker.io/library/busybox', 'busybox:latest'])
    assert.deepEqual(found(asked), ['image', 'docker.io/library/busybox:latest', 'sha256:ddd777']);
  assert.deepEqual(found('ddd777'), ['image', 'docker.io/library/busybox:latest', 'sha256:ddd777']);
  for (const asked of ['team/slow', 'slow:1', 'registry.test/team/slow:1'])
    assert.deepEqual(found(asked), ['image', 'registry.test/team/slow:1']);
});

test('a whole id comes before a name, and a name before the beginning of an id', () => {
  const one = 'abc'.padEnd(64, '0');
  const candidates: readonly Candidate[] = [
    { kind: 'pod', id: one, name: 'shop/web' },
    { kind: 'container', id: 'def'.padEnd(64, '0'), name: 'shop/web/abc' },
    { kind: 'container', id: 'fed'.padEnd(64, '0'), name: `shop/web/${one}` },
    { kind: 'image', id: `sha256:${'def'.padEnd(64, '1')}`, name: 'docker.io/library/feed:latest' },
    { kind: 'pod', id: 'feed'.padEnd(64, '0'), name: 'shop/other' },
  ];
  const found = (asked: string): unknown => {
    const { kind, name } = findObject(asked, candidates);
    return [kind, name];
  };
  assert.deepEqual(found(one), ['pod', 'shop/web']);
  assert.deepEqual(found('abc'), ['container', 'shop/web/abc']);
  assert.deepEqual(found('abc0'), ['pod', 'shop/web']);
  assert.deepEqual(found('feed'), ['image', 'docker.io/library/feed:latest']);
  assert.deepEqual(found('feed0'), ['pod', 'shop/other']);
});

test('what may be several is refused with their names, and what nobody knows too', () => {
  assert.throws(() => findObject('db', CANDIDATES), /explain db: it may be shop\/db, test\/db; ask for one of them/);
  assert.throws(() => findObject('ccc', CANDIDATES), /it may be ccc555, ccc666/);
  assert.throws(() => findObject('we', CANDIDATES), /no pod, container or image of this name/);
});

test('an operation tells of a container, of its pod, a pull of an image, and a load of several', () => {
  const of = (what: Operation['what'], subject: Operation['subject'], facts: Operation['facts'] = {}): unknown =>
    candidatesOf({ what, subject, facts } as Operation).map(({ kind, id, name }) => `${kind} ${id} ${name}`);
  assert.deepEqual(of('start container', { containerId: 'c', sandboxId: 's', name: 'n/p/c' }), ['pod s n/p', 'container c n/p/c']);
  assert.deepEqual(of('create container', { sandboxId: 's', name: 'n/p/c', image: 'i' }), ['pod s n/p', 'container  n/p/c']);
  assert.deepEqual(of('run pod sandbox', { sandboxId: 's', name: 'n/p' }), ['pod s n/p']);
  assert.deepEqual(of('pull image', { image: 'i', name: 'n/p' }), ['image  i']);
  assert.deepEqual(of('load image', { image: 'i' }, { names: 'i j' }), ['image  i', 'image  j']);
  assert.deepEqual(of('load image', {}), []);
});
