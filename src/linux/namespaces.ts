import { mkdirSync, rmdirSync, stat } from 'node:fs';
import { join } from 'node:path';
import { bind, bindIdle, check, close, errnoError, lastErrno, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY, open } from './libc.ts';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { mountIdMapped } from './idmapped-mount.ts';
import { asUser } from './thread-user.ts';
import { unmount } from './unmount.ts';
import { withNewUserNamespace, type UserMapping } from './user-namespace.ts';

/** The namespaces that a thread can enter and leave. */
type ThreadNamespace = 'net' | 'ipc' | 'uts';
/** The namespaces that a file can keep without a process: namespaces(7). A PID namespace needs a living child. */
export type PinnableNamespace = ThreadNamespace | 'user';

export interface PinOptions {
  readonly net: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
  /** The ids of a user namespace, which the others then belong to. */
  readonly user?: UserMapping | undefined;
  /** Needs `user`: a directory that is shown at `dir/layers` as well, read-only, with the owners of the user namespace. */
  readonly layers?: string | undefined;
  /** Set inside; needs `uts`. */
  readonly hostname?: string;
  /** Names with dots or slashes, set inside: net.* needs `net`; kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* need `ipc`. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Bring `lo` up inside; needs `net`. */
  readonly loopback: boolean;
}

/** Paths of namespaces to enter. */
export type NamespacePaths = Readonly<Partial<Record<ThreadNamespace, string>>>;

const CLONE_FLAGS = { net: 0x40000000, ipc: 0x08000000, uts: 0x04000000 } as const satisfies Record<ThreadNamespace, number>;
const KINDS: readonly ThreadNamespace[] = ['net', 'ipc', 'uts'];
const PINNABLE: readonly PinnableNamespace[] = [...KINDS, 'user'];
/** Beside the pins, in a directory with a user namespace. */
export const LAYERS = 'layers';
const MS_BIND = 0x1000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const NSFS_MAGIC = 0x6e736673;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
const IFREQ_BYTES = 40;
const IFR_FLAGS_OFFSET = 16;
const ENOENT = 2;
const ENOTDIR = 20;
const EINVAL = 22;

const setns = bind<(fd: number, type: number) => number>('int setns(int fd, int nstype)');
const unshare = bind<(flags: number) => number>('int unshare(int flags)');
const STATFS = 'int statfs(const char *path, void *buf)';
const statfs = bind<(path: string, buffer: Buffer) => number>(STATFS);
const statfsByClock = bindIdle<typeof statfs>(STATFS);
/** struct statfs: 120 bytes on x86-64 and arm64, f_type first. */
const statfsBuffer = Buffer.alloc(128);
const mount = bind<(source: string, target: string, type: null, flags: number, data: null) => number>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
);
const umount2 = bind<(target: string, flags: number) => number>('int umount2(const char *target, int flags)');
const unlink = bind<(path: string) => number>('int unlink(const char *path)');
const sethostname = bind<(name: Buffer, length: number) => number>('int sethostname(void *name, size_t len)');
const socket = bind<(domain: number, type: number, protocol: number) => number>('int socket(int domain, int type, int protocol)');
const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>('int ioctl(int fd, unsigned long request, void *arg)');
const abort = bind<() => void>('void abort()');
const write = bind<(fd: number, data: Buffer, length: number) => number>('long write(int fd, void *buf, size_t count)');

let poolIsWarm = false;

/**
 * Makes libuv start its pool threads now. They start when they are first needed, in the namespaces of the thread that needs
 * them. One fs call made inside a pod's namespaces would leave all of them in the pod for ever, with every DNS look-up. So
 * this is called before each entering, and by main.ts at the start.
 */
export function warmThreadPool(): void {
  if (poolIsWarm) return;
  // The first call starts all threads before it returns (libuv, uv_queue_work).
  stat('/', () => undefined);
  poolIsWarm = true;
}

/**
 * Makes new namespaces and keeps each by a bind mount at `dir/net`, `dir/ipc`, `dir/uts`, `dir/user`, without a process. On
 * failure nothing is left. It is synchronous, so that nothing else of this program runs while its thread is inside. Where the way back
 * to our own namespaces fails, the program aborts: it would go on inside the pod's.
 *
 * `dir` is made if needed. Where it lies on a shared mount (mountinfo "shared:N") the pins spread to the peers of that
 * mount, and so do their unmounts; a caller who does not want this makes the mount of `dir` private.
 * @throws the system error, naming the step.
 */
export function pinNamespaces(dir: string, options: PinOptions): void {
  const kinds = PINNABLE.filter((kind) => options[kind] !== undefined && options[kind] !== false);
  if (kinds.length === 0) return;
  // eslint-disable-next-line no-restricted-syntax -- no turn of the event loop may pass between these steps
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const made: string[] = [];
  try {
    for (const kind of kinds) {
      const path = join(dir, kind);
      close(open(path, O_RDONLY | O_CREAT | O_EXCL, 0o444));
      made.push(path);
    }
    if (options.user === undefined) pinByThread(dir, options);
    else pinByProcess(dir, options, options.user);
  } catch (error) {
    unmount(join(dir, LAYERS));
    removeIfEmpty(join(dir, LAYERS));
    for (const path of made) unpin(path);
    removeIfEmpty(dir);
    throw error;
  }
}

/** Our thread makes the namespaces and comes back. */
function pinByThread(dir: string, options: PinOptions): void {
  const kinds = KINDS.filter((kind) => options[kind]);
  insideOf(kinds, () => {
    check(unshare(flagsOf(kinds)), `unshare ${kinds.join(',')}`);
    prepareInside(options);
    for (const kind of kinds) pinOne(`/proc/thread-self/ns/${kind}`, join(dir, kind));
  });
}

/** A short-lived process makes them. The user namespace is pinned first: what belongs to it is never there without it. */
function pinByProcess(dir: string, options: PinOptions, user: UserMapping): void {
  const kinds = KINDS.filter((kind) => options[kind]);
  withNewUserNamespace(user, flagsOf(kinds), (pid) => {
    for (const kind of ['user', ...kinds]) {
      stage(`namespaces.pinning-${kind}`);
      pinOne(`/proc/${pid}/ns/${kind}`, join(dir, kind));
    }
    if (options.layers !== undefined) showLayers(options.layers, dir);
  });
  withNamespaces(Object.fromEntries(kinds.map((kind) => [kind, join(dir, kind)])), () => {
    prepareInside(options);
  });
}

function showLayers(layers: string, dir: string): void {
  const target = join(dir, LAYERS);
  // eslint-disable-next-line no-restricted-syntax -- as in pinNamespaces
  mkdirSync(target, { mode: 0o700 });
  stage('namespaces.showing-layers');
  mountIdMapped(layers, target, join(dir, 'user'));
}

function pinOne(namespace: string, target: string): void {
  check(mount(namespace, target, null, MS_BIND, null), 'mount --bind namespace', target);
}

/** Releases what {@link pinNamespaces} keeps in `dir`, or these of it, and `dir` if it is empty then. What is not there is fine. */
export function unpinNamespaces(dir: string, kinds: readonly PinnableNamespace[] = PINNABLE): void {
  if (kinds.includes('user')) {
    unmount(join(dir, LAYERS));
    removeIfEmpty(join(dir, LAYERS));
  }
  for (const kind of kinds) unpin(join(dir, kind));
  removeIfEmpty(dir);
}

function unpin(path: string): void {
  // As often as something is mounted there: a mount on top of a pin would keep the pin.
  while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) === 0);
  const errno = lastErrno();
  if (errno !== EINVAL && errno !== ENOENT) throw errnoError('umount2', path, errno);
  if (unlink(path) === -1 && lastErrno() !== ENOENT) throw errnoError('unlink', path);
}

/** Never with what is in it: the layers may be mounted there. */
function removeIfEmpty(dir: string): void {
  try {
    // eslint-disable-next-line no-restricted-syntax -- called from pinNamespaces, which is synchronous
    rmdirSync(dir);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error;
  }
}

/** Whether a namespace is kept at `path`: the file is there and a namespace is mounted on it, statfs(2). nsfs cannot hang. */
export function isPinned(path: string): boolean {
  return isNamespace(path, statfs);
}

/** As {@link isPinned}, for a clock: see {@link bindIdle}. */
export function isStillPinned(path: string): boolean {
  return isNamespace(path, statfsByClock);
}

function isNamespace(path: string, ask: typeof statfs): boolean {
  if (ask(path, statfsBuffer) === 0) return statfsBuffer.readUInt32LE(0) === NSFS_MAGIC;
  const errno = lastErrno();
  if (errno === ENOENT || errno === ENOTDIR) return false;
  throw errnoError('statfs', path, errno);
}

/**
 * Runs `work` inside the given namespaces and returns its result. `work` must be synchronous, and may start nothing that runs
 * later or on another thread, such as fs callbacks and workers. Allowed are FFI, *Sync calls, and spawn: the child then starts
 * inside. Where the way back fails, the program aborts.
 * @throws what `work` throws, or the system error of entering.
 */
export function withNamespaces<T>(paths: NamespacePaths, work: () => T): T {
  const kinds = KINDS.filter((kind) => paths[kind] !== undefined);
  return insideOf(kinds, () => {
    for (const kind of kinds) {
      const path = paths[kind] ?? '';
      const fd = open(path, O_RDONLY);
      try {
        check(setns(fd, CLONE_FLAGS[kind]), `setns ${kind}`, path);
      } finally {
        close(fd);
      }
    }
    const result = work();
    if (result instanceof Promise) throw new Error('withNamespaces: the work returned a promise, must be synchronous');
    return result;
  });
}

/** Runs `work`, which may leave this thread's namespaces of these kinds, and brings the thread back. */
function insideOf<T>(kinds: readonly ThreadNamespace[], work: () => T): T {
  warmThreadPool();
  const own: { kind: ThreadNamespace; fd: number }[] = [];
  try {
    for (const kind of kinds) own.push({ kind, fd: open(`/proc/thread-self/ns/${kind}`, O_RDONLY) });
    try {
      return work();
    } finally {
      for (const { kind, fd } of own) if (setns(fd, CLONE_FLAGS[kind]) === -1) abortInside(kind);
    }
  } finally {
    for (const { fd } of own) close(fd);
  }
}

/** The thread is in a pod's namespace and cannot leave it: every later call would act on the wrong node. */
function abortInside(kind: ThreadNamespace): never {
  const line = Buffer.from(`fatal: cannot return to our own ${kind} namespace: ${messageOf(errnoError('setns'))}\n`);
  write(2, line, line.length);
  abort(); // process.abort() is refused on a thread
  process.exit(134);
}

function flagsOf(kinds: readonly ThreadNamespace[]): number {
  return kinds.reduce((flags, kind) => flags | CLONE_FLAGS[kind], 0);
}

function prepareInside(options: PinOptions): void {
  if (options.hostname !== undefined) {
    if (!options.uts) throw new Error('pin namespaces: a hostname is given without a UTS namespace of its own');
    setHostname(options.hostname);
  }
  if (options.loopback) {
    if (!options.net) throw new Error('pin namespaces: loopback is asked for without a network namespace of its own');
    bringUp('lo');
  }
  for (const [name, value] of Object.entries(options.sysctls ?? {})) {
    const owner = namespaceOfSysctl(name);
    if (owner === undefined || !options[owner]) {
      throw new Error(`set sysctl ${name}: it belongs to ${owner ?? 'no'} namespace of the pod's own, must be one that is made here`);
    }
    // The kernel takes those of an IPC namespace from the user alone that is root in it, whatever others may do elsewhere.
    if (owner === 'ipc' && options.user !== undefined)
      asUser(options.user.uids.hostId, () => {
        writeSysctl(name, value);
      });
    else writeSysctl(name, value);
  }
}

/**
 * Which namespace a sysctl belongs to; undefined for one of the node itself. As the kubelet's list (kubernetes
 * pkg/kubelet/sysctl/namespace.go); dots and slashes as in sysctl(8).
 */
export function namespaceOfSysctl(name: string): ThreadNamespace | undefined {
  const path = sysctlPath(name);
  if (path.startsWith('net/')) return 'net';
  if (/^kernel\/(shm|msg)[^/]*$/.test(path) || path === 'kernel/sem' || /^fs\/mqueue\/[^/]+$/.test(path)) return 'ipc';
  if (path === 'kernel/hostname' || path === 'kernel/domainname') return 'uts';
  return undefined;
}

/** The path below /proc/sys. With a dot as first separator, a slash stands for a dot inside a part (net.ipv4.conf.eth0/1.x). */
function sysctlPath(name: string): string {
  const path = /^[^/]*\./.test(name) ? name.replaceAll(/[./]/g, (c) => (c === '.' ? '/' : '.')) : name;
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || path.includes('\0')) {
    throw new Error(`set sysctl ${JSON.stringify(name)}: must be a name such as net.core.somaxconn`);
  }
  return path;
}

/** The interface that a sysctl is of (`eth0` in net.ipv4.conf.eth0.arp_filter); undefined where it is there without one. */
export function interfaceOfSysctl(name: string): string | undefined {
  const device = /^net\/[^/]+\/(?:conf|neigh)\/([^/]+)\//.exec(sysctlPath(name))?.[1];
  return device === undefined || ['all', 'default', 'lo'].includes(device) ? undefined : device;
}

/**
 * Sets sysctls inside a pinned network namespace. Synchronous, as {@link withNamespaces}.
 * @throws DaemonError InvalidArgument for one that the kernel does not have there or refuses.
 */
export function setNetworkSysctls(netnsPath: string, sysctls: Readonly<Record<string, string>>): void {
  withNamespaces({ net: netnsPath }, () => {
    for (const [name, value] of Object.entries(sysctls)) writeSysctl(name, value);
  });
}

/** What a pod has in its pinned UTS and IPC namespaces. */
export interface NameOptions {
  /** The paths of those that it has of its own. */
  readonly namespaces: { readonly uts?: string; readonly ipc?: string };
  readonly hostname: string;
  /** Of the IPC namespace. */
  readonly sysctls: Readonly<Record<string, string>>;
}

/** Gives a pod's namespaces the name and the sysctls that the pod has. Synchronous, as {@link withNamespaces}. */
export function renewNames({ namespaces, hostname, sysctls }: NameOptions): void {
  withNamespaces({ ...namespaces }, () => {
    if (namespaces.uts !== undefined) setHostname(hostname);
    if (namespaces.ipc !== undefined) for (const [name, value] of Object.entries(sysctls)) writeSysctl(name, value);
  });
}

function setHostname(hostname: string): void {
  const name = Buffer.from(hostname);
  check(sethostname(name, name.length), `sethostname ${hostname}`);
}

function writeSysctl(name: string, value: string): void {
  const path = `/proc/sys/${sysctlPath(name)}`;
  try {
    const fd = open(path, O_WRONLY);
    try {
      const data = Buffer.from(value);
      check(write(fd, data, data.length), 'write', path);
    } finally {
      close(fd);
    }
  } catch (error) {
    throw sysctlError(name, value, error);
  }
}

function sysctlError(name: string, value: string, cause: unknown): unknown {
  const is = `set sysctl ${name}=${value} in the namespaces of the pod`;
  const refuse = (words: string): DaemonError => new DaemonError('InvalidArgument', `${is}: ${words}`, { cause });
  if (hasErrno(cause, 'ENOENT', 'ENOTDIR')) return refuse('the kernel has no sysctl of this name there');
  if (hasErrno(cause, 'EISDIR')) return refuse('that is a group of sysctls, must be one');
  if (hasErrno(cause, 'EINVAL', 'ERANGE', 'EDOM')) return refuse('the kernel does not take this value');
  if (hasErrno(cause, 'EACCES', 'EPERM', 'EROFS')) return refuse('the kernel lets nobody write it there');
  return new DaemonError('Internal', `${is}: ${messageOf(cause)}`, { cause });
}

function bringUp(device: string): void {
  // Interface requests work on a socket of any family: netdevice(7). AF_UNIX is there also where IPv4 is not.
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    const request = Buffer.alloc(IFREQ_BYTES);
    request.write(device, 0, 15, 'latin1');
    check(ioctl(fd, SIOCGIFFLAGS, request), `ioctl SIOCGIFFLAGS ${device}`);
    request.writeInt16LE(request.readInt16LE(IFR_FLAGS_OFFSET) | IFF_UP, IFR_FLAGS_OFFSET);
    check(ioctl(fd, SIOCSIFFLAGS, request), `ioctl SIOCSIFFLAGS ${device}`);
  } finally {
    close(fd);
  }
}
