import { readFile } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { findingsOf, type Finding } from './finding.ts';

interface Row {
  readonly name: string;
  /** What it must be: exactly, or at least. */
  readonly exactly?: number;
  readonly atLeast?: number;
  readonly level: 'warning' | 'note';
  /** What happens where it is not. */
  readonly why: string;
  /** What to do where the kernel has no such setting. */
  readonly whereMissing?: string;
}

/** Of these the kubelet and the peers' packages set the first four, on each node. */
const TABLE: readonly Row[] = [
  { name: 'net.ipv4.ip_forward', exactly: 1, level: 'warning', why: 'pods reach nothing beyond the node' },
  {
    name: 'net.bridge.bridge-nf-call-iptables',
    exactly: 1,
    level: 'warning',
    why: 'kube-proxy does not see what pods of one node send each other through Services',
    whereMissing: 'modprobe br_netfilter, and a line "br_netfilter" in /etc/modules-load.d/podwright.conf',
  },
  {
    name: 'net.bridge.bridge-nf-call-ip6tables',
    exactly: 1,
    level: 'note',
    why: 'the same, for IPv6',
    whereMissing: 'modprobe br_netfilter',
  },
  { name: 'fs.inotify.max_user_instances', atLeast: 512, level: 'warning', why: 'kubelet, log agents and pods run out of watches: "too many open files"' },
  { name: 'fs.inotify.max_user_watches', atLeast: 65_536, level: 'warning', why: 'the same, for what is watched' },
  { name: 'kernel.pid_max', atLeast: 65_536, level: 'warning', why: 'a hundred pods with many threads take all pids of the node' },
  { name: 'kernel.threads-max', atLeast: 32_768, level: 'warning', why: 'the same, for threads' },
  { name: 'fs.file-max', atLeast: 262_144, level: 'warning', why: 'all pods together run out of open files' },
  { name: 'kernel.keys.root_maxkeys', atLeast: 10_000, level: 'warning', why: 'each container has a keyring of its own' },
  { name: 'kernel.keys.root_maxbytes', atLeast: 250_000, level: 'warning', why: 'each container has a keyring of its own' },
]; // prettier-ignore

/** What each setting of the table is; undefined where the kernel has none of the name. */
export type SysctlValues = Readonly<Record<string, number | undefined>>;

export async function readSysctls(names: readonly string[] = TABLE.map(({ name }) => name)): Promise<SysctlValues> {
  const pairs = names.map(async (name) => {
    const text = await unlessMissing(readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8'), undefined);
    return [name, text === undefined ? undefined : Number(text)] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

const { ok, warning, note } = findingsOf('sysctls');

export function judgeSysctls(values: SysctlValues): Finding[] {
  const findings = TABLE.flatMap((row) => judge(row, values[row.name]));
  const good = TABLE.length - findings.length;
  return good === 0 ? findings : [ok(`${good} of ${TABLE.length} settings are as they must be`), ...findings];
}

function judge({ name, exactly, atLeast, level, why, whereMissing }: Row, value: number | undefined): Finding[] {
  const told = level === 'warning' ? warning : note;
  if (value === undefined)
    return whereMissing === undefined ? [] : [told(`the kernel has no ${name}: ${why}`, { must: `${name} = ${exactly ?? atLeast}`, advice: `${whereMissing}.` })]; // prettier-ignore
  if (exactly === undefined ? value >= (atLeast ?? 0) : value === exactly) return [];
  const wanted = exactly ?? atLeast;
  const must = exactly === undefined ? `${wanted} or more` : String(wanted);
  return [told(`${name} is ${value}: ${why}`, { must, advice: `sysctl -w ${name}=${wanted}, and that line in /etc/sysctl.d/99-podwright.conf.` })]; // prettier-ignore
}
