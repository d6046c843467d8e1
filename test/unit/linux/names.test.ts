import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskIn, namesOf } from '../../../src/linux/capabilities.ts';
import { errnoError } from '../../../src/linux/libc.ts';
import { interfaceOfSysctl, namespaceOfSysctl } from '../../../src/linux/namespaces.ts';
import { inetAddress, unixAddress } from '../../../src/linux/socket-calls.ts';
import { scopeArguments, sliceToCgroupPath } from '../../../src/linux/systemd.ts';

test('namespaceOfSysctl knows whose namespace a sysctl lives in', () => {
  assert.equal(namespaceOfSysctl('net.ipv4.ip_unprivileged_port_start'), 'net');
  assert.equal(namespaceOfSysctl('net/ipv4/conf/eth0.1/forwarding'), 'net');
  for (const name of ['kernel.shmmax', 'kernel.shm_rmid_forced', 'kernel.msgmnb', 'kernel.sem', 'fs.mqueue.msg_max']) {
    assert.equal(namespaceOfSysctl(name), 'ipc', name);
  }
  assert.equal(namespaceOfSysctl('kernel.domainname'), 'uts');
  for (const name of ['kernel.panic', 'vm.swappiness', 'kernel.shm.x', 'fs.file-max', 'network.x']) {
    assert.equal(namespaceOfSysctl(name), undefined, name);
  }
});

test('namespaceOfSysctl refuses names that leave /proc/sys', () => {
  for (const name of ['net/../kernel/panic', 'net//x', '', 'net.', 'net.a\0b', 'net/./x']) {
    assert.throws(() => namespaceOfSysctl(name), /set sysctl/, name);
  }
});

test('sliceToCgroupPath puts a slice into its parents', () => {
  assert.equal(sliceToCgroupPath('-.slice'), '/');
  assert.equal(sliceToCgroupPath('kubepods.slice'), '/kubepods.slice');
  assert.equal(
    sliceToCgroupPath('kubepods-burstable-pod1_2.slice'),
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice',
  );
});

test('sliceToCgroupPath refuses what is no slice name', () => {
  for (const name of ['', '.slice', 'a.scope', '-a.slice', 'a-.slice', 'a--b.slice', 'a/b.slice', '/kubepods']) {
    assert.throws(() => sliceToCgroupPath(name), { kind: 'InvalidArgument' }, name);
  }
});

test('scopeArguments counts its properties and gives each a signature', () => {
  const args = scopeArguments({ name: 'x.scope', slice: 'a.slice', pid: 42, description: 'conmon of x' });
  assert.deepEqual(args, [
    ...['StartTransientUnit', 'ssa(sv)a(sa(sv))', 'x.scope', 'fail', '6'],
    ...['Description', 's', 'conmon of x', 'Slice', 's', 'a.slice', 'PIDs', 'au', '1', '42', 'Delegate', 'b', 'true'],
    ...['DefaultDependencies', 'b', 'false', 'CollectMode', 's', 'inactive-or-failed', '0'],
  ]);
});

test('namesOf names the bits of a capability mask', () => {
  const status = 'Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t000001fffeffffff\nCapBnd:\t0000000000000401\n';
  assert.deepEqual(namesOf(maskIn(status, 'CapBnd')), ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE']);
  const names = namesOf(maskIn(status, 'CapEff'));
  assert.equal(names.length, 40);
  assert.ok(!names.includes('CAP_SYS_RESOURCE'));
  assert.deepEqual(namesOf(maskIn('', 'CapEff')), []);
  assert.deepEqual(namesOf(1n << 63n), [], 'a capability of a later kernel has no name here');
});

test('errnoError looks like an error of Node', () => {
  const error = errnoError('open', '/nope', 2);
  assert.deepEqual(
    { code: error.code, errno: error.errno, syscall: error.syscall, path: error.path, message: error.message },
    { code: 'ENOENT', errno: -2, syscall: 'open', path: '/nope', message: "ENOENT: no such file or directory, open '/nope'" },
  );
  assert.equal(errnoError('connect', undefined, 115).code, 'EINPROGRESS', 'one that libuv does not know');
  assert.equal(errnoError('connect', undefined, 4000).code, 'E4000');
});

test('unixAddress refuses a path over 107 bytes and knows the abstract name space', () => {
  assert.equal(unixAddress('/run/x').toString('latin1'), '\x01\0/run/x\0');
  assert.equal(unixAddress('@x').toString('latin1'), '\x01\0\0x');
  assert.equal(unixAddress('p'.repeat(107)).length, 110);
  assert.throws(() => unixAddress('p'.repeat(108)), { code: 'ENAMETOOLONG' });
});

test('inetAddress has the layout of sockaddr_in and sockaddr_in6', () => {
  assert.equal(inetAddress('127.0.0.1', 0x1f90).toString('hex'), '02001f907f0000010000000000000000');
  assert.equal(inetAddress('::1', 80).toString('hex'), `0a00005000000000${'00'.repeat(15)}0100000000`);
});

test('interfaceOfSysctl knows the sysctls that are there with an interface only, in both spellings', () => {
  for (const name of ['net.ipv4.conf.eth0.arp_filter', 'net/ipv6/neigh/eth0/gc_stale_time', 'net/mpls/conf/eth0/input'])
    assert.equal(interfaceOfSysctl(name), 'eth0', name);
  assert.equal(interfaceOfSysctl('net.ipv4.conf.eth0/1.arp_filter'), 'eth0.1');
  for (const name of [
    'net.ipv4.conf.all.arp_filter',
    'net.ipv4.conf.default.arp_filter',
    'net.ipv6.conf.lo.disable_ipv6',
    'net.core.somaxconn',
    'kernel.sem',
  ])
    assert.equal(interfaceOfSysctl(name), undefined, name);
});
