import assert from 'node:assert/strict';
import { once } from 'node:events';
import { open, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { makeCniLab } from '../../support/cni.ts';
import { difference, takeInventory } from '../../support/inventory.ts';
import { networksOf, podIn, soon } from '../../support/networks.ts';
import type { InventoryScope } from '../../support/inventory.ts';

test('the inventory lists each kind of thing that a daemon can leave, and nothing once it is gone', async (t) => {
  const lab = await makeCniLab();
  t.after(() => lab.remove());
  await lab.configure();
  const networks = networksOf(lab);
  await networks.start();
  t.after(() => networks.close());
  const root = join(lab.dir, 'root');
  await ensureDir(join(root, 'sandboxes'));
  const cgroup = `/inventory-${lab.network}`;
  const scope: InventoryScope = {
    home: lab.dir,
    directories: [root],
    cgroup,
    cniDataDir: lab.dataDir,
    bridge: lab.bridge,
    network: lab.network,
    daemonPid: process.pid,
  };
  // host-local keeps furniture of its own once it has run.
  const first = podIn(lab);
  await networks.attach(first, soon());
  await networks.detach(first, soon());
  lab.removeNamespace(first.containerId.slice(0, 12));
  const before = await takeInventory(scope);

  const pod = podIn(lab);
  await networks.attach(pod, soon());
  await writeFile(join(root, 'sandboxes', 'abc.json'), '{}');
  const held = await open(pod.netnsPath, 'r');
  t.after(() => held.close().catch(() => undefined));
  const hierarchy = join('/sys/fs/cgroup/unified', cgroup);
  const other = join('/sys/fs/cgroup', cgroup);
  const made = await ensureDir(join(hierarchy, 'pod')).then(
    () => hierarchy,
    async () => ensureDir(join(other, 'pod')).then(() => other),
  );
  const options = { env: { CNI_NETNS: pod.netnsPath }, extendEnv: false, stdio: 'ignore', detached: true, reject: false } as const;
  const sleeper = execa('sleep', ['60'], options);
  await once(sleeper, 'spawn');
  t.after(() => sleeper.kill('SIGKILL'));
  const left = difference(before, await takeInventory(scope));

  assert.deepEqual([...new Set(left.map((line) => line.split(' ')[0]))].sort(), [
    'address',
    'cgroup',
    'file',
    'link',
    'mount',
    'namespace',
    'process',
    'rule',
  ]);
  const has = (part: string): void => {
    assert.ok(left.some((line) => line.includes(part)), `no line has ${part}: ${left.join('\n')}`); // prettier-ignore
  };
  has(`mount ${pod.netnsPath} (nsfs)`);
  has(`namespace ${pod.netnsPath} is open in the daemon`);
  has(`${cgroup}/pod`);
  has(`process ${sleeper.pid ?? 0} sleep 60`);
  has(`file ${join(root, 'sandboxes', 'abc.json')}`);
  has(pod.containerId);

  sleeper.kill('SIGKILL');
  await once(sleeper, 'exit');
  await held.close();
  await rmdir(join(made, 'pod'));
  await rmdir(made);
  await execa('rm', [join(root, 'sandboxes', 'abc.json')]);
  await networks.detach(pod, soon());
  lab.removeNamespace(pod.containerId.slice(0, 12));
  await lab.leftovers();
  assert.deepEqual(difference(before, await takeInventory(scope)), []);
});

test('difference counts: the same line twice is one more', () => {
  assert.deepEqual(difference(['a', 'b'], ['a', 'a', 'c']), ['a', 'c']);
});
