import { readFile } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { DiskFacts, DiskRoom } from './disks.ts';
import { findingsOf, isAtLeast, type Finding } from './finding.ts';
import { readKubeletSettings, type KubeletSettings } from './kubelet-settings.ts';
import { readSysctls, type SysctlValues } from './sysctls.ts';

/** What of this node and of our configuration the kubelet's settings must agree with. */
export interface KubeletFacts {
  readonly settings: KubeletSettings | undefined;
  /** Where our daemon serves the CRI. */
  readonly sockets: readonly string[];
  readonly cgroupDriver: string;
  readonly cgroupVersion: 'v1' | 'v2';
  readonly pidsLimit: number;
  readonly hasSwap: boolean;
  readonly disks: readonly DiskFacts[];
  readonly sysctls: SysctlValues;
}

/** What a kubelet with protectKernelDefaults wants to find (kubernetes, pkg/util/sysctl). */
const KERNEL_DEFAULTS: Readonly<Record<string, number>> = {
  'vm.overcommit_memory': 1,
  'vm.panic_on_oom': 0,
  'kernel.panic': 10,
  'kernel.panic_on_oops': 1,
  'kernel.keys.root_maxkeys': 1_000_000,
  'kernel.keys.root_maxbytes': 25_000_000,
};
/** The kubelet's own, where nothing is set (kubernetes, pkg/kubelet/apis/config/v1beta1/defaults_linux.go). */
const EVICTION_DEFAULTS: Readonly<Record<string, string>> = {
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};
const DEFAULT_ENDPOINT = 'unix:///run/containerd/containerd.sock';

export async function readKubeletFacts(
  given: Pick<KubeletFacts, 'sockets' | 'cgroupDriver' | 'cgroupVersion' | 'pidsLimit' | 'disks'>,
): Promise<KubeletFacts> {
  const swaps = (await unlessMissing(readFile('/proc/swaps', 'utf8'), '')).trim().split('\n');
  const [settings, sysctls] = await Promise.all([readKubeletSettings(), readSysctls(Object.keys(KERNEL_DEFAULTS))]);
  return { ...given, settings, hasSwap: swaps.length > 1, sysctls };
}

const { ok, note, warning, error } = findingsOf('kubelet');

export function judgeKubelet(facts: KubeletFacts): Finding[] {
  const { settings } = facts;
  if (settings === undefined) return [note('this node has no kubelet yet: its settings were not compared')];
  const found = settings.pid === undefined ? 'does not run' : `${settings.version ?? 'of an unknown version'} runs, pid ${settings.pid}`;
  const wrong = [
    ...settings.faults.map((words) =>
      warning(`the kubelet's configuration cannot be read: ${words}`, { must: 'YAML of KubeletConfiguration' }),
    ),
    ...endpoint(facts, settings),
    ...cgroups(facts, settings),
    ...swap(facts, settings),
    ...processes(facts, settings),
    ...evictions(facts, settings),
    ...kernelDefaults(facts, settings),
    ...seccomp(settings),
  ];
  return [ok(`the kubelet ${found}; read: ${settings.files.join(', ') || 'its flags'}`), ...wrong];
}

function textOf({ fields }: KubeletSettings, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function endpoint({ sockets }: KubeletFacts, settings: KubeletSettings): Finding[] {
  const wanted = `unix://${sockets[0] ?? ''}`;
  const isOurs = (text: string): boolean => sockets.includes(text.replace(/^unix:\/\//, '').replace(/^\/var\/run\//, '/run/'));
  const given = textOf(settings, 'containerRuntimeEndpoint');
  const images = textOf(settings, 'imageServiceEndpoint');
  const advice = `Set containerRuntimeEndpoint: ${wanted} in the kubelet's configuration.`;
  if (given === undefined && settings.pid === undefined && settings.files.length === 0) return [];
  if (!isOurs(given ?? DEFAULT_ENDPOINT))
    return [error(`containerRuntimeEndpoint is ${given ?? `not set, so ${DEFAULT_ENDPOINT}`}`, { must: wanted, advice })];
  if (images !== undefined && !isOurs(images))
    return [error(`imageServiceEndpoint is ${images}`, { must: `${wanted}, or not set`, advice: 'Take it out: images come from the same socket.' })]; // prettier-ignore
  return [];
}

function cgroups({ cgroupDriver, cgroupVersion }: KubeletFacts, settings: KubeletSettings): Finding[] {
  const findings: Finding[] = [];
  const { version } = settings;
  const given = textOf(settings, 'cgroupDriver') ?? 'cgroupfs';
  if (given !== cgroupDriver) {
    // KubeletCgroupDriverFromCRI: it takes ours, by RuntimeConfig.
    const asksUs = version === undefined ? undefined : isAtLeast(version, 1, 34);
    const is = `the kubelet's cgroupDriver is ${given}, ours is ${cgroupDriver}`;
    if (asksUs === true) findings.push(note(`${is}: a kubelet of this version takes ours`));
    else
      findings.push(
        (asksUs === false ? error : warning)(`${is}: pods and their containers get cgroups of two managers`, {
          must: 'the same; a kubelet from 1.34 on takes ours by itself',
          advice: `Set cgroupDriver: ${cgroupDriver} in the kubelet's configuration, with the node drained.`,
        }),
      );
  }
  if (cgroupVersion === 'v1' && textOf(settings, 'failCgroupV1') !== 'false' && version !== undefined && isAtLeast(version, 1, 35) === true)
    findings.push(
      error(`the node has cgroup v1, which kubelet ${version} refuses`, { must: 'cgroup v2', advice: 'Boot with cgroup v2, or set failCgroupV1: false.' }), // prettier-ignore
    );
  return findings;
}

function swap({ hasSwap }: KubeletFacts, settings: KubeletSettings): Finding[] {
  if (!hasSwap || textOf(settings, 'failSwapOn') === 'false') return [];
  return [error('swap is on, and the kubelet does not start with it', { must: 'no swap, or failSwapOn: false', advice: 'swapoff -a, and take it out of /etc/fstab; or set failSwapOn: false and memorySwap.' })]; // prettier-ignore
}

function processes({ pidsLimit }: KubeletFacts, settings: KubeletSettings): Finding[] {
  const limit = Number(textOf(settings, 'podPidsLimit') ?? -1);
  if (limit > 0 && pidsLimit > limit)
    return [note(`pids_limit of a container is ${pidsLimit}, podPidsLimit of its pod ${limit}: the lower one holds`)];
  if (limit <= 0 && pidsLimit <= 0)
    return [note('neither podPidsLimit nor pids_limit is set: one pod can take all processes of the node', { advice: 'Set podPidsLimit: 4096 in the kubelet\'s configuration.' })]; // prettier-ignore
  return [];
}

/** What evicts pods at once, and what would evict none although the disk is full. */
function evictions({ disks }: KubeletFacts, settings: KubeletSettings): Finding[] {
  const given = settings.fields['evictionHard'];
  const merges = textOf(settings, 'mergeDefaultEvictionSettings') === 'true';
  const set = isObject(given) ? given : {};
  const thresholds = isObject(given) && !merges ? set : { ...EVICTION_DEFAULTS, ...set };
  const images = disks.find(({ name }) => name === 'imagestore') ?? disks.find(({ name }) => name === 'root');
  if (images?.room === undefined) return [];
  const findings: Finding[] = [];
  for (const [signal, what] of [
    ['imagefs.available', 'bytes'],
    ['imagefs.inodesFree', 'inodes'],
  ] as const) {
    const threshold = thresholds[signal];
    if (typeof threshold !== 'string') {
      if (what === 'bytes' && images.name === 'imagestore')
        findings.push(warning(`evictionHard has no ${signal}, and images are on a disk of their own (${images.path}): it fills up before the kubelet removes any`, { must: 'imagefs.available beside nodefs.available', advice: 'Set imagefs.available: 15%, or mergeDefaultEvictionSettings: true.' })); // prettier-ignore
      continue;
    }
    if (isBelow(images.room, what, threshold))
      findings.push(error(`${images.path} has less free than evictionHard ${signal} ${threshold}: the kubelet evicts pods and takes no new ones`, { must: `more than ${threshold} free`, advice: 'Remove images (crictl rmi --prune), or take a larger disk.' })); // prettier-ignore
  }
  return findings;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Whether less is free than a threshold in per cent or as a quantity of Kubernetes; false where it is neither. */
export function isBelow(room: DiskRoom, what: 'bytes' | 'inodes', threshold: string): boolean {
  const [free, total] = what === 'bytes' ? [room.freeBytes, room.totalBytes] : [room.freeInodes, room.totalInodes];
  if (total === 0) return false;
  const [, number, unit = ''] = /^([\d.]+)(%|[KMGT]i?)?$/.exec(threshold.trim()) ?? [];
  if (number === undefined) return false;
  return unit === '%' ? free < (total * Number(number)) / 100 : free < Number(number) * (UNITS[unit] ?? NaN);
}

function kernelDefaults({ sysctls }: KubeletFacts, settings: KubeletSettings): Finding[] {
  if (textOf(settings, 'protectKernelDefaults') !== 'true') return [];
  const wrong = Object.entries(KERNEL_DEFAULTS).filter(([name, value]) => sysctls[name] !== undefined && sysctls[name] !== value);
  if (wrong.length === 0) return [];
  return [
    error(
      `protectKernelDefaults is true, and ${wrong.map(([name]) => `${name} is ${sysctls[name]}`).join(', ')}: the kubelet does not start`,
      {
        must: wrong.map(([name, value]) => `${name} = ${value}`).join(', '),
        advice: 'Write these lines into /etc/sysctl.d/99-kubelet.conf, and sysctl --system.',
      },
    ),
  ];
}

function seccomp(settings: KubeletSettings): Finding[] {
  if (textOf(settings, 'seccompDefault') === 'true') return [];
  return [note('seccompDefault is off: containers that ask for no profile are not confined by seccomp', { advice: 'Set seccompDefault: true in the kubelet\'s configuration.' })]; // prettier-ignore
}
