/** The built-in profile, which RuntimeDefault stands for. */
export const DEFAULT_APPARMOR_PROFILE = 'podwright-default';

/**
 * Its text, apparmor.d(5). It needs no file beside it: a node may have the parser and no abstractions. `abi` is the path of the
 * feature set that it is written against, below the parser's directory; where absent, the parser takes its own default.
 *
 * A container under it does what its capabilities, seccomp and mounts allow, except for what reaches the machine itself by /proc and
 * /sys, and for mounting. These denials hold where the read-only and masked paths do not (procMount Unmasked, a /proc that the
 * container mounted itself), and against root with every capability. A rule that denies wins over all that allow, so what stays open
 * is written as the pattern of all other names: processes' own directories in /proc, the shared memory limits of the IPC namespace,
 * cgroups.
 */
export function defaultApparmorProfile(abi: string | undefined): string {
  return `${abi === undefined ? '' : `abi <${abi}>,\n\n`}${PROFILE}`;
}

// Signals and traces are checked on both sides. Whoever is confined by another profile needs the right in that one: the node's
// runc and conmon have profiles of their own names on newer distributions, the daemon may have one, and so may a container beside.
const PROFILE = `profile ${DEFAULT_APPARMOR_PROFILE} flags=(attach_disconnected, mediate_deleted) {
  capability,
  network,
  unix,
  file,
  umount,
  deny mount,

  signal (receive),
  signal (send) peer=${DEFAULT_APPARMOR_PROFILE},
  signal (send) set=(exists),
  ptrace (readby, tracedby),
  ptrace (read, trace) peer=${DEFAULT_APPARMOR_PROFILE},

  deny /proc/* wkl,
  deny /proc/{[^0-9s/],s[^y/],sy[^s/],sys?}*/** wkl,
  deny /proc/sys/{[^k/],k[^e/]}** wkl,
  deny /proc/sys/kernel/{[^s/],s[^h/],sh[^m/]}** wkl,
  deny /proc/{kcore,sysrq-trigger} rwklmx,

  deny /sys/{[^f/],f[^s/]}** wkl,
  deny /sys/fs/{[^c/],c[^g/],cg[^r/]}** wkl,
  deny /sys/{firmware,kernel/security,devices/virtual/powercap}/** rwklmx,
}
`;
