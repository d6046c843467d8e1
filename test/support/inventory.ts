/**
 * What a daemon has made on this machine, read from the kernel and the disk and not from the daemon, so that a test can
 * ask what is left over:
 *
 *     const before = await takeInventory(scope);
 *     ...
 *     difference(before, await takeInventory(scope)) // [ 'address pw-1a2b/10.88.0.7', 'link veth5fe61a67', ... ]
 *
 * Each line starts with what it is: `mount` (pinned namespaces too, as nsfs), `namespace` (kept open by the daemon),
 * `cgroup`, `process`, `zombie`, `address`, `link`, `rule`, `file`. Some things go by themselves a little later, such as zombies
 * of other parents and veths of a namespace that is going. They are told too, so compare again for some seconds, as
 * `assertNothingNew` of e2e-test.ts does. Chains that a plugin makes once for the node (CNI-HOSTPORT-DNAT, ...) carry no
 * network's name and are not counted.
 */
import { readFile, readdir, readlink, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** Where to look for what a daemon makes. */
export interface InventoryScope {
  /** Mounts below these, and their files and directories down to {@link DEPTH}. */
  readonly directories: readonly string[];
  /** Mounts below it, and processes that name it. */
  readonly home: string;
  /** Cgroups below it, in every hierarchy. */
  readonly cgroup: string;
  /** host-local's directory. */
  readonly cniDataDir: string;
  readonly bridge: string;
  /** The CNI network's name, as firewall rules carry it. */
  readonly network: string;
  /** The daemon itself is not counted, its children are. */
  readonly daemonPid: number;
}

/** One line for each thing that exists, sorted. */
export type Inventory = readonly string[];

/** Deep enough for one entry per object, not for the files of layers. */
const DEPTH = 4;
/** What has been done, a refusal too, is kept on purpose. */
export const HISTORY = /\/history\/operations(\.old)?\.jsonl$/;
/** statfs(2). */
const NSFS_MAGIC = 0x6e736673;

/** What exists of a daemon's making: read from the kernel and the disk, not from the daemon. */
export async function takeInventory(scope: InventoryScope): Promise<Inventory> {
  const found = await Promise.all([
    mounts(scope),
    openNamespaces(scope),
    cgroups(scope),
    processes(scope),
    addresses(scope),
    links(scope),
    rules(scope),
    files(scope),
  ]);
  return found.flat().sort();
}

/** What is in `now` and was not in `earlier`; a thing that is there more often counts too. */
export function difference(earlier: Inventory, now: Inventory): string[] {
  const counts = new Map<string, number>();
  for (const line of earlier) counts.set(line, (counts.get(line) ?? 0) + 1);
  return now.filter((line) => {
    const left = counts.get(line) ?? 0;
    counts.set(line, left - 1);
    return left <= 0;
  });
}

async function mounts({ home, directories }: InventoryScope): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n');
  const roots = [home, ...directories].map((path) => `${path}/`);
  return lines.flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const target = before.split(' ')[4] ?? '';
    return roots.some((root) => target.startsWith(root)) ? [`mount ${target} (${after.split(' ')[0] ?? ''})`] : [];
  });
}

/** Namespaces that the daemon keeps alive by an open file: pins are mounts, so each of these is a leak. */
async function openNamespaces({ daemonPid }: InventoryScope): Promise<string[]> {
  const folder = `/proc/${daemonPid}/fd`;
  const found: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const type = await statfs(join(folder, name)).catch(() => undefined);
    if (type?.type === NSFS_MAGIC) found.push(`namespace ${await readlink(join(folder, name)).catch(() => name)} is open in the daemon`);
  }
  return found;
}

async function cgroups({ cgroup }: InventoryScope): Promise<string[]> {
  const found = new Set<string>();
  for (const top of ['', ...(await readdir('/sys/fs/cgroup'))]) {
    const hierarchy = join('/sys/fs/cgroup', top);
    const entries = await readdir(join(hierarchy, cgroup), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory()) found.add(`cgroup ${join(entry.parentPath, entry.name).slice(hierarchy.length)}`);
    }
  }
  return [...found];
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly command: string;
  readonly environment: string;
  readonly cgroups: string;
}

async function processes({ home, cgroup, daemonPid }: InventoryScope): Promise<string[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isInteger(pid));
  const all = (await Promise.all(pids.map(readProcess))).filter((entry) => entry !== undefined);
  const parents = new Map(all.map((entry) => [entry.pid, entry.parent]));
  const isOfDaemon = (pid: number): boolean => {
    for (let next = parents.get(pid); next !== undefined && next > 1; next = parents.get(next)) if (next === daemonPid) return true;
    return false;
  };
  return all
    .filter(({ pid, command, environment, cgroups: paths }) => {
      if (pid === daemonPid || pid === process.pid) return false;
      // A plugin that outlived its daemon is known by CNI_NETNS or CNI_PATH, and so is what it started.
      return environment.includes(`${home}/`) || command.includes(`${home}/`) || paths.includes(`:${cgroup}/`) || isOfDaemon(pid);
    })
    .map(({ pid, state, command }) => (state === 'Z' ? `zombie ${pid}` : `process ${pid} ${command.slice(0, 120)}`));
}

async function readProcess(pid: number): Promise<Process | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return {
      pid,
      parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]),
      state: /^State:\s+(\S)/m.exec(status)?.[1] ?? '?',
      command: (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' '),
      environment: await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => ''),
      cgroups: await readFile(`/proc/${pid}/cgroup`, 'utf8'),
    };
  } catch {
    return undefined;
  }
}

async function addresses({ cniDataDir }: InventoryScope): Promise<string[]> {
  const entries = await readdir(cniDataDir, { recursive: true }).catch(() => []);
  return entries.filter((file) => /\/[0-9a-f]*[.:][0-9a-f.:]+$/.test(file)).map((file) => `address ${file}`);
}

/** What hangs on the bridge, and veths that hang on none: an ADD that was cut off leaves such. */
async function links({ bridge }: InventoryScope): Promise<string[]> {
  const list = async (...filter: string[]): Promise<string[]> => {
    const { stdout } = await execa('ip', ['-o', 'link', 'show', ...filter]).catch(() => ({ stdout: '' }));
    return stdout.split('\n');
  };
  // Only such as the bridge plugin names them: other programs' veths are none of ours.
  const loose = (await list('type', 'veth')).filter((line) => /: veth[0-9a-f]{8}@/.test(line) && !line.includes(' master '));
  const lines = [...(await list('master', bridge)), ...loose];
  return lines.flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []).map((name) => `link ${name}`);
}

async function rules({ network }: InventoryScope): Promise<string[]> {
  const tables = await Promise.all(
    ['iptables-save', 'ip6tables-save'].map(async (program) => execa(program, ['-t', 'nat']).catch(() => ({ stdout: '' }))),
  );
  const lines = tables.flatMap(({ stdout }) => stdout.split('\n'));
  return lines.filter((line) => line.includes(`"${network}`)).map((line) => `rule ${line}`);
}

async function files({ directories }: InventoryScope): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (HISTORY.test(path)) continue;
      // A directory with a plain word for its name is the daemon's furniture (.cache is crun's); objects have ids, digests or extensions.
      if (!entry.isDirectory() || !/^\.?[a-z-]+$/.test(entry.name)) found.push(`file ${path}`);
      if (entry.isDirectory() && depth > 1) await walk(path, depth - 1);
    }
  };
  for (const directory of directories) await walk(directory, DEPTH);
  return found;
}
