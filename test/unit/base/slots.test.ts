import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Slots } from '../../../src/base/slots.ts';

const NEVER = new AbortController().signal;

/** Asks for a slot, and tells whether it has come. */
function ask(slots: Slots, signal = NEVER): { readonly has: () => boolean; readonly give: () => void; readonly wait: Promise<unknown> } {
  let release: (() => void) | undefined;
  const wait = slots.acquire(signal).then((slot) => {
    release = slot;
  });
  wait.catch(() => undefined);
  return { has: () => release !== undefined, give: () => release?.(), wait };
}

test('slots go in the order in which they were asked for, and each is given back once', async () => {
  const slots = new Slots(() => 2);
  const asked = [ask(slots), ask(slots), ask(slots), ask(slots)];
  await turn();
  assert.deepEqual(asked.map(({ has }) => has()), [true, true, false, false]); // prettier-ignore
  assert.equal(slots.isWanted, true);
  asked[0]!.give();
  asked[0]!.give();
  await turn();
  assert.deepEqual(asked.map(({ has }) => has()), [true, true, true, false]); // prettier-ignore
  asked[1]!.give();
  await turn();
  assert.equal(asked[3]!.has(), true);
  assert.equal(slots.isWanted, false);
});

test('those of one image are within those of the node', async () => {
  const node = new Slots(() => 2);
  const [one, other] = [new Slots(() => 2, node), new Slots(() => 2, node)];
  const asked = [ask(one), ask(other), ask(other), ask(one)];
  await turn();
  assert.deepEqual(asked.map(({ has }) => has()), [true, true, false, false]); // prettier-ignore
  assert.equal(one.isWanted, true);
  assert.equal(one.tryAcquire(), undefined);
  asked[1]!.give();
  await turn();
  assert.equal(asked[2]!.has(), true);
});

test('one that can be spared is given only where nobody waits', async () => {
  const slots = new Slots(() => 1);
  const release = slots.tryAcquire();
  assert.ok(release !== undefined);
  assert.equal(slots.tryAcquire(), undefined);
  const waiting = ask(slots);
  release();
  assert.equal(slots.tryAcquire(), undefined);
  await waiting.wait;
  waiting.give();
  assert.ok(slots.tryAcquire() !== undefined);
});

test('who gives up waiting takes no slot, of the node neither', async () => {
  const node = new Slots(() => 1);
  const image = new Slots(() => 1, node);
  const held = ask(node);
  await turn();
  const controller = new AbortController();
  const [first, second] = [ask(image, controller.signal), ask(image, controller.signal)];
  await turn();
  controller.abort();
  await assert.rejects(first.wait, { kind: 'Canceled' });
  await assert.rejects(second.wait, { kind: 'Canceled' });
  await assert.rejects(image.acquire(controller.signal), { kind: 'Canceled' });
  held.give();
  assert.ok(image.tryAcquire() !== undefined);
});

test('a limit that is raised lets the waiting in with the next slot that is given back', async () => {
  let limit = 1;
  const slots = new Slots(() => limit);
  const asked = [ask(slots), ask(slots), ask(slots)];
  await turn();
  limit = 3;
  asked[0]!.give();
  await turn();
  assert.deepEqual(asked.map(({ has }) => has()), [true, true, true]); // prettier-ignore
});
