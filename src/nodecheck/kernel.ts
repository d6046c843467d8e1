import { access, readdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { unlessMissing } from '../base/errors.ts';
import { findingsOf, isAtLeast, type Finding } from './finding.ts';

/** What the kernel says of itself. */
export interface KernelFacts {
  readonly release: string;
  /** /proc/filesystems: what is built in or loaded. */
  readonly filesystems: readonly string[];
  /** Whether the module of overlayfs is there to be loaded. */
  readonly hasOverlayModule: boolean;
  /** /proc/self/ns */
  readonly namespaces: readonly string[];
  /** What seccomp can do; empty: there is none. */
  readonly seccompActions: string;
  /** user.max_user_namespaces; undefined where the kernel has none. */
  readonly maxUserNamespaces: number | undefined;
}

export async function readKernelFacts(): Promise<KernelFacts> {
  const text = async (path: string): Promise<string> => unlessMissing(readFile(path, 'utf8'), '');
  const modules = `/lib/modules/${release()}`;
  const places = ['kernel/fs/overlayfs/overlay.ko', 'kernel/fs/overlayfs/overlay.ko.xz', 'kernel/fs/overlayfs/overlay.ko.zst'];
  const found = await Promise.all(places.map(async (place) => access(`${modules}/${place}`).then(() => true, () => false))); // prettier-ignore
  const most = (await text('/proc/sys/user/max_user_namespaces')).trim();
  return {
    release: release(),
    filesystems: (await text('/proc/filesystems')).split('\n').map((line) => line.split('\t').at(-1) ?? ''),
    hasOverlayModule: found.includes(true),
    namespaces: await readdir('/proc/self/ns'),
    seccompActions: (await text('/proc/sys/kernel/seccomp/actions_avail')).trim(),
    maxUserNamespaces: most === '' ? undefined : Number(most),
  };
}

const { ok, note, warning, error } = findingsOf('kernel');
const NEEDED_NAMESPACES = ['mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup'];

export function judgeKernel(facts: KernelFacts): Finding[] {
  return [version(facts), overlay(facts), ...namespaces(facts), seccomp(facts)];
}

function version({ release: name }: KernelFacts): Finding {
  if (isAtLeast(name, 4, 18) === false)
    return error(`Linux ${name}`, { must: 'Linux 4.18 or later', advice: 'Upgrade the kernel of this node.' });
  if (isAtLeast(name, 5, 19) === false)
    return note(`Linux ${name}: no pods with user namespaces, which want 5.19 or later`, {
      advice: 'Upgrade the kernel where pods with hostUsers: false are wanted.',
    });
  return ok(`Linux ${name}`);
}

function overlay({ filesystems, hasOverlayModule }: KernelFacts): Finding {
  if (filesystems.includes('overlay')) return ok('overlayfs is there');
  if (hasOverlayModule) return note('overlayfs is a module that is not loaded yet; the first container loads it');
  return error('the kernel has no overlayfs', {
    must: 'overlay in /proc/filesystems',
    advice: 'modprobe overlay, and a line "overlay" in /etc/modules-load.d/podwright.conf.',
  });
}

function namespaces({ namespaces: there, maxUserNamespaces }: KernelFacts): Finding[] {
  const missing = NEEDED_NAMESPACES.filter((name) => !there.includes(name));
  const findings =
    missing.length === 0
      ? [ok(`namespaces: ${NEEDED_NAMESPACES.join(', ')}`)]
      : [
          error(`the kernel has no namespaces of the kind ${missing.join(', ')}`, {
            must: `all of ${NEEDED_NAMESPACES.join(', ')}`,
            advice: 'Take a kernel with CONFIG_NAMESPACES and all kinds of them.',
          }),
        ];
  if (maxUserNamespaces === undefined || maxUserNamespaces === 0)
    findings.push(
      note('no user namespaces: pods with hostUsers: false are refused', {
        advice: maxUserNamespaces === 0 ? 'sysctl user.max_user_namespaces=10000' : 'Take a kernel with CONFIG_USER_NS.',
      }),
    );
  return findings;
}

function seccomp({ seccompActions }: KernelFacts): Finding {
  if (seccompActions !== '') return ok('seccomp is there');
  return warning('the kernel has no seccomp filters', {
    must: 'CONFIG_SECCOMP_FILTER',
    advice: 'Containers with RuntimeDefault cannot be confined; take a kernel that has it.',
  });
}
