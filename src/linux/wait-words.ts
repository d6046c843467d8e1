import type { MountEntry } from './mountinfo.ts';

/** What one thread does, as /proc tells it; what the kernel does not give is empty. */
export interface ThreadFacts {
  /** R, S, D, T ... */
  readonly state: string;
  /** The function of the kernel that it sleeps in. */
  readonly wchan: string;
  /** The kernel's functions, the innermost first: `fuse_get_req`, `rpc_execute [sunrpc]`. */
  readonly stack: readonly string[];
  /** By its name, or its number where we do not know it; empty outside of one. */
  readonly systemCall: string;
}

/** Most functions that are kept of a stack; and characters of each. */
const MOST_FRAMES = 24;
const FRAME_LENGTH = 100;

/** The lines of /proc/PID/stack, such as `[<0>] pipe_read+0x4c/0x430 [module]`. */
export function parseStack(text: string): string[] {
  return text
    .split('\n', MOST_FRAMES)
    .map((line) => /^\[<\w+>\] ([^+\s]+)(?:\+\S+)?( \[\w+\])?/.exec(line))
    .flatMap((found) => (found === null ? [] : [`${found[1] ?? ''}${found[2] ?? ''}`.slice(0, FRAME_LENGTH)]));
}

/** A system call with its first argument, which is a file descriptor for most. */
export interface SystemCall {
  readonly name: string;
  readonly fd?: number;
}

interface Numbers {
  readonly [name: string]: number;
}

/** asm/unistd_64.h of x86-64, and asm-generic/unistd.h for arm64: the calls that wait for something. */
const NUMBERS: Readonly<Record<string, Numbers>> = {
  x64: {
    read: 0, write: 1, open: 2, close: 3, stat: 4, fstat: 5, lstat: 6, poll: 7, ioctl: 16, pread64: 17, readv: 19, writev: 20, access: 21, select: 23,
    nanosleep: 35, connect: 42, accept: 43, sendto: 44, recvfrom: 45, sendmsg: 46, recvmsg: 47, clone: 56, vfork: 58, execve: 59, wait4: 61, fcntl: 72,
    flock: 73, fsync: 74, fdatasync: 75, getdents: 78, rename: 82, mkdir: 83, rmdir: 84, unlink: 87, readlink: 89, pause: 34, pivot_root: 155, sync: 162, mount: 165,
    umount2: 166, init_module: 175, futex: 202, getdents64: 217, clock_nanosleep: 230, epoll_wait: 232, waitid: 247, openat: 257, mkdirat: 258,
    newfstatat: 262, unlinkat: 263, renameat: 264, readlinkat: 267, pselect6: 270, ppoll: 271, unshare: 272, splice: 275, epoll_pwait: 281, fallocate: 285, accept4: 288,
    syncfs: 306, setns: 308, finit_module: 313, execveat: 322, statx: 332, io_uring_enter: 426, clone3: 435, openat2: 437, epoll_pwait2: 441,
  },
  arm64: {
    epoll_pwait: 22, fcntl: 25, ioctl: 29, flock: 32, mkdirat: 34, unlinkat: 35, renameat: 38, umount2: 39, mount: 40, pivot_root: 41, fallocate: 47,
    openat: 56, close: 57, getdents64: 61, read: 63, write: 64, readv: 65, writev: 66, pread64: 67, pselect6: 72, ppoll: 73, splice: 76, readlinkat: 78, newfstatat: 79,
    fstat: 80, sync: 81, fsync: 82, fdatasync: 83, waitid: 95, unshare: 97, futex: 98, nanosleep: 101, init_module: 105, clock_nanosleep: 115,
    accept: 202, connect: 203, sendto: 206, recvfrom: 207, sendmsg: 211, recvmsg: 212, clone: 220, execve: 221, wait4: 260, accept4: 242, syncfs: 267,
    setns: 268, finit_module: 273, execveat: 281, statx: 291, io_uring_enter: 426, clone3: 435, openat2: 437, epoll_pwait2: 441,
  },
}; // prettier-ignore

/** Calls whose first argument is no file descriptor, or one that says nothing of what is waited for. */
const WITHOUT_FD = new Set(
  `open readlink readlinkat stat lstat access poll select nanosleep clone vfork execve wait4 rename mkdir rmdir unlink pause pivot_root sync mount umount2 init_module
  futex clock_nanosleep waitid openat mkdirat newfstatat unlinkat renameat pselect6 ppoll unshare execveat statx clone3 openat2 epoll_wait epoll_pwait
  epoll_pwait2 io_uring_enter setns`.split(/\s+/),
);

/** The line of /proc/PID/syscall: `0 0x5 0x7f... SP PC`; undefined where the thread is in none, or runs. */
export function parseSystemCall(line: string, architecture: string): SystemCall | undefined {
  const [, number, first] = /^(\d+) 0x([0-9a-f]+)/.exec(line) ?? [];
  if (number === undefined || first === undefined) return undefined;
  const name = Object.entries(NUMBERS[architecture] ?? {}).find(([, each]) => each === Number(number))?.[0];
  if (name === undefined) return { name: `system call ${number}` };
  return WITHOUT_FD.has(name) ? { name } : { name, fd: Number.parseInt(first, 16) };
}

/** Who has the file lock that a process waits for, by /proc/locks; -1 where it belongs to a descriptor and not to a process. */
export function lockHolder(locks: string, pid: number): number | undefined {
  let holder = -1;
  for (const line of locks.split('\n')) {
    const found = /^\d+:\s+(->\s+)?\w+\s+\w+\s+\w+\s+(-?\d+)\s/.exec(line);
    if (found === null) continue;
    const owner = Number(found[2]);
    if (found[1] === undefined) holder = owner;
    else if (owner === pid) return holder;
  }
  return undefined;
}

interface Meaning {
  /** What the thread waits for. */
  readonly words: string;
  /** How much it tells: of several threads and processes the one with most is the one to look at. */
  readonly weight: number;
}

/** By what the names of the kernel's functions are, the more telling first. */
const BY_FUNCTION: readonly (readonly [RegExp, string, number])[] = [
  [/^(__)?fuse_|\[fuse\]$|^request_wait_answer$/, 'the answer of a FUSE file system', 9],
  [/^nfs4?_|^rpc_wait_bit|^__rpc_|^rpc_|\[nfsv?\d?\]$|\[sunrpc\]$/, 'the answer of an NFS server', 9],
  [/^cifs_|^smb2_|\[cifs\]$/, 'the answer of an SMB server', 9],
  [/^ceph_|\[ceph\]$|\[libceph\]$/, 'the answer of a Ceph server', 9],
  [/^p9_|^v9fs_|\[9p(net)?\]$/, 'the answer of a 9p server', 9],
  [/^(locks_lock_inode_wait|flock_lock_inode_wait|posix_lock_inode_wait|fcntl_setlk|__do_sys_flock|do_lock_file_wait)/, 'a file lock', 8],
  [/^(break_lease|__break_lease)/, 'a lease on a file', 8],
  [/^(do_freezer_trap|cgroup_enter_frozen|__refrigerator)/, 'its cgroup, which is frozen', 8],
  [/^(mem_cgroup_(handle_over_high|oom_synchronize|out_of_memory)|try_to_free_mem_cgroup_pages|reclaim_high)/, 'memory of its cgroup', 7],
  [/^(wait_for_partner|fifo_open)/, 'the other side of a FIFO to be opened', 7],
  [/^(anon_)?pipe_write/, 'a reader of its full pipe', 6],
  [/^(inet_wait_for_connect|inet_stream_connect|__inet_stream_connect|inet_csk_wait_for_connect|unix_wait_for_peer)/, 'a connection', 6],
  [/^(rtnl_lock|rtnl_)/, "the kernel's lock of network settings", 7],
  [/^(copy_net_ns|setup_net|cleanup_net|net_ns_barrier)/, "the kernel's lock of network namespaces", 7],
  [/^(namespace_lock|lock_mount|path_mount|path_umount|do_umount|copy_mnt_ns)/, "the kernel's lock of mounts", 7],
  [/^(cgroup_|css_)/, "the kernel's lock of cgroups", 6],
  [/^(request_module|__request_module|idempotent_init_module|load_module)/, 'a module of the kernel', 6],
  [/^(netlink_|unix_stream_read|unix_dgram_recvmsg|__skb_wait_for_more_packets)/, 'an answer on a socket', 5],
  [/^(tcp_recvmsg|tcp_sendmsg|sk_stream_wait_memory|udp_recvmsg|sk_wait_data|inet_recvmsg)/, 'a peer of the network', 5],
  [/^(anon_)?pipe_read/, 'input from a pipe', 4],
  [
    /^(io_schedule|folio_wait_|wait_on_page|jbd2_|blkdev_issue|blk_|submit_bio_wait|balance_dirty_pages|ext4_|xfs_|btrfs_|wait_on_buffer|sync_filesystem|iterate_supers|writeback_)/,
    'a disk',
    6,
  ],
  [/^(n_tty_read|tty_)/, 'a terminal', 4],
  [/^(ptrace_stop|ptrace_)/, 'a debugger', 7],
  [/^(hrtimer_nanosleep|do_nanosleep|common_nsleep)/, 'time to pass: it sleeps', 3],
  [
    /^(do_epoll_wait|ep_poll|do_sys_poll|do_poll|do_select|poll_schedule_timeout|core_sys_select|schedule_hrtimeout_range)/,
    'input, or a connection',
    2,
  ],
  [/^(do_wait|kernel_wait4|kernel_waitid)/, 'a child process', 1],
  [/^(do_sys_pause|__x64_sys_pause|sigsuspend|do_sigtimedwait)/, 'a signal', 2],
  [/^(futex_|__futex_|do_futex)/, 'another of its threads', 0],
];

/** The types of file systems that such an answer may be of. */
const SERVED: Readonly<Record<string, RegExp>> = {
  'the answer of a FUSE file system': /^fuse(blk)?(\.|$)/,
  'the answer of an NFS server': /^nfs4?$/,
  'the answer of an SMB server': /^(cifs|smb3)$/,
  'the answer of a Ceph server': /^ceph$/,
  'the answer of a 9p server': /^9p$/,
};

/** The mounts whose server may be what is waited for, by the words of {@link meaningOf}; none where those are of something else. */
export function servedMounts(words: string | undefined, mounts: readonly MountEntry[]): MountEntry[] {
  const type = SERVED[words ?? ''];
  return type === undefined ? [] : mounts.filter((mount) => type.test(mount.type));
}

/** Whether {@link servedMounts} may have any. */
export function isServed(words: string | undefined): boolean {
  return SERVED[words ?? ''] !== undefined;
}

/** Where the kernel gives no functions. */
const BY_SYSTEM_CALL: Readonly<Record<string, readonly [string, number]>> = {
  flock: ['a file lock', 8],
  connect: ['a connection', 6],
  nanosleep: ['time to pass: it sleeps', 3],
  clock_nanosleep: ['time to pass: it sleeps', 3],
  poll: ['input, or a connection', 2],
  ppoll: ['input, or a connection', 2],
  select: ['input, or a connection', 2],
  pselect6: ['input, or a connection', 2],
  epoll_wait: ['input, or a connection', 2],
  epoll_pwait: ['input, or a connection', 2],
  wait4: ['a child process', 1],
  waitid: ['a child process', 1],
  futex: ['another of its threads', 0],
};

const UNINTERRUPTIBLE = 10;

/** What a thread waits for; no words where that cannot be told. */
export function meaningOf({ state, wchan, stack, systemCall }: ThreadFacts): { readonly words?: string; readonly weight: number } {
  // One that is stuck in the kernel is what holds up all others.
  const bonus = state === 'D' ? UNINTERRUPTIBLE : 0;
  if (state === 'T') return { words: 'a SIGCONT: a signal has stopped it', weight: 7 };
  if (state === 't') return { words: 'a debugger', weight: 7 };
  if (state === 'R') return { weight: 5 };
  if (state === 'Z' || state === 'X') return { words: 'its parent to take its exit status', weight: 0 };
  const found = byFunction(stack.length > 0 ? stack : [wchan]) ?? bySystemCall(systemCall);
  return found === undefined ? { weight: 3 + bonus } : { words: found.words, weight: found.weight + bonus };
}

function byFunction(functions: readonly string[]): Meaning | undefined {
  for (const [pattern, words, weight] of BY_FUNCTION) if (functions.some((name) => pattern.test(name))) return { words, weight };
  return undefined;
}

function bySystemCall(name: string): Meaning | undefined {
  const [words, weight] = BY_SYSTEM_CALL[name] ?? [];
  return words === undefined || weight === undefined ? undefined : { words, weight };
}

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'in the kernel, not to be interrupted',
  T: 'stopped',
  t: 'traced',
  Z: 'ended',
  X: 'ended',
  I: 'idle',
};

/** A letter of /proc/PID/stat in words. */
export function stateWords(state: string): string {
  return STATES[state] ?? `state ${state}`;
}
