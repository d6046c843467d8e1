import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUnits } from '../../../src/linux/journal.ts';

test('parseUnits() reads the units of journal entries', () => {
  const entry = (unit: string): string => JSON.stringify({ __REALTIME_TIMESTAMP: '1', UNIT: unit });
  assert.deepStrictEqual(
    [...parseUnits(`${entry('podwright-a.scope')}\n${entry('podwright-b.scope')}\n`)],
    ['podwright-a.scope', 'podwright-b.scope'],
  );
  assert.deepStrictEqual([...parseUnits('')], []);
});
