import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hugepagesAsBefore } from '../../../src/container/update.ts';
import { container } from '../../support/objects.ts';
import { resources } from '../../support/spec-inputs.ts';

const limits = (limit: bigint): ReturnType<typeof resources> => resources({ hugepageLimits: [{ pageSize: '2MB', limit }] });
/** Asked for with no huge pages, as the kubelet does for those that have none; a plugin gave it some. */
const { record } = container({ init: { linux: { resources: limits(0n) } } });
const BEFORE = limits(4n << 20n);

test('an update that names the limits on huge pages of the request leaves those that a plugin made of them', () => {
  assert.deepStrictEqual(hugepagesAsBefore(record, BEFORE, limits(0n)), BEFORE.hugepageLimits);
  assert.deepStrictEqual(hugepagesAsBefore(record, BEFORE, BEFORE), BEFORE.hugepageLimits);
  assert.deepStrictEqual(hugepagesAsBefore(record, BEFORE, resources()), []);
});

test('other limits on huge pages are refused, also of sizes without one', () => {
  assert.throws(() => hugepagesAsBefore(record, BEFORE, limits(1n)), /asks for 1 bytes of 2MB, must be the 4194304 as at its creation/);
  assert.throws(
    () => hugepagesAsBefore(record, BEFORE, resources({ hugepageLimits: [{ pageSize: '1GB', limit: 0n }] })),
    /asks for 0 bytes of 1GB, must be none/,
  );
});
