import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podSysctls } from '../../../src/ocispec/sysctls.ts';

const DEFAULTS = { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.shm_rmid_forced': '1' };

test('podSysctls() puts the request over the defaults that apply', () => {
  const requested = { 'net/ipv4/ip_unprivileged_port_start': '80', 'kernel.msgmax': '9000', 'net.ipv4.conf.eth0/1.rp_filter': '0' };

  assert.deepStrictEqual(podSysctls(requested, { net: 'pod', ipc: 'pod' }, DEFAULTS), {
    'net/ipv4/ip_unprivileged_port_start': '80',
    'kernel.shm_rmid_forced': '1',
    'kernel.msgmax': '9000',
    'net.ipv4.conf.eth0/1.rp_filter': '0',
  });
  assert.deepStrictEqual(podSysctls({}, { net: 'node', ipc: 'pod' }, DEFAULTS), { 'kernel.shm_rmid_forced': '1' });
});

test('podSysctls() refuses what would change the node', () => {
  const ask = (name: string, net: 'pod' | 'node', ipc: 'pod' | 'node') => () => podSysctls({ [name]: '1' }, { net, ipc }, {});

  assert.throws(ask('net.core.somaxconn', 'node', 'pod'), {
    kind: 'InvalidArgument',
    message: /net namespace, and the pod uses the node's/,
  });
  assert.throws(ask('fs.mqueue.msg_max', 'pod', 'node'), { kind: 'InvalidArgument', message: /ipc namespace/ });
  for (const name of [
    'vm.swappiness',
    'kernel.panic',
    'kernel.hostname',
    'fs.file-max',
    '../../etc',
    'net../x',
    'net/../kernel/panic',
    '',
  ]) {
    assert.throws(ask(name, 'pod', 'pod'), { kind: 'InvalidArgument' }, name);
  }
});
