import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DerReader, isInteger } from '../../../../src/trust/sigstore/der.ts';

const reader = (hex: string): DerReader => new DerReader(Buffer.from(hex, 'hex'));

test('values are read one after the other, and what they are made of', () => {
  const outer = reader('300a0101ff06032a0304020105');
  assert.throws(() => {
    outer.sequence();
    outer.end();
  }, /something follows/);
  const fields = reader('30080101ff06032a0304').sequence();
  assert.equal(fields.boolean(), true);
  assert.equal(fields.optional(0x02), undefined);
  assert.equal(fields.objectId(), '1.2.3.4');
  assert.equal(fields.isAtEnd, true);
  fields.end();
});

test('object identifiers with long numbers', () => {
  assert.equal(reader('060a2b0601040183bf300108').objectId(), '1.3.6.1.4.1.57264.1.8');
  assert.equal(reader('0603883703').objectId(), '2.999.3');
});

const WRONG: [hex: string, read: (one: DerReader) => unknown, why: RegExp][] = [
  ['', (one) => one.any(), /ends too soon/],
  ['30', (one) => one.any(), /ends too soon/],
  ['3005010', (one) => one.any(), /longer than what it is in/],
  ['308000', (one) => one.any(), /length is not DER/],
  ['30810101', (one) => one.any(), /length is not DER/],
  ['3082000101', (one) => one.any(), /length is not DER/],
  ['3085000000000101', (one) => one.any(), /length is not DER/],
  ['30ffffffffffffffff', (one) => one.any(), /ends too soon|not DER/],
  ['1f8101', (one) => one.any(), /several bytes/],
  ['010101', (one) => one.boolean(), /boolean is not DER/],
  ['01020000', (one) => one.boolean(), /boolean is not DER/],
  ['0600', (one) => one.objectId(), /identifier is not DER/],
  ['06022a80', (one) => one.objectId(), /identifier is not DER/],
  ['06032a8001', (one) => one.objectId(), /identifier is not DER/],
  ['06092affffffffffffff7f', (one) => one.objectId(), /identifier is not DER/],
  ['0300', (one) => one.bits(), /bit string is not DER/],
  ['030101', (one) => one.bits(), /bit string is not DER/],
  ['03020801', (one) => one.bits(), /bit string is not DER/],
  ['03020301', (one) => one.bits(), /bit string is not DER/],
  ['020100', (one) => one.sequence(), /not of the kind 0x30/],
];
for (const [hex, read, why] of WRONG) {
  test(`what is not DER is refused: ${hex}`, () => {
    assert.throws(() => read(reader(hex)), why);
  });
}

test('an integer is not longer than it need be', () => {
  const one = (hex: string): boolean => isInteger(Buffer.from(hex, 'hex'));
  assert.deepEqual(['00', '7f', '0080', 'ff', 'ff7f'].map(one), [true, true, true, true, true]);
  assert.deepEqual(['', '007f', 'ff80', '0000'].map(one), [false, false, false, false]);
});
