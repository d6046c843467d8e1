import { dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { mountOf } from '../linux/mountinfo.ts';
import { readMounts } from '../linux/mounts.ts';
import { PLAIN_ENVIRONMENT, run } from '../linux/spawn.ts';
import { findingsOf, type Finding } from './finding.ts';

/** One directory of ours, and the file system that it is on. */
export interface DiskFacts {
  readonly name: 'root' | 'imagestore' | 'run_dir';
  readonly path: string;
  /** Of the mount; empty where it is not known. */
  readonly type: string;
  readonly mountpoint: string;
  readonly options: readonly string[];
  /** Undefined where the file system did not answer; then `fault` says why. */
  readonly room?: DiskRoom;
  readonly fault?: string;
}

export interface DiskRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
  /** 0: the file system makes them as it needs them. */
  readonly totalInodes: number;
}

/** A disk that is there answers in milliseconds, milliseconds. */
const DISK_MS = 3_000;

export async function readDisks(config: Pick<Config, 'root' | 'runDir' | 'imagestore'>): Promise<DiskFacts[]> {
  const { root, runDir, imagestore } = config;
  const mounts = await readMounts();
  const places = [
    { name: 'root', path: root } as const,
    ...(imagestore === '' ? [] : [{ name: 'imagestore', path: new DiskLayout(config).imageStorage } as const]),
    { name: 'run_dir', path: runDir } as const,
  ];
  return Promise.all(
    places.map(async (place) => {
      const { type = '', target = '', options = [] } = mountOf(mounts, place.path) ?? {};
      const at = { ...place, type, mountpoint: target, options };
      try {
        return { ...at, room: await roomAt(place.path) };
      } catch (error) {
        return { ...at, fault: messageOf(error) };
      }
    }),
  );
}

/** By a program: one that hangs in a dead file system is left behind, and a thread of ours would be lost. stat(1) */
async function roomAt(path: string): Promise<DiskRoom> {
  const args = ['--file-system', '--format', '%S %b %a %c %d', path];
  const { exit, stdout, stderr } = await run('stat', { args, env: PLAIN_ENVIRONMENT, timeoutMs: DISK_MS });
  const [block = 0, blocks = 0, free = 0, inodes = 0, freeInodes = 0] = stdout.toString().split(' ').map(Number);
  if (exit.code === 0) return { freeBytes: block * free, totalBytes: block * blocks, freeInodes, totalInodes: inodes };
  // It is made at the first start.
  if (path !== '/' && stderr.toString().includes('No such file')) return roomAt(dirname(path));
  throw new Error(stderr.toString().trim());
}

const { ok, note, warning, error } = findingsOf('disks');
const REMOTE = ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'ceph', 'fuse.sshfs'];
const GIB = 1024 ** 3;

export function judgeDisks(disks: readonly DiskFacts[]): Finding[] {
  return disks.flatMap((disk) => [...judgeRoom(disk), ...judgeKind(disk)]);
}

function judgeRoom({ name, path, mountpoint, type, room, fault }: DiskFacts): Finding[] {
  if (room === undefined)
    return [
      error(`${name} ${path}, on ${mountpoint} (${type}), does not answer: ${fault}`, {
        must: 'a disk that answers',
        advice: 'Look at dmesg and the mount; nothing can be started or pulled while it hangs.',
      }),
    ];
  const freeShare = room.totalBytes === 0 ? 1 : room.freeBytes / room.totalBytes;
  const inodeShare = room.totalInodes === 0 ? 1 : room.freeInodes / room.totalInodes;
  const what = `${name} ${path}: ${gib(room.freeBytes)} of ${gib(room.totalBytes)} free (${percent(freeShare)}), ${percent(inodeShare)} of the inodes`; // prettier-ignore
  const advice = name === 'run_dir' ? 'Remove what fills it, or mount a larger tmpfs.' : 'Remove images (crictl rmi --prune) and logs, or take a larger disk.'; // prettier-ignore
  if (freeShare < 0.01 || inodeShare < 0.01) return [error(what, { must: 'room: what is made now fails', advice })];
  if (freeShare < 0.1 || inodeShare < 0.05) return [warning(what, { must: 'a tenth free: the kubelet evicts pods below that', advice })];
  return [ok(what)];
}

function judgeKind({ name, path, type, options }: DiskFacts): Finding[] {
  const findings: Finding[] = [];
  if (name === 'run_dir') {
    if (type !== 'tmpfs' && type !== '')
      findings.push(note(`run_dir ${path} is on ${type}, which outlives a reboot`, { must: 'a tmpfs', advice: 'Set run_dir to a directory below /run.' })); // prettier-ignore
  } else {
    if (REMOTE.includes(type))
      findings.push(error(`${name} ${path} is on ${type}`, { must: 'a disk of this node', advice: `Set ${name} to a local disk: overlayfs does not stand on it.` })); // prettier-ignore
    if (type === 'overlay')
      findings.push(warning(`${name} ${path} is itself on an overlay`, { must: 'ext4, xfs or btrfs', advice: `Mount a disk at ${path}.` }));
    if (type === 'tmpfs')
      findings.push(note(`${name} ${path} is on a tmpfs: images take memory, and a reboot takes all`, { advice: `Mount a disk at ${path}.` })); // prettier-ignore
  }
  const bad = options.filter((option) => option === 'ro' || (option === 'noexec' && name !== 'run_dir') || (option === 'nosuid' && name !== 'run_dir')); // prettier-ignore
  if (bad.length > 0)
    findings.push(
      (bad.includes('ro') ? error : warning)(`${name} ${path} is mounted ${bad.join(', ')}`, {
        must: 'rw, exec and suid',
        advice: 'Mount it again without these; dmesg says whether a fault made it read-only.',
      }),
    );
  return findings;
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
