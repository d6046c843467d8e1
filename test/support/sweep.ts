import { glob, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';

/** What of a test daemon its leftovers are known by. */
export interface Traces {
  readonly directory: string;
  readonly root: string;
  readonly cgroup: string;
  readonly bridge: string;
  readonly network: string;
}

/**
 * Takes away whatever a test daemon has left: processes in its cgroups or with its directory in their command line,
 * mounts below its directory, cgroups, bridge, rules, files. For use after the daemon has ended; leaks are found before,
 * by the inventory.
 */
export async function sweep(traces: Traces): Promise<void> {
  await killProcesses(traces);
  await unmountBelow(traces.directory);
  if (!traces.root.startsWith(traces.directory)) await unmountBelow(traces.root);
  await removeCgroups(traces.cgroup);
  await execa('ip', ['link', 'del', traces.bridge]).catch(() => undefined);
  await removeRules(traces.network);
  await rm(traces.directory, { recursive: true, force: true, maxRetries: 3 });
}

/** What a loss of power takes besides unsynced files: processes, mounts, cgroups, links, and the run directory. Rules and addresses of host-local stay. */
export async function endAsPowerLoss(traces: Traces & { readonly runDir: string }): Promise<void> {
  await killProcesses(traces);
  await unmountBelow(traces.directory);
  await unmountBelow(traces.root);
  await removeCgroups(traces.cgroup);
  await remove(traces.runDir);
}

/** The boot that {@link ageByOneBoot} puts into the records. */
export const EARLIER_BOOT = '11111111-2222-4333-8444-555555555555';

/** Makes the records say what they would if this kernel had been booted after them. */
export async function ageByOneBoot({ root }: Pick<Traces, 'root'>): Promise<void> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  for await (const file of glob(join(root, '{sandboxes,containers}/*/{record,state}.json')))
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(boot, EARLIER_BOOT));
}

async function killProcesses(traces: Traces): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const pids = [...(await processesOf(traces))];
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    await sleep(100);
  }
}

async function processesOf({ directory, cgroup }: Traces): Promise<Set<number>> {
  const found = new Set<number>();
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const cgroups = await readFile(`/proc/${name}/cgroup`, 'utf8').catch(() => '');
    const command = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    // A CNI plugin and what it started are known by CNI_PATH.
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    const state = /^State:\s+(\S)/m.exec(await readFile(`/proc/${name}/status`, 'utf8').catch(() => ''))?.[1];
    if (state !== 'Z' && (cgroups.includes(`:${cgroup}/`) || [command, environment].some((text) => text.includes(`${directory}/`))))
      found.add(pid);
  }
  return found;
}

async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${directory}/`));
  for (const target of mounts.reverse()) await execa('umount', ['-l', target]).catch(() => undefined);
}

/** Removes a cgroup and those below it in every hierarchy, as far as they are empty. */
export async function removeCgroups(cgroup: string): Promise<void> {
  const hierarchies = await readdir('/sys/fs/cgroup');
  for (const top of ['', ...hierarchies]) await removeTree(join('/sys/fs/cgroup', top, cgroup));
}

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

/** Rules of CNI plugins carry the network's name in a comment. */
async function removeRules(network: string): Promise<void> {
  const { stdout } = await execa('iptables-save', ['-t', 'nat']).catch(() => ({ stdout: '' }));
  const chains = new Set<string>();
  for (const line of stdout.split('\n')) {
    if (!line.startsWith('-A ') || !line.includes(`"${network}\\"`)) continue;
    const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[1]?.replaceAll('\\"', '"') ?? match[2] ?? '');
    await execa('iptables', ['-t', 'nat', '-D', ...words.slice(1)]).catch(() => undefined);
    const target = words[words.indexOf('-j') + 1];
    if (target?.startsWith('CNI-') === true) chains.add(target);
  }
  for (const chain of chains) {
    await execa('iptables', ['-t', 'nat', '-F', chain]).catch(() => undefined);
    await execa('iptables', ['-t', 'nat', '-X', chain]).catch(() => undefined);
  }
}
