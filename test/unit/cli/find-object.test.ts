import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, PodSandbox } from '../../../api/cri/runtime.ts';
import { idOf, matching, nameOf, oneContainerOf, oneOf } from '../../../src/cli/find-object.ts';
import type { Objects } from '../../../src/cli/find-object.ts';

const pod = (id: string, namespace: string, name: string, createdAt = 1n): PodSandbox => ({
  id: id.padEnd(64, '0'),
  metadata: { name, namespace, uid: `uid-${name}`, attempt: 0 },
  state: 0,
  createdAt,
  labels: {},
  annotations: {},
  runtimeHandler: '',
});
const container = (id: string, podId: string, name: string, attempt = 0): Container => ({
  id: id.padEnd(64, '0'),
  podSandboxId: podId.padEnd(64, '0'),
  metadata: { name, attempt },
  image: undefined,
  imageRef: '',
  state: 1,
  createdAt: BigInt(attempt + 1),
  labels: {},
  annotations: {},
  imageId: '',
});

const OBJECTS: Objects = {
  pods: [
    pod('a1', 'default', 'web'),
    pod('a2', 'kube-system', 'web'),
    pod('b1', 'default', 'db'),
    pod('b2', 'default', 'db', 5n),
    pod('e0', 'default', 'empty'),
  ],
  containers: [
    container('c1', 'a1', 'app'),
    container('c2', 'a1', 'app', 1),
    container('c3', 'a1', 'side'),
    container('c4', 'a2', 'app'),
    container('d1', 'b2', 'db'),
    container('d2', 'b2', 'beef'),
    container('beef', 'a2', 'other'),
  ],
};
const ids = (words: string): string[] => matching(OBJECTS, words).map((found) => idOf(found).replace(/0+$/, ''));

test('an object is meant by a whole id, the beginning of one, a name, or its full name', () => {
  assert.deepEqual(ids('a1'.padEnd(64, '0')), ['a1']);
  assert.deepEqual(ids('c'), ['c1', 'c2', 'c3', 'c4']);
  assert.deepEqual(ids('side'), ['c3']);
  assert.deepEqual(ids('default/web'), ['a1']);
  assert.deepEqual(ids('kube-system/web/app'), ['c4']);
  assert.deepEqual(ids('web'), ['a1', 'a2']);
  assert.deepEqual(ids('default/none'), []);
  assert.deepEqual(ids('C1'), []);
});

test('of several attempts a name means the newest, an id itself', () => {
  assert.deepEqual(ids('default/web/app'), ['c2']);
  assert.deepEqual(ids('default/db'), ['b2']);
  assert.deepEqual(ids('c1'), ['c1']);
});

test('where a name fits, the beginnings of ids do not count', () => {
  assert.deepEqual(ids('beef'), ['d2']);
  assert.deepEqual(ids('bee'), ['beef']);
});

test('several matches are refused with their list, none with what to do', () => {
  assert.throws(
    () => oneOf(OBJECTS, 'app'),
    /"app" means 2 things, say which:\n {2}container c20000000000 default\/web\/app\n {2}container c40000000000 kube-system\/web\/app$/,
  );
  assert.throws(() => oneOf(OBJECTS, 'db'), /means 2 things/);
  assert.throws(() => oneOf(OBJECTS, 'nothing\u001b'), /no pod or container is called "nothing\\u001b"/);
  assert.throws(() => oneContainerOf(OBJECTS, 'default/web'), /"default\/web" means 2 things/);
  assert.throws(() => oneContainerOf(OBJECTS, 'empty'), /pod default\/empty has no containers/);
  assert.throws(() => oneContainerOf(OBJECTS, 'web'), /means 2 things.*\n.*pod a1.*\n.*pod a2/);
});

test('a pod stands for its only container, and a container goes before the pod of its name', () => {
  const objects = {
    pods: OBJECTS.pods,
    containers: [container('f1', 'e0', 'one'), container('f2', 'e0', 'one', 1), container('d1', 'b2', 'db')],
  };
  assert.equal(nameOf(oneContainerOf(objects, 'empty')), 'default/empty/one');
  assert.equal(oneContainerOf(objects, 'empty').container.metadata?.attempt, 1);
  assert.equal(nameOf(oneContainerOf(objects, 'db')), 'default/db/db');
});

test('many matches are not all listed', () => {
  const containers = Array.from({ length: 30 }, (_, index) => container(`f${index + 10}`, 'e0', `c${index}`));
  assert.throws(() => oneOf({ pods: [], containers }, 'f'), /means 30 things[^]*\n {2}and 10 more$/);
});
