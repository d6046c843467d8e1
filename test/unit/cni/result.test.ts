import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import { addressesOf, preferredFirst, resultFrom as resultOf } from '../../../src/cni/result.ts';
import type { CniResult } from '../../../src/cni/result.ts';

const resultFrom = (answer: unknown, cniVersion: string): CniResult => resultOf(new Field(answer, 'the answer'), cniVersion);

const INTERFACES = [
  { name: 'cni0', mac: '0a:00:00:00:00:01' },
  { name: 'veth1', mac: '0a:00:00:00:00:02', sandbox: '' },
  { name: 'eth0', mac: '0a:00:00:00:00:03', sandbox: '/run/netns/a' },
  { name: 'net1', mac: '0a:00:00:00:00:04', sandbox: '/run/netns/a' },
];

test("addressesOf gives the addresses inside the sandbox, those of eth0 first, in the plugin's order", () => {
  const result = resultFrom(
    {
      cniVersion: '1.0.0',
      interfaces: INTERFACES,
      ips: [
        { address: '10.9.0.5/24', interface: 3 },
        { address: '10.0.0.1/24', interface: 0 },
        { address: 'fd00::5/64', interface: 2 },
        { address: '10.0.0.5/24', interface: 2 },
        { address: '10.0.0.5/24', interface: 2 },
        { address: '10.1.0.1/24', interface: 1 },
      ],
    },
    '1.0.0',
  );
  assert.deepEqual(addressesOf(result, 'eth0'), ['fd00::5', '10.0.0.5', '10.9.0.5']);
});

test("addressesOf takes an address without an interface as the pod's", () => {
  const ips = [
    { version: '4', address: '10.0.0.7/32' },
    { version: '6', address: 'fd00::7/128' },
  ];
  assert.deepEqual(addressesOf(resultFrom({ ips }, '0.3.1'), 'eth0'), ['10.0.0.7', 'fd00::7']);
});

test('addressesOf reads results of versions 0.1.0 and 0.2.0', () => {
  const result = resultFrom({ cniVersion: '0.2.0', ip6: { ip: 'fd00::2/64' }, ip4: { ip: '10.0.0.2/24', gateway: '10.0.0.1' } }, '0.2.0');
  assert.deepEqual(addressesOf(result, 'eth0'), ['10.0.0.2', 'fd00::2']);
});

test('addressesOf leaves out what is no address', () => {
  const result = resultFrom(
    { interfaces: INTERFACES, ips: [null, {}, { address: 'x/24' }, { address: '10.0.0.9/24', interface: 17 }] },
    '1.0.0',
  );
  assert.deepEqual(addressesOf(result, 'eth0'), []);
  assert.deepEqual(addressesOf(resultFrom({}, '1.0.0'), 'eth0'), []);
});

test('resultFrom fills in the version that the plugin left out, and keeps the one it gave', () => {
  assert.equal(resultFrom({}, '0.4.0').cniVersion, '0.4.0');
  assert.equal(resultFrom({ cniVersion: '0.3.1' }, '0.4.0').cniVersion, '0.3.1');
  assert.equal(resultFrom({ cniVersion: 5 }, '0.4.0').cniVersion, '0.4.0');
  assert.throws(() => resultFrom('text', '0.4.0'), { message: 'the answer: must be an object, is "text"' });
});

test('preferredFirst() puts the first address of a family before all others, where there is one', () => {
  const all = ['fd00::1', '10.0.0.1', 'fd00::2', '10.0.0.2'];
  assert.deepStrictEqual(preferredFirst(all, 'cni'), all);
  assert.deepStrictEqual(preferredFirst(all, 'ipv4'), ['10.0.0.1', 'fd00::1', 'fd00::2', '10.0.0.2']);
  assert.deepStrictEqual(preferredFirst(all, 'ipv6'), all);
  assert.deepStrictEqual(preferredFirst(['10.0.0.1'], 'ipv6'), ['10.0.0.1']);
  assert.deepStrictEqual(preferredFirst([], 'ipv4'), []);
});
