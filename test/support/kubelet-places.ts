/** What of the machine a kubelet takes for its own, for tests that give it other places. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { ensureDir, pathExists } from 'fs-extra/esm';

/** Directories that the kubelet has no flag for, and that a kubelet of this machine's own may be using. */
export const FIXED_DIRECTORIES = ['/var/lib/kubelet', '/var/log/containers', '/var/run/crio'];
/** What the kubelet sets at its start (pkg/kubelet/cm setupKernelTunables), for the whole machine. Below /proc/sys. */
const TUNABLES = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
];

/** Where below `folder` the stand-in of a path is. */
export function placeOf(folder: string, path: string): string {
  return join(folder, path.replace(/^\//, '').replaceAll('/', '_'));
}

/** Stand-ins of the tunables, with their values of now. */
export async function copyTunables(folder: string): Promise<void> {
  for (const path of TUNABLES) await writeFile(placeOf(folder, path), await readFile(join('/proc/sys', path)));
}

/**
 * A shell script that puts the stand-ins of `folder` over the given directories and over the tunables, and becomes the command of
 * its arguments. For a mount namespace of its own with shared propagation: what is covered is covered there alone.
 */
export function enterScript(folder: string, directories: readonly string[]): string {
  const bind = (from: string, to: string): string[] => [
    // Without this the mount would go to the machine, where the file system it is on is shared.
    `mount --make-private "$(stat -c %m ${to})"`,
    `mount --bind ${from} ${to}`,
  ];
  return [
    'set -e',
    ...directories.flatMap((path) => bind(placeOf(folder, path), path)),
    ...TUNABLES.flatMap((path) => bind(placeOf(folder, path), `/proc/sys/${path}`)),
    'exec "$@"\n',
  ].join('\n');
}

/** Makes those directories that are not there. @returns them */
export async function makeMissing(paths: readonly string[]): Promise<string[]> {
  const made: string[] = [];
  for (const path of paths) {
    if (await pathExists(path)) continue;
    await ensureDir(path);
    made.push(path);
  }
  return made;
}

/** In every hierarchy; version 1 cpusets start empty and must be given their parent's. Goes by `removeCgroups` of sweep.ts. */
export async function makeCgroup(cgroup: string): Promise<void> {
  const hierarchies = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => /- cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  for (const hierarchy of hierarchies) {
    await ensureDir(join(hierarchy, cgroup));
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(hierarchy, cgroup, file);
      if ((await readFile(own, 'utf8').catch(() => 'not here')).trim() !== '') continue;
      const parent = await readFile(join(hierarchy, file), 'utf8').catch(() => '');
      if (parent !== '') await writeFile(own, parent);
    }
  }
}

/** The kubelet refuses a loopback address for its node. */
export function nodeAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? assert.fail('this machine has no IPv4 address');
}
