/** `check --leaks --fix` on real things that no record claims, beside pods that run and pods that come and go. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { access, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, pathExists, readJson, writeJson } from 'fs-extra/esm';
import { busyboxLayer } from '../../scripts/make-demo-image.ts';
import type { LeakFixReport } from '../../src/admin/debug-reports.ts';
import { silentLog } from '../../src/base/log.ts';
import { Networks } from '../../src/cni/networks.ts';
import { pinNamespaces } from '../../src/linux/namespaces.ts';
import { mountTmpfs } from '../../src/linux/mounts.ts';
import type { InventoryKind } from '../../src/pod/inventory.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { execSync, removePod, runContainer, runPod, until } from '../support/pods.ts';

const RUNTIME = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
const CNI_BIN_DIRS = (process.env['PODWRIGHT_TEST_CNI_BIN'] ?? '/opt/cni/bin:/usr/lib/cni').split(':');
const newId = (): string => randomBytes(32).toString('hex');

/** A network namespace with an attachment that the plugins have really made, and its record. */
async function leakNetwork(daemon: TestDaemon, id: string): Promise<void> {
  const directory = join(daemon.runDir, 'ns', id);
  pinNamespaces(directory, { net: true, ipc: true, uts: true, loopback: true });
  const networks = new Networks({
    confDir: daemon.cniConfDir,
    binDirs: [daemon.cniBinDir, ...CNI_BIN_DIRS],
    cacheDir: join(daemon.root, 'cni'),
    log: silentLog,
  });
  await networks.start();
  const pod = { name: 'lost', namespace: 'e2e', uid: id.slice(0, 8) };
  await networks.attach({ containerId: id, netnsPath: join(directory, 'net'), pod, capabilityArgs: {} }, AbortSignal.timeout(30_000));
  await networks.close();
}

/** A container that runs, in a cgroup of its own, on an overlay that is mounted in its bundle. */
async function leakContainer(daemon: TestDaemon, id: string): Promise<number> {
  const bundle = join(daemon.runDir, 'bundles', id);
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(daemon.root, 'storage/rootfs', id, name));
  for (const directory of [lower, upper, work, join(bundle, 'rootfs')]) await ensureDir(directory!);
  await execa('tar', ['-x', '-f', '-', '-C', lower!], { input: (await busyboxLayer('none')).tar });
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  await execa('mount', ['-t', 'overlay', 'overlay', '-o', layers, join(bundle, 'rootfs')]);
  await execa(RUNTIME, ['spec', '--bundle', bundle]);
  const spec = (await readJson(join(bundle, 'config.json'))) as { process: object; linux: object };
  await writeJson(join(bundle, 'config.json'), {
    ...spec,
    process: { ...spec.process, terminal: false, args: ['sleep', '3600'] },
    linux: { ...spec.linux, cgroupsPath: `${daemon.cgroup}/lost/${id}` },
  });
  const pidFile = join(bundle, 'pidfile');
  const args = ['--root', join(daemon.runDir, 'runtime/runc'), 'run', '--detach', '--bundle', bundle, '--pid-file', pidFile, id];
  await execa(RUNTIME, args, { stdio: 'ignore' });
  return Number(await readJson(pidFile));
}

/** In the cgroup of the lost container's pod, with what tells where. */
async function leakNetworkCgroup(daemon: TestDaemon, id: string): Promise<void> {
  const path = `${daemon.cgroup}/lost/crio-${id}.scope`;
  const tree = (await pathExists('/sys/fs/cgroup/memory')) ? 'memory' : '';
  await mkdir(join('/sys/fs/cgroup', tree, path));
  await ensureDir(join(daemon.runDir, 'network-cgroups'));
  await symlink(path, join(daemon.runDir, 'network-cgroups', id));
}

/** One of everything, by hand: what a bug in the daemon would leave. */
async function leakAll(daemon: TestDaemon): Promise<{ readonly things: readonly string[]; readonly pid: number }> {
  const [sandbox, container] = [newId(), newId()];
  await leakNetwork(daemon, sandbox);
  const pid = await leakContainer(daemon, container);
  const shm = join(daemon.runDir, 'sandboxes', sandbox, 'shm');
  await ensureDir(shm);
  mountTmpfs(shm, { sizeBytes: 1024 * 1024, mode: 0o1777 });
  await mkdir(join(daemon.runDir, 'infra', sandbox), { recursive: true });
  await leakNetworkCgroup(daemon, sandbox);
  // A kind that the inventory has and this has not does not compile. An exit file of nobody's the exit router takes at once.
  const expected: Readonly<Record<Exclude<InventoryKind['kind'], 'exit file'>, string>> = {
    attachment: sandbox,
    namespace: sandbox,
    'infra bundle': sandbox,
    'network cgroup': sandbox,
    bundle: container,
    directory: sandbox,
    rootfs: container,
  };
  return { things: Object.entries(expected).map(([kind, id]) => `${kind} ${id}`), pid };
}

/** Makes and removes pods with a container each until the work is done; the answer is how many. */
async function pods(daemon: TestDaemon, work: Promise<unknown>): Promise<number> {
  let isDone = false;
  let count = 0;
  const end = (): void => void (isDone = true);
  work.then(end, end);
  const one = async (): Promise<void> => {
    do {
      const pod = await runPod(daemon);
      const container = await runContainer(daemon, pod, ['sleep', '3600']);
      assert.equal((await execSync(daemon, container, ['true'])).exitCode, 0);
      await removePod(daemon, pod.id);
      count += 1;
    } while (!isDone);
  };
  await Promise.all([one(), one(), one()]);
  return count;
}

e2eTest(
  'leaks of every kind are fixed while pods run, are made and are removed; nothing that is claimed is touched',
  async (daemon, context) => {
    const kept = await runPod(daemon, { name: 'kept' });
    const container = await runContainer(daemon, kept, ['sleep', '3600']);
    const before = (await inventoryOf(daemon)).filter((line) => !line.startsWith('process '));
    const { things, pid } = await leakAll(daemon);
    await assert.rejects(daemon.cli('check', '--leaks'), { exitCode: 5, stderr: /7 leaked, 0 missing/ });

    const removed: string[] = [];
    const fixes = (async () => {
      for (let round = 0; round < 4; round += 1) {
        const report = JSON.parse(await daemon.cli('check', '--leaks', '--fix', '--json')) as LeakFixReport;
        assert.deepEqual([report.kept, report.missing], [[], []]);
        removed.push(...report.removed.map(({ kind, name }) => `${kind} ${name}`));
      }
    })();
    const count = await pods(daemon, fixes);
    await fixes;

    context.diagnostic(`${count} pods came and went meanwhile`);
    assert.deepEqual(removed.sort(), [...things].sort());
    await until('the process is gone', async () => access(`/proc/${pid}`).then(() => false, () => true)); // prettier-ignore
    assert.equal((await execSync(daemon, container, ['true'])).exitCode, 0);
    const now = (await inventoryOf(daemon)).filter((line) => !line.startsWith('process '));
    assert.deepEqual(before.filter((line) => !now.includes(line)), []); // prettier-ignore
    assert.equal(await daemon.cli('check', '--leaks'), '');
  },
);

e2eTest('what cannot be removed is told with the reason, and goes when the reason is gone', async (daemon) => {
  const fails = join(daemon.directory, 'fails');
  const words = `echo '{"code": 99, "msg": "the firewall is away"}'; exit 1`;
  const script = `#!/bin/sh\n[ -e ${fails} ] || exec ${join(CNI_BIN_DIRS.at(-1) ?? '', 'portmap')}\n${words}\n`;
  await writeFile(join(daemon.cniBinDir, 'portmap'), script, { mode: 0o755 });
  await daemon.restart(); // where a plugin was found is remembered
  await leakNetwork(daemon, newId());
  await writeFile(fails, '');
  const report: unknown = await daemon.cli('check', '--leaks', '--fix').catch((error: unknown) => error);
  assert.match(String((report as { stdout?: unknown }).stdout), /^kept +attachment +\w{64} .*plugin portmap, DEL: the firewall is away$/m);
  assert.equal((report as { exitCode?: unknown }).exitCode, 5);
  await execa('rm', [fails]);
  await until('it is released', async () => !(await daemon.cli('status')).includes('release network'));
});
