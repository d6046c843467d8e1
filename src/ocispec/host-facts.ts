import { readFile, readdir } from 'node:fs/promises';
import { hostname, release } from 'node:os';
import { DaemonError, unlessMissing } from '../base/errors.ts';
import { isApparmorOn } from '../linux/apparmor.ts';
import { effectiveCapabilities } from '../linux/capabilities.ts';
import { isSelinuxOn } from '../linux/selinux.ts';

/** A pair of limits, getrlimit(2); no limit is {@link RLIMIT_INFINITY}. */
export interface RlimitPair {
  readonly soft: number | bigint;
  readonly hard: number | bigint;
}

/** RLIM_INFINITY, getrlimit(2). */
export const RLIMIT_INFINITY = 2n ** 64n - 1n;

/** What this host and this daemon can do, read once at start. */
export interface HostFacts {
  /** As process.arch. */
  readonly architecture: string;
  readonly kernel: { readonly major: number; readonly minor: number };
  readonly hostname: string;
  /** v1 also where cgroup2 is mounted beside v1 controllers (hybrid). */
  readonly cgroupVersion: 'v1' | 'v2';
  /** Options of the shared cgroup2 superblock that a mount without a cgroup namespace must repeat to keep. */
  readonly cgroup2Options: readonly string[];
  /** The daemon's own bounding set, `CAP_CHOWN` and so on: no container can have more. */
  readonly capabilities: readonly string[];
  /** The lowest oom_score_adj that may be set; proc_pid_oom_score_adj(5). */
  readonly oomScoreAdjFloor: number;
  /** The highest limits that may be set, by name (`RLIMIT_NOFILE`); a name that is not there may be set to any. */
  readonly rlimitCeilings: Readonly<Record<string, RlimitPair>>;
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** Whether a limit on memory and swap together can be set. */
  readonly swapAccounting: boolean;
  /** The page sizes that the hugetlb controller limits (`2MB`), empty without it. */
  readonly hugepageSizes: readonly string[];
  /** The processors and memory nodes that this node may ever have, as lists (`0-3`), cpuset(7); empty where the kernel does not say. */
  readonly processors: string;
  readonly memoryNodes: string;
}

/** Reads the facts from /proc and /sys. @throws DaemonError Internal where /proc is unreadable. */
export async function readHostFacts(): Promise<HostFacts> {
  const capabilities = effectiveCapabilities();
  const maySetResources = capabilities.includes('CAP_SYS_RESOURCE');
  const cgroup = await readCgroupFacts();
  return {
    architecture: process.arch,
    kernel: parseKernelRelease(release()),
    hostname: hostname(),
    ...cgroup,
    capabilities,
    oomScoreAdjFloor: maySetResources ? -1000 : Number((await readProc('/proc/self/oom_score_adj')).trim()),
    rlimitCeilings: maySetResources ? { RLIMIT_NOFILE: await openFilesCeiling() } : parseLimits(await readProc('/proc/self/limits')),
    processors: (await unlessMissing(readFile('/sys/devices/system/cpu/possible', 'utf8'), '')).trim(),
    memoryNodes: (await unlessMissing(readFile('/sys/devices/system/node/possible', 'utf8'), '')).trim(),
    seccomp: /^Seccomp:/m.test(await readProc('/proc/self/status')),
    apparmor: await isApparmorOn(),
    selinux: await isSelinuxOn(),
  };
}

/** No process may have a higher limit of open files, CAP_SYS_RESOURCE or not; proc_sys_fs(5), nr_open. */
async function openFilesCeiling(): Promise<RlimitPair> {
  const limit = Number(await readProc('/proc/sys/fs/nr_open'));
  return { soft: limit, hard: limit };
}

type CgroupFacts = Pick<HostFacts, 'cgroupVersion' | 'cgroup2Options' | 'swapAccounting' | 'hugepageSizes'>;

async function readCgroupFacts(): Promise<CgroupFacts> {
  const mounts = parseCgroupMounts(await readProc('/proc/self/mounts'));
  const { unified } = mounts;
  if (unified !== undefined) {
    const controllers = (await unlessMissing(readFile(`${unified.path}/cgroup.controllers`, 'utf8'), '')).trim().split(' ');
    return {
      cgroupVersion: 'v2',
      cgroup2Options: unified.options.filter((option) => option === 'nsdelegate' || option === 'memory_recursiveprot'),
      swapAccounting: await hasSwapControl(unified.path),
      hugepageSizes: controllers.includes('hugetlb') ? await hostHugepageSizes() : [],
    };
  }
  return {
    cgroupVersion: 'v1',
    cgroup2Options: [],
    swapAccounting: mounts.memory !== undefined && (await exists(`${mounts.memory}/memory.memsw.limit_in_bytes`)),
    hugepageSizes: mounts.hugetlb === undefined ? [] : await hostHugepageSizes(),
  };
}

/** The root cgroup has no memory.swap.max, so any child is asked. A host without a child has no container to swap either. */
async function hasSwapControl(root: string): Promise<boolean> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.isDirectory() && (await exists(`${root}/${entry.name}/memory.max`))) return exists(`${root}/${entry.name}/memory.swap.max`);
  }
  return false;
}

/** /sys/kernel/mm/hugepages/hugepages-2048kB is `2MB` in the names of cgroup files. */
async function hostHugepageSizes(): Promise<string[]> {
  const names = await unlessMissing(readdir('/sys/kernel/mm/hugepages'), []);
  return names.flatMap((name) => {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? '0');
    if (kib === 0) return [];
    if (kib % (1024 * 1024) === 0) return [`${kib / (1024 * 1024)}GB`];
    return kib % 1024 === 0 ? [`${kib / 1024}MB`] : [`${kib}KB`];
  });
}

interface CgroupMounts {
  readonly unified?: { readonly path: string; readonly options: readonly string[] };
  readonly memory?: string;
  readonly hugetlb?: string;
}

/** Finds the cgroup hierarchies in /proc/self/mounts. cgroup2 counts only where it is the whole of /sys/fs/cgroup. */
export function parseCgroupMounts(text: string): CgroupMounts {
  const found: { unified?: { path: string; options: string[] }; memory?: string; hugetlb?: string } = {};
  for (const line of text.split('\n')) {
    const [, path = '', type, optionText = ''] = line.split(' ');
    const options = optionText.split(',');
    if (type === 'cgroup2' && path === '/sys/fs/cgroup') found.unified = { path, options };
    if (type !== 'cgroup') continue;
    if (options.includes('memory')) found.memory = path;
    if (options.includes('hugetlb')) found.hugetlb = path;
  }
  return found;
}

/** `6.18.5-cloud` -> 6, 18. */
export function parseKernelRelease(text: string): { major: number; minor: number } {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return { major: Number(match?.[1] ?? 0), minor: Number(match?.[2] ?? 0) };
}

/** The names of /proc/PID/limits (proc_pid_limits(5)) and of getrlimit(2). */
const LIMIT_NAMES: Readonly<Record<string, string>> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
};

/** The rlimits in the text of /proc/PID/limits. */
export function parseLimits(text: string): Record<string, RlimitPair> {
  const limits: Record<string, RlimitPair> = {};
  for (const line of text.split('\n').slice(1)) {
    const match = /^(.+?) {2,}(\d+|unlimited) +(\d+|unlimited)/.exec(line);
    const name = LIMIT_NAMES[match?.[1] ?? ''];
    if (match === null || name === undefined) continue;
    limits[name] = { soft: limitValue(match[2]), hard: limitValue(match[3]) };
  }
  return limits;
}

function limitValue(text = ''): number | bigint {
  if (text === 'unlimited') return RLIMIT_INFINITY;
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

async function exists(path: string): Promise<boolean> {
  return (await unlessMissing(readFile(path), undefined)) !== undefined;
}

async function readProc(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new DaemonError('Internal', `read host facts: ${path} must be readable`, { cause: error });
  }
}
