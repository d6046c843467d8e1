/**
 * The package as an operator has it: installed by apt, upgraded and taken back under a running pod, removed and purged. It begins with a node
 * that has no Podwright, and leaves one.
 */
import assert from 'node:assert/strict';
import { readFile, readlink, rmdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { execa } from 'execa';
import { outputFile, pathExists, remove } from 'fs-extra/esm';
import { ContainerState, SecurityProfileProfileType } from '../../../api/cri/enums.ts';
import { isSystemError } from '../../../src/base/errors.ts';
import { containerConfig, containerStatus, outputOf, podConfig, removePod, shell, until, waitForOutput } from '../../support/pods.ts';
import { assertSameFootprint, footprint } from './footprint.ts';
import { TRIALS } from './hardening-trials.ts';
import { cgroupOf, output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { need, step, tell } from './steps.ts';

const UNIT = 'podwright.service';
const PACKAGES = '/payload/packages';
/** The build under test, and the same under a higher number: test/vm/payload.ts makes both. */
const [THIS = '', NEXT = ''] = (process.env['PACKAGE_VERSIONS'] ?? '').split(' ');
const SAMPLE = '/usr/share/podwright/10-podwright-bridge.conflist';
const BAD_CONFIGURATION = '/etc/podwright/conf.d/bad.toml';
/** The unit's minute is too long for a test. */
const WATCHDOG_DROP_IN = '/run/systemd/system/podwright.service.d/short.conf';
const WATCHDOG_S = 12;

/** A container that must go on whatever becomes of the daemon. */
interface Survivor {
  readonly podId: string;
  readonly id: string;
  readonly pid: number;
  /** Ticks since the boot: with the pid they name a process for good. */
  readonly startTime: string;
}

export async function packageCases(node: GuestNode, image: string): Promise<void> {
  await takeAway();
  const before = await footprint();
  await need('package: apt installs it, and starts and enables nothing', install);
  await need('package: the sample network is copied, and the unit is enabled and started', async () => {
    await output('cp', SAMPLE, '/etc/cni/net.d/');
    await output('systemctl', 'enable', '--now', UNIT);
    await node.untilReady();
    assert.equal((await node.admin.status()).version, THIS);
  });
  const survivor = await need('package: a pod with a container', async () => run(node, image));
  await step('package: a container gets nothing of what binds the unit', async () => checkRights(survivor));
  await step('package: the unit is bound by nothing that docs/security.md refuses', async () => checkUnit(node));
  await step('package: systemctl restart', async () => {
    await node.restart();
    await node.untilReady();
    await assertGoesOn(node, survivor);
  });
  await step('package: a daemon that stands still is started again by the watchdog', async () => watchdog(node, survivor));
  await step('package: an upgrade that does not start says how to go back, and is mended', async () => failedUpgrade(node, survivor));
  await step('package: a downgrade', async () => {
    await apt('install', '--allow-downgrades', debOf(THIS));
    await node.untilReady();
    assert.equal((await node.admin.status()).version, THIS);
    await assertGoesOn(node, survivor);
  });
  await step('package: the journal has its log, and it goes down behind the kubelet and the containers', async () => {
    assert.match(await output('journalctl', '-u', UNIT, '-o', 'cat'), /serving the CRI/);
    const properties = await output('systemctl', 'show', '-p', 'Before', '-p', 'Conflicts', UNIT);
    assert.match(properties, /^Before=(?=.*\bkubelet\.service\b)(?=.*\bshutdown\.target\b)/m);
    assert.match(properties, /^Conflicts=.*\bshutdown\.target\b/m);
    // What is started after another unit ends before it.
    const scope = basename(await cgroupOf(survivor.pid));
    assert.match(await output('systemctl', 'show', '-p', 'After', scope), /^After=.*\bpodwright\.service\b/);
  });
  tell({ kind: 'note', text: `systemd-analyze security: ${(await output('systemd-analyze', 'security', UNIT)).split('\n').at(-1) ?? ''}` });
  await step('package: a removal lets the pod go on, and a purge is refused meanwhile', async () => removal(survivor));
  await need('package: installed again it finds the pod', async () => {
    await apt('install', debOf(THIS));
    await output('systemctl', 'start', UNIT);
    await node.untilReady();
    await assertGoesOn(node, survivor);
  });
  await step('package: when the pod is gone, a purge leaves nothing', async () => {
    await removePod(node, survivor.podId);
    await apt('purge', 'podwright');
    await assertSameFootprint(before);
  });
}

/** What the payload has put there for the other parts of the test. */
async function takeAway(): Promise<void> {
  await execa('systemctl', ['disable', '--now', UNIT], { reject: false });
  for (const path of [
    ...['/usr/lib/podwright', '/etc/systemd/system/podwright.service', '/etc/systemd/system/podwright.service.d', '/etc/podwright'],
    ...['/etc/cni/net.d/10-podwright-bridge.conflist', '/var/lib/cni/networks/podwright', '/var/lib/podwright', '/run/podwright'],
  ])
    await remove(path);
  // Empty by now, and a purge takes them away. A node that had no runtime has none of them.
  for (const path of ['/etc/cni/net.d', '/etc/cni', '/var/lib/cni/networks', '/var/lib/cni', '/run/nri'])
    await rmdir(path).catch((error: unknown) => {
      assert.ok(isSystemError(error) && error.code === 'ENOENT', `${path}: ${String(error)}`);
    });
  await execa('ip', ['link', 'delete', 'podwright0'], { reject: false });
  await output('systemctl', 'daemon-reload');
}

function debOf(version: string): string {
  return `${PACKAGES}/podwright_${version}_amd64.deb`;
}

/** @returns what it has said. @throws with that where it fails. */
async function apt(...args: readonly string[]): Promise<string> {
  const { all, failed } = await tryApt(...args);
  assert.ok(!failed, `apt-get ${args.join(' ')}:\n${all}`);
  return all;
}

async function tryApt(...args: readonly string[]): Promise<{ readonly all: string; readonly failed: boolean }> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const { all, failed } = await execa('apt-get', ['-y', '-q', '--no-install-recommends', ...args], { env, all: true, reject: false });
  return { all, failed };
}

async function install(): Promise<void> {
  await apt('install', debOf(THIS));
  assert.match(await output('podwright', 'version'), new RegExp(`^podwright ${THIS} `));
  assert.equal(await output('systemctl', 'show', '-P', 'UnitFileState', UNIT), 'disabled');
  assert.equal(await output('systemctl', 'show', '-P', 'ActiveState', UNIT), 'inactive');
  assert.ok(!(await pathExists('/run/podwright')));
  assert.match(await readFile('/etc/crictl.yaml', 'utf8'), /^runtime-endpoint: unix:\/\/\/run\/podwright\/podwright\.sock$/m);
  await output('systemd-analyze', 'verify', UNIT);
}

async function run(node: GuestNode, image: string): Promise<Survivor> {
  await output('podwright', 'image', 'load', '/payload/image.tar');
  const plain = podConfig(node, { name: 'survivor' });
  const security = { privileged: true, seccomp: { profileType: SecurityProfileProfileType.Unconfined, localhostRef: '' } };
  const config = {
    ...plain,
    linux: { ...plain.linux, cgroupParent: '', securityContext: { ...plain.linux?.securityContext, ...security } },
  };
  const { podSandboxId } = await node.runtime.runPodSandbox({ config, runtimeHandler: '' });
  const pod = { id: podSandboxId, config };
  const wanted = await containerConfig(pod, shell('i=0; while :; do i=$((i+1)); echo tick $i; sleep 1; done'), { name: 'ticker', image });
  const privileged = { ...wanted, linux: { ...wanted.linux, securityContext: { ...wanted.linux?.securityContext, ...security } } };
  const { containerId } = await node.runtime.createContainer({ podSandboxId, config: privileged, sandboxConfig: config });
  await node.runtime.startContainer({ containerId });
  await waitForOutput(node, containerId, 'tick 1', PATIENCE_MS);
  const pid = await node.pidOf(containerId);
  assert.match(await output('podwright', 'ps'), /survivor/);
  return { podId: podSandboxId, id: containerId, pid, startTime: await startTimeOf(pid) };
}

/** proc_pid_stat(5), field 22; the name in parentheses may have spaces. */
async function startTimeOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** The same process, for the daemon too, and it works. */
async function assertGoesOn(node: GuestNode, { id, pid, startTime }: Survivor): Promise<void> {
  assert.equal(await node.pidOf(id), pid);
  assert.equal(await startTimeOf(pid), startTime);
  assert.equal((await containerStatus(node, id)).state, ContainerState.CONTAINER_RUNNING);
  const ticks = (await outputOf(node, id)).length;
  await waitForOutput(node, id, `tick ${ticks + 1}`, PATIENCE_MS);
}

async function checkRights({ pid }: Survivor): Promise<void> {
  const found = await rightsOf(pid);
  const all = (await rightsOf(1))['CapBnd'];
  assert.deepEqual(found, { NoNewPrivs: '0', Seccomp: '0', CapBnd: all, CapEff: all, Umask: '0022' });
}

/** proc_pid_status(5) */
async function rightsOf(pid: number): Promise<Record<string, string | undefined>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const fields = ['NoNewPrivs', 'Seccomp', 'CapBnd', 'CapEff', 'Umask'];
  return Object.fromEntries(fields.map((field) => [field, new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1]]));
}

async function checkUnit(node: GuestNode): Promise<void> {
  const pid = await node.mainPid();
  for (const kind of ['mnt', 'net', 'ipc', 'uts', 'user', 'pid', 'cgroup'])
    assert.equal(await readlink(`/proc/${pid}/ns/${kind}`), await readlink(`/proc/1/ns/${kind}`));
  const all = (await rightsOf(1))['CapBnd'];
  assert.deepEqual(await rightsOf(pid), { NoNewPrivs: '0', Seccomp: '0', CapBnd: all, CapEff: all, Umask: '0022' });
  // Of a unit that is not there systemd tells what holds where nothing is set.
  const names = new Set(TRIALS.map(({ set }) => set.split('=')[0] ?? ''));
  const shown = async (unit: string): Promise<string[]> => (await output('systemctl', 'show', unit, '-p', [...names].join(','))).split('\n').sort(); // prettier-ignore
  assert.deepEqual(await shown(UNIT), await shown('vm-nothing.service'));
  const kept = ['Delegate=yes', 'KeyringMode=private', 'NotifyAccess=main'];
  assert.deepEqual((await output('systemctl', 'show', UNIT, '-p', 'Delegate,KeyringMode,NotifyAccess')).split('\n').sort(), kept);
}

async function watchdog(node: GuestNode, survivor: Survivor): Promise<void> {
  await outputFile(WATCHDOG_DROP_IN, `[Service]\nWatchdogSec=${WATCHDOG_S}\n`);
  try {
    await output('systemctl', 'daemon-reload');
    await node.restart();
    await node.untilReady();
    const stuck = await node.mainPid();
    process.kill(stuck, 'SIGSTOP');
    await node.untilReady(stuck);
    assert.match(await output('journalctl', '-u', UNIT, '-o', 'cat'), /Watchdog timeout/);
    await assertGoesOn(node, survivor);
    assert.deepEqual(await node.admin.leaks(), { leaked: [], missing: [] });
  } finally {
    await remove(WATCHDOG_DROP_IN);
    await output('systemctl', 'daemon-reload');
  }
}

async function failedUpgrade(node: GuestNode, survivor: Survivor): Promise<void> {
  await outputFile(BAD_CONFIGURATION, 'no_such_key = 1\n');
  try {
    const { all, failed } = await tryApt('install', debOf(NEXT));
    assert.ok(failed, all);
    assert.match(all, new RegExp(`podwright: version ${NEXT} does not start\\. Pods go on`));
    assert.match(all, new RegExp(`to go back to ${THIS}: apt install --allow-downgrades podwright=${THIS}`));
    assert.equal(await startTimeOf(survivor.pid), survivor.startTime);
  } finally {
    await remove(BAD_CONFIGURATION);
  }
  await output('dpkg', '--configure', 'podwright');
  await node.untilReady();
  assert.equal((await node.admin.status()).version, NEXT);
  await assertGoesOn(node, survivor);
}

async function removal({ pid, startTime }: Survivor): Promise<void> {
  assert.match(await apt('remove', 'podwright'), /podwright: containers that go on, without a daemon that the kubelet could ask: 1\./);
  assert.ok(!(await pathExists('/usr/lib/podwright')));
  assert.equal(await output('systemctl', 'show', '-P', 'LoadState', UNIT), 'not-found');
  const { all, failed } = await tryApt('purge', 'podwright');
  assert.ok(failed, all);
  assert.match(all, /podwright: cannot be purged while its pods are there/);
  await until('the container goes on', async () => (await startTimeOf(pid)) === startTime);
}
