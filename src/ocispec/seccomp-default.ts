import type { OciSeccompArg } from './oci-types.ts';
import type { SeccompProfile, SeccompRule } from './seccomp-profile.ts';

/*
 * RuntimeDefault: what a program needs that does not administer the machine. All else fails with EPERM: among it the key ring
 * and module calls, mounts, namespaces, swap, reboot, clocks, raw input and output, io_uring and userfaultfd (both with a long
 * record of kernel bugs), and old calls that nothing uses. Some of it is allowed with the capability that it belongs to. Names
 * that a kernel or libseccomp does not know are passed over by the runtime.
 */

const words = (text: string): string[] => text.trim().split(/\s+/);

const FILES = words(`
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat
  fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown
  lchown32 link linkat listmount _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open
  openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
  rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64 statmount statx symlink symlinkat
  sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes
  vmsplice write writev
`);

const EXTENDED_ATTRIBUTES = words(`
  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr
  lsetxattr removexattr removexattrat setxattr setxattrat
`);

const EVENTS = words(`
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
  io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select
`);

const MEMORY = words(`
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
  mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
  remap_file_pages
`);

const PROCESSES = words(`
  execve execveat exit exit_group fork get_robust_list get_thread_area getpgid getpgrp getpid getppid getsid gettid
  pidfd_open pidfd_send_signal prctl restart_syscall rseq set_robust_list set_thread_area set_tid_address setpgid setsid
  uretprobe vfork wait4 waitid waitpid
`);

const THREADS_AND_FUTEXES = words('futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake');

const SIGNALS = words(`
  alarm kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn tgkill tkill
`);

const TIME = words(`
  adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
  timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
  timerfd_settime timerfd_settime64 times
`);

const IDENTITY = words(`
  capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid
  getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid
  setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
`);

const INTER_PROCESS = words(`
  ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
  msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
`);

const NETWORK = words(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
  send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
`);

const SCHEDULING_AND_LIMITS = words(`
  getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_getaffinity sched_getattr sched_getparam
  sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
  sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpriority setrlimit ugetrlimit
`);

/** Calls that only give up rights, or that tell what kind of machine this is. */
const SELF_CONFINEMENT_AND_FACTS = words(`
  getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules
  lsm_set_self_attr seccomp sysinfo uname
`);

/** The calls that are allowed only with a capability. */
const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_BPF: 'bpf',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYS_ADMIN: `
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree
    perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYSLOG: 'syslog',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
};

const allow = (names: readonly string[], more: Partial<SeccompRule> = {}): SeccompRule => ({ names, action: 'SCMP_ACT_ALLOW', ...more });
const firstArgument = (op: OciSeccompArg['op'], value: number, valueTwo?: number): OciSeccompArg[] => [
  { index: 0, value, ...(valueTwo === undefined ? {} : { valueTwo }), op },
];

/** Socket families that reach past a network namespace (to the hypervisor), or into rarely used kernel code. */
const AF_ALG = 38;
const AF_VSOCK = 40;
/** AF_ALG and AF_VSOCK have one number between them, so "all others" is three ranges; one rule each, since rules add up. */
const SOCKETS: readonly SeccompRule[] = [
  allow(['socket'], { args: firstArgument('SCMP_CMP_LT', AF_ALG) }),
  allow(['socket'], { args: firstArgument('SCMP_CMP_EQ', AF_ALG + 1) }),
  allow(['socket'], { args: firstArgument('SCMP_CMP_GT', AF_VSOCK) }),
];

/** PER_LINUX, PER_LINUX32, each also with UNAME26, and "only tell me": personality(2). */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffff_ffff].map((value) =>
  allow(['personality'], { args: firstArgument('SCMP_CMP_EQ', value) }),
);

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: clone(2). */
const CLONE_NEW_NAMESPACES = 0x7e02_0000;
const ENOSYS = 38;
const EPERM = 1;
const NOT_ADMIN = { excludes: { caps: ['CAP_SYS_ADMIN'] } } as const;
/** clone3 has its flags behind a pointer, where seccomp cannot look: libraries take ENOSYS as "use clone". */
const CLONING: readonly SeccompRule[] = [
  allow(['clone'], { args: firstArgument('SCMP_CMP_MASKED_EQ', CLONE_NEW_NAMESPACES, 0), ...NOT_ADMIN }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, ...NOT_ADMIN },
];

/** The profile that RuntimeDefault stands for, where the node's owner sets no other. */
export const defaultSeccompProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    allow([
      ...FILES,
      ...EXTENDED_ATTRIBUTES,
      ...EVENTS,
      ...MEMORY,
      ...PROCESSES,
      ...THREADS_AND_FUTEXES,
      ...SIGNALS,
      ...TIME,
      ...IDENTITY,
      ...INTER_PROCESS,
      ...NETWORK,
      ...SCHEDULING_AND_LIMITS,
      ...SELF_CONFINEMENT_AND_FACTS,
    ]),
    ...SOCKETS,
    ...PERSONALITIES,
    ...CLONING,
    // Before 4.8 a traced process could slip past its filter: seccomp(2), "Changes in Linux 4.8".
    allow(['process_vm_readv', 'process_vm_writev', 'ptrace'], { includes: { minKernel: '4.8' } }),
    allow(['arch_prctl', 'modify_ldt'], { includes: { arches: ['amd64'] } }),
    allow(['arm_fadvise64_64', 'arm_sync_file_range', 'breakpoint', 'cacheflush', 'set_tls', 'sync_file_range2'], {
      includes: { arches: ['arm64'] },
    }),
    ...Object.entries(BY_CAPABILITY).map(([capability, names]) => allow(words(names), { includes: { caps: [capability] } })),
  ],
};
