import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { judgeCgroups, readCgroupFacts } from './cgroups.ts';
import { judgeDaemon, type DaemonFacts } from './daemon.ts';
import { judgeDevices, readDeviceFacts } from './device-nodes.ts';
import { judgeDisks, readDisks, type DiskFacts } from './disks.ts';
import { AREAS, findingsOf, type Area, type Finding } from './finding.ts';
import { judgeKernel, readKernelFacts } from './kernel.ts';
import { judgeKubelet, readKubeletFacts } from './kubelet.ts';
import { judgeNetworks, readNetworkFacts } from './network.ts';
import { judgeOtherRuntimes, readOtherRuntimes } from './other-runtimes.ts';
import { judgeClock, judgeRegistries, readRegistries } from './registries.ts';
import { judgePrograms, readPrograms } from './runtimes.ts';
import { judgeSysctls, readSysctls } from './sysctls.ts';

export interface NodeCheck {
  readonly config: Config;
  readonly daemon: Promise<DaemonFacts>;
  /** Of this program. */
  readonly version: string;
  /** Whether no registry is to be asked. */
  readonly isOffline: boolean;
}

/** How long each probe may take, milliseconds; what hangs is a finding of its own. */
const PROBE_MS = 10_000;

/** Looks at all that a node needs, side by side. The findings are in the order of {@link AREAS}. */
export async function checkNode(check: NodeCheck): Promise<Finding[]> {
  const giveUp = new AbortController();
  const probes = probesOf(check, giveUp.signal);
  const found = await Promise.all(probes.map(async ([area, work]) => within(area, work)));
  giveUp.abort();
  const all = found.flat();
  return AREAS.flatMap((area) => all.filter((finding) => finding.area === area));
}

function probesOf({ config, daemon, version, isOffline }: NodeCheck, signal: AbortSignal): [Area, Promise<Finding[]>][] {
  const disks = readDisks(config);
  const cgroups = readCgroupFacts(config.cgroupManager);
  const registries = isOffline ? undefined : readRegistries(config, signal);
  const { note } = findingsOf('registries');
  return [
    ['daemon', daemon.then((facts) => judgeDaemon(facts, version))],
    ['kernel', readKernelFacts().then(judgeKernel)],
    ['kernel', readDeviceFacts().then(judgeDevices)],
    ['sysctls', readSysctls().then(judgeSysctls)],
    ['cgroups', cgroups.then(judgeCgroups)],
    ['runtimes', readPrograms(config).then(judgePrograms)],
    ['network', readNetworkFacts(config).then((facts) => judgeNetworks(facts, config.cni.binDirs))],
    ['disks', disks.then(judgeDisks)],
    ['registries', registries?.then(judgeRegistries) ?? Promise.resolve([note('registries were not asked (--offline)')])],
    ['clock', registries?.then(({ answers }) => judgeClock(answers)) ?? Promise.resolve(judgeClock([]))],
    ['other runtimes', readOtherRuntimes(socketsOf(config)).then(judgeOtherRuntimes)],
    ['kubelet', kubelet(config, cgroups, disks)],
  ];
}

async function kubelet(config: Config, cgroups: ReturnType<typeof readCgroupFacts>, disks: Promise<DiskFacts[]>): Promise<Finding[]> {
  const { version } = await cgroups;
  const facts = {
    sockets: socketsOf(config),
    cgroupDriver: config.cgroupManager,
    cgroupVersion: version,
    pidsLimit: config.pidsLimit,
    disks: await disks,
  };
  return judgeKubelet(await readKubeletFacts(facts));
}

/** Where our own daemon serves the CRI: the first is the usual one. */
function socketsOf({ listenPath, cadvisor }: Config): string[] {
  const places = [listenPath, ...(cadvisor.crioCompat ? [cadvisor.socketPath] : [])];
  return places.map((path) => path.replace(/^\/var\/run\//, '/run/'));
}

async function within(area: Area, work: Promise<Finding[]>): Promise<Finding[]> {
  const { error } = findingsOf(area);
  if (!(await settledWithin(work, PROBE_MS)))
    return [
      error(`looking at ${area} took longer than ${PROBE_MS / 1000} s, and was given up`, {
        must: 'an answer within milliseconds',
        advice: 'Something hangs: a disk, a program or the daemon. See dmesg and podwright debug stacks.',
      }),
    ];
  try {
    return await work;
  } catch (reason) {
    return [error(`looking at ${area} failed: ${messageOf(reason)}`, { must: 'readable' })];
  }
}
