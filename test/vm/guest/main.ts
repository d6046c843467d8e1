/**
 * The test's part inside the guest, once per boot: its own state file says how far the earlier boots got.
 *
 *     boot 1  smoke with the systemd driver, orderly reboot under the running pod
 *     boot 2  what became of it; smoke with the cgroupfs driver, power cut
 *     boot 3  what became of that; then the package is installed, upgraded, removed and purged
 *
 * With `oom`, `resources`, `runtimes`, `checkpoint`, `nri`, `observe` or `kubelet` as its second argument it is one boot, with both drivers' OOM kills,
 * limits, runtimes, checkpoints, NRI plugins, names and figures, or a kubelet alone; with `apparmor`, `package` or `hardening`, that part alone; with `selinux` SELinux's, in a
 * machine that enforces it; with `arm64` the package and the smoke, in a machine of arm64.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { ensureDir } from 'fs-extra/esm';
import { arm64Cases } from './arm64.ts';
import { apparmorCases } from './apparmor.ts';
import { afterBoot } from './after-boot.ts';
import type { Shutdown } from './after-boot.ts';
import { checkpointCases } from './checkpoint.ts';
import { critest } from './critest.ts';
import { hardeningCases } from './hardening.ts';
import { GuestNode, output } from './node.ts';
import type { Driver } from './node.ts';
import { kubeletCases } from './kubelet-cases.ts';
import { nriCases } from './nri.ts';
import { observeCases } from './observe.ts';
import { packageCases } from './package.ts';
import { oomCases } from './oom.ts';
import { resourceCases } from './resources.ts';
import { runtimeCases } from './runtimes.ts';
import { selinuxCases } from './selinux.ts';
import { prepare, smoke } from './smoke.ts';
import type { Resident } from './smoke.ts';
import { Broken, step, tell } from './steps.ts';

const STATE_FILE = '/var/lib/vm-test/state.json';
const [, , IMAGE = '', ONLY = ''] = process.argv;

interface State {
  readonly boot: number;
  readonly resident?: Resident;
}

/** One boot's work. Each driver has its smoke and its way to go down. */
const DRIVERS: readonly { readonly driver: Driver; readonly shutdown: Shutdown }[] = [
  { driver: 'systemd', shutdown: 'orderly' },
  { driver: 'cgroupfs', shutdown: 'power cut' },
];

type Cases = (node: GuestNode, image: string) => Promise<void>;

/** What is tried with each driver, and may be tried alone. */
const OF_BOTH_DRIVERS: Readonly<Record<string, Cases>> = {
  oom: oomCases,
  resources: resourceCases,
  runtimes: runtimeCases,
  checkpoint: checkpointCases,
  nri: nriCases,
  observe: observeCases,
};

/** Before the pod that stays: the kubelet would end it. */
const BEFORE_THE_RESIDENT: Readonly<Record<string, Cases>> = { kubelet: kubeletCases };

async function main(): Promise<void> {
  if (ONLY === '') {
    await allBoots();
    return;
  }
  const cases = OF_BOTH_DRIVERS[ONLY] ?? BEFORE_THE_RESIDENT[ONLY];
  if (cases !== undefined) for (const { driver } of DRIVERS) await unlessBroken(async () => onlyThese(cases, new GuestNode(driver)));
  else if (ONLY === 'arm64') await unlessBroken(async () => arm64Cases(new GuestNode('systemd'), IMAGE));
  else if (ONLY === 'package') await unlessBroken(async () => packageCases(new GuestNode('systemd'), IMAGE));
  else if (ONLY === 'hardening') await unlessBroken(hardeningCases);
  else if (ONLY === 'selinux') await unlessBroken(onlySelinux);
  else await unlessBroken(onlyApparmor);
  tell({ kind: 'end', then: 'done' });
  await goDown('orderly');
}

async function onlyApparmor(): Promise<void> {
  const node = new GuestNode('systemd');
  await prepare(node, IMAGE);
  await node.makeParentCgroups();
  await apparmor(node);
}

async function onlySelinux(): Promise<void> {
  const node = new GuestNode('systemd');
  await prepare(node, IMAGE);
  await node.makeParentCgroups();
  await selinuxCases(node, IMAGE);
}

async function apparmor(node: GuestNode): Promise<void> {
  await apparmorCases(node, IMAGE);
  await critest(node, 'AppArmor', 9);
}

async function onlyThese(cases: Cases, node: GuestNode): Promise<void> {
  await prepare(node, IMAGE);
  await node.makeParentCgroups();
  await cases(node, IMAGE);
}

async function allBoots(): Promise<void> {
  const earlier = await readState();
  const boot = earlier.boot + 1;
  tell({
    kind: 'note',
    text: `boot ${boot}: ${await output('uname', '-r')}, ${await output('systemctl', '--version').then((text) => text.split('\n')[0] ?? '')}, node ${process.version}`,
  });
  if (boot === 1) await step('the service unit can be verified by systemd', verifyUnit);
  const before = DRIVERS[boot - 2];
  const { resident } = earlier;
  if (before !== undefined && resident !== undefined)
    await unlessBroken(async () => afterBoot(new GuestNode(before.driver), resident, before.shutdown));
  const next = DRIVERS[boot - 1];
  let staying: Resident | undefined;
  if (next !== undefined) {
    for (const cases of Object.values(BEFORE_THE_RESIDENT)) await unlessBroken(async () => onlyThese(cases, new GuestNode(next.driver)));
    await unlessBroken(async () => {
      staying = await smoke(new GuestNode(next.driver), IMAGE);
    });
    for (const cases of Object.values(OF_BOTH_DRIVERS)) await unlessBroken(async () => cases(new GuestNode(next.driver), IMAGE));
    if (next.driver === 'systemd') await unlessBroken(async () => apparmor(new GuestNode(next.driver)));
  }
  if (next === undefined) await unlessBroken(async () => packageCases(new GuestNode('systemd'), IMAGE));
  await writeState({ boot, ...(staying === undefined ? {} : { resident: staying }) });
  tell({ kind: 'end', then: next === undefined ? 'done' : 'boot again' });
  await goDown(next?.shutdown ?? 'orderly');
}

async function verifyUnit(): Promise<void> {
  await output('systemd-analyze', 'verify', '/etc/systemd/system/podwright.service');
}

/** A broken step is told already; what other boots and drivers say is of use all the same. */
async function unlessBroken(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Broken))
      await step('the test itself', async () => {
        throw error;
      });
  }
}

async function goDown(shutdown: Shutdown): Promise<void> {
  if (shutdown === 'orderly') await output('systemctl', 'reboot', '--no-block');
  else await writeFile('/proc/sysrq-trigger', 'b');
}

async function readState(): Promise<State> {
  return JSON.parse(await readFile(STATE_FILE, 'utf8').catch(() => '{"boot":0}')) as State;
}

async function writeState(state: State): Promise<void> {
  await ensureDir('/var/lib/vm-test');
  // Protocol messages have 64-bit numbers.
  await writeFile(
    STATE_FILE,
    JSON.stringify(state, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
  );
  // This file alone: what the daemon keeps must outlive a power cut by the daemon's own care.
  await output('sync', STATE_FILE);
}

await main();
