import { isMapped, type UserMapping } from '../linux/user-namespace.ts';
import type { HostFacts } from './host-facts.ts';
import type { PodFiles, SpecNamespaces } from './input.ts';
import type { OciMount } from './oci-types.ts';

export interface DefaultMountsInput {
  readonly namespaces: SpecNamespaces;
  readonly podFiles: PodFiles;
  /** Privileged: /sys is writable (CRI, LinuxContainerSecurityContext.privileged, 3). */
  readonly privileged: boolean;
  /** Whether the container may write in its cgroup: privileged ones, and those of a handler that lets them. */
  readonly cgroupWritable: boolean;
  readonly readonlyRootfs: boolean;
  readonly cgroupNamespace: boolean;
  /** The ids of the user namespace, where it is not the node's. */
  readonly userMapping?: UserMapping | undefined;
  readonly host: Pick<HostFacts, 'cgroupVersion' | 'cgroup2Options'>;
}

const TTY_GROUP = 5;

/** As the OCI spec's config-linux.md, "Default Filesystems"; modes and limits as every runtime has them. */
export function defaultMounts(input: DefaultMountsInput): OciMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    ptsMount(input),
    mqueueMount(input),
    sysMount(input),
    ...cgroupMounts(input),
    ...shmMounts(input),
    ...podFileMounts(input),
  ];
}

/** Terminals belong to the group tty, which is 5 everywhere, unless the pod has no such group. */
function ptsMount({ userMapping }: DefaultMountsInput): OciMount {
  const options = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  const hasTty = userMapping === undefined || isMapped(TTY_GROUP, userMapping.gids);
  return { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: hasTty ? [...options, `gid=${TTY_GROUP}`] : options };
}

/** mqueue and sysfs can be mounted only by the owner of the IPC or network namespace, and a user namespace does not own the host's. */
function mqueueMount({ namespaces, userMapping }: DefaultMountsInput): OciMount {
  const options = ['nosuid', 'noexec', 'nodev'];
  if (namespaces.ipc === 'host' && userMapping !== undefined) {
    return { destination: '/dev/mqueue', type: 'bind', source: '/dev/mqueue', options: ['rbind', ...options] };
  }
  return { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options };
}

function sysMount({ namespaces, userMapping, privileged }: DefaultMountsInput): OciMount {
  const options = ['nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro'];
  if (namespaces.net === 'host' && userMapping !== undefined) {
    return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', ...options] };
  }
  return { destination: '/sys', type: 'sysfs', source: 'sysfs', options };
}

/**
 * v1: the runtime shows the container's own part of each hierarchy. v2: with a cgroup namespace the container's cgroup is the
 * root. Without one the mount would change options of the superblock that the host uses too, so these options are repeated.
 */
function cgroupMounts({ host, cgroupWritable, cgroupNamespace }: DefaultMountsInput): OciMount[] {
  const kept = host.cgroupVersion === 'v2' && !cgroupNamespace ? host.cgroup2Options : [];
  const options = ['nosuid', 'noexec', 'nodev', 'relatime', cgroupWritable ? 'rw' : 'ro', ...kept];
  return [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options }];
}

function shmMounts({ namespaces, podFiles }: DefaultMountsInput): OciMount[] {
  const source = namespaces.ipc === 'host' ? '/dev/shm' : podFiles.shm;
  if (source === undefined) return [];
  return [{ destination: '/dev/shm', type: 'bind', source, options: ['rbind', 'rprivate', 'nosuid', 'nodev', 'noexec', 'rw'] }];
}

function podFileMounts({ podFiles, readonlyRootfs }: DefaultMountsInput): OciMount[] {
  const files = { '/etc/hosts': podFiles.hosts, '/etc/resolv.conf': podFiles.resolvConf, '/etc/hostname': podFiles.hostname };
  return Object.entries(files).flatMap(([destination, source]) => {
    if (source === undefined) return [];
    return [{ destination, type: 'bind', source, options: ['rbind', 'rprivate', readonlyRootfs ? 'ro' : 'rw'] }];
  });
}
