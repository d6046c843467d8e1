import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexFault, nameFault, splitPluginName } from '../../../src/nri/plugin-name.ts';

test('an index is two digits', () => {
  assert.deepEqual([indexFault('00'), indexFault('99')], [undefined, undefined]);
  for (const index of ['', '1', '001', 'a1', '1 ', '１２']) assert.match(indexFault(index) ?? '', /must be two digits/);
});

test('a name is letters, digits and four signs', () => {
  for (const name of ['a', 'Device-Injector_2.0+x']) assert.equal(nameFault(name), undefined);
  for (const name of ['', 'a b', 'a/b', 'ä', 'a\n']) assert.match(nameFault(name) ?? '', /must be letters/);
});

test('a file is a plugin by its name', () => {
  assert.deepEqual(splitPluginName('10-device-injector'), { index: '10', name: 'device-injector' });
  for (const fileName of ['README', '10', '10-', '1-a', '100-a', '.10-a', '10-a b']) assert.equal(splitPluginName(fileName), undefined);
});
