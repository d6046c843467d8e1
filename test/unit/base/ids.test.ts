import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDigest, isObjectId, newContainerId, newSandboxId } from '../../../src/base/ids.ts';
import { nowNs } from '../../../src/base/time.ts';

test('ids are 64 hex digits, each a new one', () => {
  const ids = [newSandboxId(), newSandboxId(), newContainerId()];
  assert.equal(new Set(ids).size, 3);
  assert.ok(ids.every(isObjectId));
});

test('what conmon leaves half-written, a prefix and a path are no object ids', () => {
  const id = newContainerId();
  for (const name of [`${id}.X1b2C3`, id.slice(1), `${id}0`, `/${id}`, id.toUpperCase().replace(/^./, 'A'), '']) {
    assert.equal(isObjectId(name), false, name);
  }
});

test('a digest has its algorithm', () => {
  const hex = 'a'.repeat(64);
  assert.deepStrictEqual([`sha256:${hex}`, hex, `sha512:${hex}`, `sha256:${hex}0`].map(isDigest), [true, false, false, false]);
});

test('nowNs() never gives a time twice, so that lists have an order', () => {
  const times = Array.from({ length: 100 }, nowNs);
  assert.deepStrictEqual(
    times,
    [...new Set(times)].sort((a, b) => (a < b ? -1 : 1)),
  );
  const offMs = Math.abs(Number(times[0]! / 1_000_000n) - Date.now());
  assert.ok(offMs < 1000, `off by ${offMs} ms`);
});
