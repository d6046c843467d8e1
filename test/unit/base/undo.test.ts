import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndoStack } from '../../../src/base/undo.ts';

test('undo steps run newest first, one after the other', async () => {
  const undo = new UndoStack();
  const ran: string[] = [];
  undo.add('first', () => {
    ran.push('first');
  });
  undo.add('second', async () => {
    await new Promise((resolve) => setImmediate(resolve));
    ran.push('second');
  });

  assert.deepStrictEqual(await undo.run(), []);
  assert.deepStrictEqual(ran, ['second', 'first']);
});

test('a failing undo step, also one that throws at once, does not skip the others, and is told', async () => {
  const undo = new UndoStack();
  const ran: string[] = [];
  const [later, atOnce] = [new Error('later'), new Error('at once')];
  undo.add('record', () => {
    ran.push('record');
  });
  undo.add('mount', async () => Promise.reject(later));
  undo.add('cgroup', () => {
    throw atOnce;
  });

  assert.deepStrictEqual(await undo.run(), [
    { what: 'cgroup', error: atOnce },
    { what: 'mount', error: later },
  ]);
  assert.deepStrictEqual(ran, ['record']);
});

test('no undo step runs twice', async () => {
  const undo = new UndoStack();
  let runs = 0;
  undo.add('once', () => {
    runs += 1;
  });

  await undo.run();
  await undo.run();

  assert.equal(runs, 1);
});
