import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApparmorProfiles } from '../../../src/linux/apparmor.ts';

test('parseApparmorProfiles() takes the names as they are, with blanks and brackets, in any mode', () => {
  const text = 'podwright-default (enforce)\n/usr/bin/{a,b} c (complain)\nodd (name) (kill)\nrunc (unconfined)\n';

  assert.deepStrictEqual([...parseApparmorProfiles(text)], ['podwright-default', '/usr/bin/{a,b} c', 'odd (name)', 'runc']);
  assert.equal(parseApparmorProfiles('').size, 0);
});
