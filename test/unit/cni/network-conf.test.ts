import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import { documentOf, networkFromList as fromList, networkFromPlugin as fromPlugin } from '../../../src/cni/network-conf.ts';
import type { NetworkConf } from '../../../src/cni/network-conf.ts';

const networkFromList = (document: unknown): NetworkConf => fromList(new Field(document, ''));
const networkFromPlugin = (document: unknown): NetworkConf => fromPlugin(new Field(document, ''));

const LIST = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    { type: 'bridge', ipam: { type: 'host-local' } },
    { type: 'portmap', capabilities: { portMappings: true, other: false } },
  ],
};

test('networkFromList reads the plugins and the capabilities that each declares', () => {
  const conf = networkFromList(LIST);

  assert.equal(conf.name, 'pods');
  assert.equal(conf.cniVersion, '1.0.0');
  assert.deepEqual(
    conf.plugins.map(({ type, capabilities }) => [type, capabilities]),
    [
      ['bridge', []],
      ['portmap', ['portMappings']],
    ],
  );
  assert.deepEqual([conf.disableCheck, conf.disableGC, conf.readsFolder], [false, false, true]);
});

test('networkFromList takes flags as booleans and as text', () => {
  const conf = networkFromList({ ...LIST, disableCheck: 'true', disableGC: true, loadOnlyInlinedPlugins: 'true' });
  assert.deepEqual([conf.disableCheck, conf.disableGC, conf.readsFolder], [true, true, false]);
  assert.throws(() => networkFromList({ ...LIST, disableGC: 1 }), { message: 'disableGC: must be true or false, is 1' });
});

test('networkFromPlugin makes a network of one plugin', () => {
  const conf = networkFromPlugin({ cniVersion: '0.3.1', name: 'one', type: 'ptp' });
  assert.deepEqual([conf.name, conf.cniVersion, conf.plugins.map(({ type }) => type)], ['one', '0.3.1', ['ptp']]);
});

test('a network survives its record', () => {
  const conf = networkFromList({ ...LIST, cniVersions: ['1.0.0', '1.1.0'], disableGC: true });
  const again = networkFromList(JSON.parse(JSON.stringify(documentOf(conf))));
  assert.deepEqual(again, { ...conf, readsFolder: false });
  assert.equal(again.cniVersion, '1.1.0');
});

test('wrong configurations are refused with the field that is wrong', () => {
  const plugins = (...given: unknown[]): unknown => networkFromList({ ...LIST, plugins: given });
  const refused: [() => unknown, string | RegExp][] = [
    [() => networkFromList([1]), 'must be an object, is a list'],
    [() => networkFromList({ ...LIST, name: '' }), /^name: must be a network's name: .*, is ""$/],
    [() => networkFromList({ ...LIST, name: undefined }), /^name: must be a network's name: .*, is missing$/],
    [() => networkFromList({ ...LIST, name: '../x' }), /^name: must be a network's name: a letter or digit, then .*, is "\.\.\/x"$/],
    [() => networkFromList({ ...LIST, plugins: {} }), 'plugins: must be a list, is an object'],
    [() => plugins(LIST.plugins[0], {}), 'plugins[1].type: must be the name of a plugin, a file name without "/", is missing'],
    [() => plugins('x'), 'plugins[0]: must be an object, is "x"'],
    [() => plugins({ type: '../../bin/sh' }), /^plugins\[0\]\.type: must be .*, a file name without "\/", is "\.\.\/\.\.\/bin\/sh"$/],
    [() => networkFromList({ ...LIST, cniVersion: 1 }), 'cniVersion: must be text, is 1'],
    [() => networkFromList({ ...LIST, cniVersions: ['1.0.0', 1] }), 'cniVersions[1]: must be text, is 1'],
    [() => networkFromList({ ...LIST, cniVersion: 'x' }), /"x" is not a CNI version/],
    [() => networkFromPlugin(LIST), 'plugins: must be in a file named .conflist, is a list'],
    [() => networkFromPlugin({ name: 'one' }), /^type: must be the name of a plugin.*, is missing$/],
  ];
  for (const [work, words] of refused) assert.throws(work, { message: words });
});
