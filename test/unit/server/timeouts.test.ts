import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutLongTimeout } from '../../../src/server/timeouts.ts';

test('withoutLongTimeout drops what a timer cannot hold and keeps the rest as it is', () => {
  for (const header of ['200m', '99999999u', '99999999n', '2147483S', '35791M', '596H', '0n', 'nonsense', '5x']) {
    assert.equal(withoutLongTimeout(header), header);
  }
  for (const header of ['2147484S', '99999999S', '35792M', '597H', '99999999H']) assert.equal(withoutLongTimeout(header), undefined);
});
