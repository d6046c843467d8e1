import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf, networkFromList, networkFromPlugin, parseObject } from '../../../src/cni/network-conf.ts';

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
  assert.throws(() => networkFromList({ ...LIST, disableGC: 1 }), /"disableGC" is 1, must be true or false/);
});

test('networkFromPlugin makes a network of one plugin', () => {
  const conf = networkFromPlugin({ cniVersion: '0.3.1', name: 'one', type: 'ptp' });
  assert.deepEqual([conf.name, conf.cniVersion, conf.plugins.map(({ type }) => type)], ['one', '0.3.1', ['ptp']]);
});

test('a network survives its record', () => {
  const conf = networkFromList({ ...LIST, cniVersions: ['1.0.0', '1.1.0'], disableGC: true });
  const again = networkFromList(parseObject(JSON.stringify(documentOf(conf))));
  assert.deepEqual(again, { ...conf, readsFolder: false });
  assert.equal(again.cniVersion, '1.1.0');
});

test('wrong configurations are refused with the field that is wrong', () => {
  const refused: [() => unknown, RegExp][] = [
    [() => parseObject('{"name": '), /^Error: not JSON: /],
    [() => parseObject('[]'), /not a JSON object/],
    [() => networkFromList({ ...LIST, name: '' }), /"name" is missing/],
    [() => networkFromList({ ...LIST, name: '../x' }), /"name" is "..\/x", must start with a letter or digit/],
    [() => networkFromList({ ...LIST, plugins: {} }), /"plugins" is object, must be a list of plugins/],
    [() => networkFromList({ ...LIST, plugins: [{}] }), /"plugins\[0\].type" is missing, must be the name of a plugin/],
    [() => networkFromList({ ...LIST, plugins: ['x'] }), /"plugins\[0\]" is not an object/],
    [() => networkFromList({ ...LIST, plugins: [{ type: '../../bin/sh' }] }), /must be a file name without "\/"/],
    [() => networkFromList({ ...LIST, cniVersion: 1 }), /"cniVersion" is number, must be text/],
    [() => networkFromList({ ...LIST, cniVersion: 'x' }), /"x" is not a CNI version/],
    [() => networkFromPlugin(LIST), /a list of plugins must be in a file named .conflist/],
    [() => networkFromPlugin({ name: 'one' }), /"type" is missing/],
  ];
  for (const [work, words] of refused) assert.throws(work, words);
});
