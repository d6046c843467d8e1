import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composePodFiles, podFileContents, resolvConfText } from '../../../src/podsandbox/pod-files.ts';
import { readFile } from 'node:fs/promises';
import { unlessMissing } from '../../../src/base/errors.ts';

const HOST = { hosts: '127.0.0.1 node\n', resolvConf: 'nameserver 192.0.2.1\n' };
const DNS = { servers: ['10.0.0.10', 'fd00::10'], searches: ['default.svc.cluster.local', 'local'], options: ['ndots:5', 'edns0'] };

test('composePodFiles() of a pod with a network of its own', () => {
  const files = composePodFiles({ config: { dnsConfig: DNS }, hostname: 'web-0', hostNetwork: false, ips: ['10.1.0.7', 'fd00::7'] }, HOST);

  assert.deepStrictEqual(files, {
    hosts: `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
10.1.0.7\tweb-0
fd00::7\tweb-0
`,
    resolvConf: 'nameserver 10.0.0.10\nnameserver fd00::10\nsearch default.svc.cluster.local local\noptions ndots:5 edns0\n',
    hostname: 'web-0\n',
  });
});

test("composePodFiles() of a pod on the node's network copies the node's files", () => {
  const files = composePodFiles({ config: {}, hostname: 'node', hostNetwork: true }, HOST);

  assert.deepStrictEqual(files, { ...HOST, hostname: 'node\n' });
});

test("composePodFiles() without a DNSConfig, or with an empty one, copies the node's", () => {
  const text = (dnsConfig: typeof DNS | undefined) =>
    composePodFiles({ config: { dnsConfig }, hostname: 'h', hostNetwork: false }, HOST).resolvConf;

  assert.deepStrictEqual(
    [text(undefined), text({ servers: [], searches: [], options: [] })],
    ['nameserver 192.0.2.1\n', 'nameserver 192.0.2.1\n'],
  );
});

test('composePodFiles() looks behind a resolver on the loopback, which a pod cannot reach', () => {
  const host = { hosts: '', resolvConf: '# stub\nnameserver 127.0.0.53\noptions edns0\n', upstreamResolvConf: 'nameserver 192.0.2.9\n' };
  const text = (hostNetwork: boolean, upstreamResolvConf?: string) =>
    composePodFiles({ config: {}, hostname: 'h', hostNetwork }, { ...host, upstreamResolvConf }).resolvConf;

  assert.deepStrictEqual(
    [text(false, host.upstreamResolvConf), text(true, host.upstreamResolvConf), text(false)],
    [host.upstreamResolvConf, host.resolvConf, host.resolvConf],
  );
});

test('resolvConfText() refuses what is not one word, and too many search domains', () => {
  const bad = [
    { ...DNS, servers: ['10.0.0.1\nnameserver 6.6.6.6'] },
    { ...DNS, searches: ['a b'] },
    { ...DNS, options: [''] },
    { ...DNS, searches: Array.from({ length: 33 }, () => 'a') },
    { ...DNS, searches: ['a'.repeat(2049)] },
  ];
  for (const dns of bad) assert.throws(() => resolvConfText(dns), { kind: 'InvalidArgument' });
  assert.doesNotThrow(() => resolvConfText({ ...DNS, searches: Array.from({ length: 32 }, () => 'a') }));
});

test('podFileContents() reads the files of this host', async () => {
  const files = await podFileContents({ config: {}, hostname: 'node', hostNetwork: true });

  assert.equal(files.hosts, await unlessMissing(readFile('/etc/hosts', 'utf8'), ''));
  assert.equal(files.resolvConf, await unlessMissing(readFile('/etc/resolv.conf', 'utf8'), ''));
});
