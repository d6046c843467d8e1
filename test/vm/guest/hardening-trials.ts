/** The directives of systemd.exec(5) and systemd.resource-control(5) that are tried, and why the unit has none of them: docs/security.md. */
export interface Trial {
  readonly set: string;
  /** Seen in one of the things that are other than without it. */
  readonly breaks: RegExp;
}

/** runc's words where a container asks for a capability that it has not got itself. */
const NO_PRIVILEGED = /unable to apply caps: operation not permitted/;
const MOUNTS_STAY_INSIDE = /^the node sees the mount: false$/;

export const TRIALS: readonly Trial[] = [
  { set: 'UMask=0077', breaks: /^a child: makes files of mode 600$/ },
  { set: 'DevicePolicy=closed', breaks: /^a child: open \/dev\/kmsg: no/ },
  { set: 'IPAddressDeny=any', breaks: /^a child: connect to a port: no/ },
  { set: 'SocketBindDeny=any', breaks: /^a child: serve a port: no/ },
  // What is handed on to containers. A program that makes a call which is filtered out is killed: its line is not there.
  { set: 'RestrictSUIDSGID=yes', breaks: /^make a program set-user-ID: no/ },
  { set: 'LockPersonality=yes', breaks: /^another personality: no/ },
  { set: 'SystemCallArchitectures=native', breaks: /^run a 32-bit program: no/ },
  { set: 'RestrictRealtime=yes', breaks: /^real-time scheduling: no/ },
  { set: 'ProtectClock=yes', breaks: NO_PRIVILEGED },
  { set: 'NoNewPrivileges=yes', breaks: /^gain rights by a set-user-ID program: no/ },
  { set: 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET', breaks: /^a socket: (crypto|vsock): no/ },
  { set: 'RestrictNamespaces=~user', breaks: /^Seccomp 2$/ },
  { set: 'MemoryDenyWriteExecute=yes', breaks: /^memory to write and to execute: no/ },
  { set: 'CapabilityBoundingSet=~CAP_WAKE_ALARM', breaks: NO_PRIVILEGED },
  { set: 'SystemCallFilter=~@obsolete', breaks: /^not there: count the file system types:/ },
  { set: 'SystemCallFilter=~@clock', breaks: /^not there: set the clock:/ },
  { set: 'SystemCallFilter=~@cpu-emulation', breaks: /^not there: a local descriptor table:/ },
  { set: 'SystemCallFilter=~@debug', breaks: /^not there: a perf event:/ },
  { set: 'SystemCallFilter=~@module', breaks: /^not there: load a module:/ },
  { set: 'SystemCallFilter=~@raw-io', breaks: /^not there: ports of the processor:/ },
  { set: 'SystemCallFilter=~@reboot', breaks: /^not there: set Ctrl-Alt-Del:/ },
  { set: 'SystemCallFilter=~@swap', breaks: /^not there: swap:/ },
  // What gives the daemon a mount namespace of its own.
  { set: 'PrivateTmp=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'PrivateMounts=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'PrivateDevices=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectSystem=full', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectHome=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectKernelLogs=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectKernelModules=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectKernelTunables=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectControlGroups=yes', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProtectProc=invisible', breaks: MOUNTS_STAY_INSIDE },
  { set: 'ProcSubset=pid', breaks: MOUNTS_STAY_INSIDE },
  // Another namespace besides.
  { set: 'ProtectHostname=yes', breaks: /^set the hostname: no|in the node's uts namespace: no/ },
  { set: 'PrivateNetwork=yes', breaks: /in the node's net namespace: no/ },
  { set: 'PrivateIPC=yes', breaks: /in the node's ipc namespace: no/ },
  { set: 'PrivateUsers=yes', breaks: /in the node's user namespace: no/ },
];
