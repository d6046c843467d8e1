import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPinned, pinNamespaces, unpinNamespaces, withNamespaces } from '../../../src/linux/namespaces.ts';
import { readMounts } from '../../../src/linux/mounts.ts';
import { run, runWith, spawn } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const ALL = { net: true, ipc: true, uts: true, loopback: true };
const KINDS = ['net', 'ipc', 'uts'] as const;

/** Spawns in a network namespace. */
function spawnIn(net: string): typeof spawn {
  return (file, options) => withNamespaces({ net }, () => spawn(file, options));
}

/** The namespaces of every thread of this program. */
function threadNamespaces(): string[] {
  const links = readdirSync('/proc/self/task').flatMap((task) => KINDS.map((kind) => readlinkSync(`/proc/self/task/${task}/ns/${kind}`)));
  return [...new Set(links)].sort();
}

test('pinNamespaces keeps namespaces of their own, with hostname, sysctls and lo set inside', async (t) => {
  const directory = join(await scratchDirectory(t), 'pod');
  const before = threadNamespaces();
  const ownName = hostname();
  pinNamespaces(directory, {
    ...ALL,
    hostname: 'web-0',
    sysctls: {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net/ipv4/ping_group_range': '0 2147483647',
      'kernel.shm_rmid_forced': '1',
      'kernel.msgmax': '9000',
      'kernel.sem': '300 33000 50 130',
      'fs.mqueue.msg_max': '17',
    },
  });
  t.after(() => {
    unpinNamespaces(directory);
  });
  assert.deepEqual(threadNamespaces(), before);
  for (const kind of KINDS) assert.equal(isPinned(join(directory, kind)), true, kind);

  const paths = { net: join(directory, 'net'), ipc: join(directory, 'ipc'), uts: join(directory, 'uts') };
  const inside = withNamespaces(paths, () => ({
    links: KINDS.map((kind) => readlinkSync(`/proc/thread-self/ns/${kind}`)),
    name: hostname(),
    ports: readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'),
    ping: readFileSync('/proc/sys/net/ipv4/ping_group_range', 'utf8'),
    shm: readFileSync('/proc/sys/kernel/shm_rmid_forced', 'utf8'),
    msgmax: readFileSync('/proc/sys/kernel/msgmax', 'utf8'),
    sem: readFileSync('/proc/sys/kernel/sem', 'utf8'),
    mqueue: readFileSync('/proc/sys/fs/mqueue/msg_max', 'utf8'),
  }));
  assert.ok(inside.links.every((link) => !before.includes(link)));
  assert.deepEqual(
    { ...inside, links: undefined },
    {
      links: undefined,
      name: 'web-0',
      ports: '0\n',
      ping: '0\t2147483647\n',
      shm: '1\n',
      msgmax: '9000\n',
      sem: '300\t33000\t50\t130\n',
      mqueue: '17\n',
    },
  );
  assert.equal(hostname(), ownName);
  assert.notEqual(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), '9000\n', 'the node keeps its own');

  const { stdout } = await runWith(spawnIn(paths.net), 'ip', { args: ['-o', 'addr'], timeoutMs: 5000 });
  assert.match(stdout.toString(), /lo\s+inet 127\.0\.0\.1\/8/);
  assert.match(stdout.toString(), /lo\s+inet6 ::1\/128/);
  assert.deepEqual(threadNamespaces(), before);
});

test('without loopback lo stays down; only what is asked for is pinned', async (t) => {
  const directory = await scratchDirectory(t);
  pinNamespaces(directory, { net: true, ipc: false, uts: false, loopback: false });
  t.after(() => {
    unpinNamespaces(directory);
  });
  const { stdout } = await runWith(spawnIn(join(directory, 'net')), 'ip', { args: ['-o', 'link'], timeoutMs: 5000 });
  assert.match(stdout.toString(), /lo: <LOOPBACK>/);
  assert.deepEqual(await readdir(directory), ['net']);
});

test('unpinNamespaces leaves no mount and no file, and may be called again', async (t) => {
  const directory = join(await scratchDirectory(t), 'pod');
  pinNamespaces(directory, ALL);
  unpinNamespaces(directory);
  assert.equal(existsSync(directory), false);
  assert.deepEqual(
    (await readMounts()).filter(({ target }) => target.startsWith(directory)),
    [],
  );
  unpinNamespaces(directory);
  assert.equal(isPinned(join(directory, 'net')), false);
  await writeFile(`${directory}-plain`, '');
  assert.equal(isPinned(`${directory}-plain`), false);
});

test('a failing step leaves nothing and brings us back', async (t) => {
  const directory = join(await scratchDirectory(t), 'pod');
  const before = threadNamespaces();
  const refused: [Parameters<typeof pinNamespaces>[1], RegExp][] = [
    [
      { ...ALL, sysctls: { 'net.ipv4.no_such_sysctl': '1' } },
      /set sysctl net\.ipv4\.no_such_sysctl=1 .*: the kernel has no sysctl of this name there/,
    ],
    [
      { ...ALL, sysctls: { 'net.ipv4.ip_unprivileged_port_start': 'no number' } },
      /ip_unprivileged_port_start=no number .*: the kernel does not take this value/,
    ],
    [{ ...ALL, sysctls: { 'kernel.panic': '1' } }, /set sysctl kernel.panic: it belongs to no namespace/],
    [{ ...ALL, ipc: false, sysctls: { 'kernel.shmmax': '1' } }, /belongs to ipc namespace/],
    [{ ...ALL, hostname: 'x'.repeat(65) }, /EINVAL.*sethostname/],
    [{ ...ALL, uts: false, hostname: 'x' }, /without a UTS namespace/],
    [{ ...ALL, net: false }, /without a network namespace/],
  ];
  for (const [options, message] of refused) {
    assert.throws(() => {
      pinNamespaces(directory, options);
    }, message);
    assert.equal(existsSync(directory), false);
    assert.deepEqual(threadNamespaces(), before);
  }
});

test('pinning where pins are fails and does not touch them', async (t) => {
  const directory = await scratchDirectory(t);
  pinNamespaces(directory, { ...ALL, uts: false });
  t.after(() => {
    unpinNamespaces(directory);
  });
  assert.throws(
    () => {
      pinNamespaces(directory, { ...ALL, ipc: false });
    },
    { code: 'EEXIST' },
  );
  assert.deepEqual((await readdir(directory)).sort(), ['ipc', 'net']);
  assert.equal(isPinned(join(directory, 'net')), true);
});

test('withNamespaces comes back after a throw and refuses work that goes on later', async (t) => {
  const directory = await scratchDirectory(t);
  pinNamespaces(directory, ALL);
  t.after(() => {
    unpinNamespaces(directory);
  });
  const before = threadNamespaces();
  const paths = { net: join(directory, 'net'), uts: join(directory, 'uts') };
  assert.throws(() => withNamespaces(paths, () => assert.fail('inside')), /inside/);
  assert.throws(() => withNamespaces(paths, () => Promise.resolve(1)), /must be synchronous/);
  assert.throws(() => withNamespaces({ net: join(directory, 'nope') }, () => 1), { code: 'ENOENT' });
  assert.throws(() => withNamespaces({ net: join(directory, 'uts') }, () => 1), { code: 'EINVAL' });
  assert.throws(() => withNamespaces({ uts: '/etc/passwd' }, () => 1), { code: 'EINVAL' });
  assert.deepEqual(threadNamespaces(), before);
});

test('300 pins leave every thread, the pool included, where it was', { timeout: 60_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const before = threadNamespaces();
  for (let index = 0; index < 300; index += 1) {
    const pod = join(directory, String(index % 7));
    pinNamespaces(pod, { ...ALL, hostname: `pod-${index}` });
    withNamespaces({ net: join(pod, 'net') }, () => readFileSync('/proc/net/dev'));
    // Work on the pool and a look-up in between, as the daemon does.
    const others = Promise.all([readFile('/proc/self/stat'), lookup('localhost'), readFile('/etc/hosts'), readdir('/'), readdir('/etc')]);
    unpinNamespaces(pod);
    await others;
  }
  assert.deepEqual(threadNamespaces(), before);
  const namespaces = (): number => readdirSync('/proc/self/fd').length;
  const open = namespaces();
  await sleep(10);
  assert.ok(namespaces() <= open);
});

test('the pool is warm before the first pin of a fresh program', async (t) => {
  const directory = await scratchDirectory(t);
  const module = JSON.stringify(join(import.meta.dirname, '../../../src/linux/namespaces.ts'));
  const program = `import { pinNamespaces, withNamespaces, unpinNamespaces } from ${module};
    import { readdirSync, readlinkSync, readFile } from 'node:fs';
    const own = readlinkSync('/proc/self/ns/net');
    const pod = process.argv[1];
    pinNamespaces(pod, { net: true, ipc: true, uts: true, loopback: true });
    // What the rule forbids, done on purpose: the pool must have been started outside already.
    withNamespaces({ net: pod + '/net' }, () => { for (let i = 0; i < 8; i += 1) readFile('/etc/hosts', () => {}); });
    unpinNamespaces(pod);
    setTimeout(() => {
      const strays = readdirSync('/proc/self/task').filter((task) => readlinkSync('/proc/self/task/' + task + '/ns/net') !== own);
      process.stdout.write('strays ' + strays.length);
    }, 50);`;
  const { stdout, stderr } = await run(process.execPath, {
    args: ['--input-type=module', '--eval', program, join(directory, 'pod')],
    timeoutMs: 20_000,
  });
  assert.equal(stdout.toString(), 'strays 0', stderr.toString());
});
