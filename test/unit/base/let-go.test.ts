import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letGo } from '../../../src/base/let-go.ts';

test('letGo frees a buffer with its last piece, and never the one that Node cuts small buffers from', () => {
  const whole = new ArrayBuffer(64 * 1024);
  letGo(Buffer.from(whole, 0, 1000));
  assert.equal(whole.byteLength, 64 * 1024);
  letGo(Buffer.from(whole, 1000));
  assert.equal(whole.byteLength, 0);

  const { buffer: pool } = Buffer.allocUnsafe(8);
  assert.equal(pool.byteLength, Buffer.poolSize);
  letGo(Buffer.from(pool));
  assert.equal(pool.byteLength, Buffer.poolSize);
});
