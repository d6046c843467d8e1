/** `check --leaks --fix` on real things that no record claims, beside pods that run and pods that come and go. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, pathExists, readJson, remove, writeJson } from 'fs-extra/esm';
import { busyboxLayer } from '../../scripts/make-demo-image.ts';
import type { LeakFixReport } from '../../src/admin/debug-reports.ts';
import { silentLog } from '../../src/base/log.ts';
import { Networks } from '../../src/cni/networks.ts';
import { detectCgroups } from '../../src/linux/cgroups/detect.ts';
import { pinNamespaces } from '../../src/linux/namespaces.ts';
import { mountTmpfs } from '../../src/linux/mounts.ts';
import { identify } from '../../src/linux/process.ts';
import { CgroupfsPlacement } from '../../src/ociruntime/cgroupfs-placement.ts';
import { createMonitored } from '../../src/ociruntime/monitor.ts';
import { MonitoredBundle } from '../../src/ociruntime/monitored-bundle.ts';
import { OciRuntime } from '../../src/ociruntime/oci-runtime.ts';
import type { InventoryKind } from '../../src/pod/inventory.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { execSync, removePod, runContainer, runPod, until, type Pod } from '../support/pods.ts';

const RUNTIME = process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc';
const CONMON = process.env['PODWRIGHT_TEST_CONMON'] ?? '/usr/bin/conmon';
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

/** Of a container that sleeps. */
async function writeSpec(bundle: string, cgroupsPath: string, root = 'rootfs'): Promise<void> {
  await execa(RUNTIME, ['spec', '--bundle', bundle]);
  const spec = (await readJson(join(bundle, 'config.json'))) as { process: object; linux: object; root: object };
  await writeJson(join(bundle, 'config.json'), {
    ...spec,
    process: { ...spec.process, terminal: false, args: ['sleep', '3600'] },
    linux: { ...spec.linux, cgroupsPath },
    root: { ...spec.root, path: root },
  });
}

/** A container that runs, in a cgroup of its own, on an overlay that is mounted in its bundle. */
async function leakContainer(daemon: TestDaemon, id: string): Promise<number> {
  const bundle = join(daemon.runDir, 'bundles', id);
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(daemon.root, 'storage/rootfs', id, name));
  for (const directory of [lower, upper, work, join(bundle, 'rootfs')]) await ensureDir(directory!);
  await execa('tar', ['-x', '-f', '-', '-C', lower!], { input: (await busyboxLayer('none')).tar });
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  await execa('mount', ['-t', 'overlay', 'overlay', '-o', layers, join(bundle, 'rootfs')]);
  await writeSpec(bundle, `${daemon.cgroup}/lost/${id}`);
  const pidFile = join(bundle, 'pidfile');
  const args = ['--root', join(daemon.runDir, 'runtime/runc'), 'run', '--detach', '--bundle', bundle, '--pid-file', pidFile, id];
  await execa(RUNTIME, args, { stdio: 'ignore' });
  return Number(await readJson(pidFile));
}

/** A container that runs under a monitor, as the daemon has them, whose bundle is gone. */
async function leakWithoutBundle(daemon: TestDaemon, id: string): Promise<readonly number[]> {
  const directory = join(daemon.runDir, 'bundles', id);
  const persistDirectory = join(daemon.directory, 'lost-persist');
  // Not in the bundle: the program may not have all of its libraries yet when that is removed.
  const rootfs = join(daemon.directory, 'lost-rootfs');
  for (const path of [directory, rootfs, persistDirectory]) await ensureDir(path);
  await execa('tar', ['-x', '-f', '-', '-C', rootfs], { input: (await busyboxLayer('none')).tar });
  const parent = `${daemon.cgroup}/without-bundle`;
  const placement = new CgroupfsPlacement(await detectCgroups());
  await writeSpec(directory, placement.cgroupsPath(parent, id), rootfs);
  const root = join(daemon.runDir, 'runtime/runc');
  const environment = { PATH: process.env['PATH'] ?? '' };
  // conmon takes a path only.
  const { stdout: path } = await execa('sh', ['-c', 'command -v "$0"', RUNTIME]);
  const runtime = new OciRuntime({ name: 'runc', path, root, systemdCgroup: false, environment });
  const options = { conmonPath: CONMON, exitDirectory: join(daemon.runDir, 'exits'), logSizeMaxBytes: -1 };
  const request = {
    containerId: id,
    name: 'lost',
    bundle: new MonitoredBundle(directory, persistDirectory),
    logPath: join(daemon.directory, 'lost.log'),
    terminal: false,
    stdin: false,
    stdinOnce: false,
    placeMonitor: async (pid: number) => placement.placeMonitor(parent, id, pid),
    timeoutMs: 60_000,
  };
  const made = await createMonitored(options, runtime, request, { isPlacedFirst: false });
  await runtime.start(id);
  await remove(directory);
  return [made.process.pid, made.monitor.pid];
}

/** Of a container and its monitor, in a pod that is there: without a process. */
async function leakCgroups(pod: Pod, id: string): Promise<void> {
  const cgroups = await detectCgroups();
  for (const name of [id, `podwright-conmon-${id}`]) await cgroups.ensure(`${pod.config.linux?.cgroupParent ?? ''}/${name}`);
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
async function leakAll(daemon: TestDaemon, kept: Pod): Promise<{ readonly things: readonly string[]; readonly pids: readonly number[] }> {
  const [sandbox, container, withoutBundle, withoutProcess] = [newId(), newId(), newId(), newId()];
  await leakNetwork(daemon, sandbox);
  const pid = await leakContainer(daemon, container);
  const shm = join(daemon.runDir, 'sandboxes', sandbox, 'shm');
  await ensureDir(shm);
  mountTmpfs(shm, { sizeBytes: 1024 * 1024, mode: 0o1777 });
  await mkdir(join(daemon.runDir, 'infra', sandbox), { recursive: true });
  await leakNetworkCgroup(daemon, sandbox);
  const pids = await leakWithoutBundle(daemon, withoutBundle);
  await leakCgroups(kept, withoutProcess);
  // A kind that the inventory has and this has not does not compile. An exit file of nobody's the exit router takes at once.
  const expected: Readonly<Record<Exclude<InventoryKind['kind'], 'exit file'>, readonly string[]>> = {
    attachment: [sandbox],
    namespace: [sandbox],
    'infra bundle': [sandbox],
    'network cgroup': [sandbox],
    bundle: [container],
    container: [withoutBundle, withoutProcess],
    directory: [sandbox],
    rootfs: [container],
  };
  return { things: Object.entries(expected).flatMap(([kind, ids]) => ids.map((id) => `${kind} ${id}`)), pids: [pid, ...pids] };
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
    const { things, pids } = await leakAll(daemon, kept);
    await assert.rejects(daemon.cli('check', '--leaks'), { exitCode: 5, stderr: /9 leaked, 0 missing/ });

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
    for (const pid of pids) await until('the process is gone', async () => (await identify(pid)) === undefined);
    assert.equal((await execSync(daemon, container, ['true'])).exitCode, 0);
    const now = (await inventoryOf(daemon)).filter((line) => !line.startsWith('process '));
    assert.deepEqual(before.filter((line) => !now.includes(line)), []); // prettier-ignore
    assert.equal(await daemon.cli('check', '--leaks'), '');
  },
);

e2eTest('a container that has lost its bundle and its monitor leaves no cgroup', async (daemon) => {
  const id = newId();
  const [pid = 0, monitor = 0] = await leakWithoutBundle(daemon, id);
  process.kill(monitor, 'SIGKILL');
  await until('the monitor is gone', async () => (await identify(monitor)) === undefined);
  await assert.rejects(daemon.cli('check', '--leaks'), { exitCode: 5, stderr: /1 leaked, 0 missing/ });
  const { removed } = JSON.parse(await daemon.cli('check', '--leaks', '--fix', '--json')) as LeakFixReport;
  assert.deepEqual(removed.map(({ kind, name }) => `${kind} ${name}`), [`container ${id}`]); // prettier-ignore
  await until('the process is gone', async () => (await identify(pid)) === undefined);
});

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
