/** What there is on the machine that a package and its daemon could have left: files, mounts, interfaces, cgroups, processes, units. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { output } from './node.ts';

const PLACES = ['/etc', '/usr', '/opt', '/root', '/var', '/run'];
/** What systemd, dpkg, apt and the test itself write meanwhile, and pods' logs, which are the kubelet's. */
const NOT_LOOKED_AT =
  /^\/(run\/(systemd|udev|log|dbus|lock|xtables\.lock|mount|credentials)|var\/(lib\/(dpkg|apt|systemd|vm-test|ucf)|cache|log|tmp|backups)|etc\/(ld\.so\.cache|mtab|\.pwd\.lock))(\/|$)/;
const SETTLE_MS = 30_000;

/** A line for each thing, sorted. */
export type Footprint = readonly string[];

export async function footprint(): Promise<Footprint> {
  const files = (await output('find', ...PLACES, '-xdev')).split('\n').filter((path) => !NOT_LOOKED_AT.test(path));
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n').map((line) => `mount ${line.split(' ')[4] ?? ''}`); // prettier-ignore
  const links = (await readdir('/sys/class/net')).map((name) => `interface ${name}`);
  const cgroups = (await output('find', '/sys/fs/cgroup', '-type', 'd', '-regex', '.*\\(podwright\\|crio\\|kubepods\\).*')).split('\n');
  const processes = (await output('ps', '-e', '-o', 'comm=')).split('\n').filter((name) => /conmon|podwright|crun|runc|pause/.test(name));
  const units = (await output('systemctl', 'list-units', '--all', '--plain', '--no-legend', '*podwright*', '*crio*')).split('\n');
  const named = (kind: string, names: readonly string[]): string[] => names.filter((name) => name !== '').map((name) => `${kind} ${name.split(' ')[0] ?? ''}`); // prettier-ignore
  const all = [
    ...named('file', files),
    ...mounts,
    ...links,
    ...named('cgroup', cgroups),
    ...named('process', processes),
    ...named('unit', units),
  ];
  return [...new Set(all)].sort();
}

/** Fails with what is there now and was not, and the files that were and are not. Interfaces and units go when the kernel and systemd get to it. */
export async function assertSameFootprint(before: Footprint): Promise<void> {
  const end = Date.now() + SETTLE_MS;
  for (;;) {
    const now = await footprint();
    const [more, less] = [
      now.filter((line) => !before.includes(line)),
      before.filter((line) => line.startsWith('file ') && !now.includes(line)),
    ];
    if (more.length + less.length === 0) return;
    if (Date.now() > end) assert.fail(`there is more:\n  ${more.join('\n  ')}\nthere is less:\n  ${less.join('\n  ')}`);
    await sleep(1000);
  }
}
