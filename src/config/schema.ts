import {
  MINUTE_MS,
  address,
  anyText,
  capability,
  duration,
  fileMode,
  flag,
  hostAndPortOrSocket,
  listOf,
  oneOf,
  optionalPath,
  optionalUnixSocket,
  path,
  paths,
  program,
  proxyUrl,
  sizeOrUnlimited,
  sysctls,
  trueOrFalse,
  ulimit,
  wholeNumber,
} from './kinds.ts';
import { cadvisorSection } from './cadvisor-schema.ts';
import { handlerKeys } from './handler-schema.ts';
import { imageSection } from './image-schema.ts';
import { historySection, logSection } from './log-schema.ts';
import { nriSection } from './nri-schema.ts';
import { tracingSection } from './tracing-schema.ts';
import { key, named, section, type SchemaKeys, type ValuesOf } from './schema-nodes.ts';
import { defaultMount, deviceMapping, timezone, variable } from './container-kinds.ts';

const UNBOUNDED = Number.MAX_SAFE_INTEGER;
const devices = listOf(deviceMapping, 'a list of devices "HOST_PATH:CONTAINER_PATH:rwm"');

/**
 * Every setting of the daemon: the type of the configuration, its defaults, its checks, its flags, `podwright config`
 * and docs/config.md all come from this table.
 */
export const schema = {
  root: key(path, '/var/lib/podwright', 'What must survive a reboot: records, images, layers, the writable layers of containers.', {
    flag: { usage: '--root <DIR>' },
  }),
  runDir: key(path, '/run/podwright', 'What must not survive a reboot: pinned namespaces, sockets, exit files. A tmpfs.', {
    flag: { usage: '--run-dir <DIR>' },
  }),
  listenPath: key(optionalUnixSocket, '', 'The socket that the kubelet and crictl connect to; empty: podwright.sock under run_dir.', {
    flag: { usage: '--listen <ADDRESS>' },
  }),
  socketMode: key(fileMode, 0o660, 'Permissions of that socket.'),
  socketUid: key(wholeNumber(0, 0xffff_fffe), 0, 'Owner of that socket, user id.'),
  socketGid: key(wholeNumber(0, 0xffff_fffe), 0, 'Owner of that socket, group id.'),
  imagestore: key(
    optionalPath,
    '',
    'Where images are, for a file system of their own: records, blobs, layers. Empty: with all else, below root. No other daemon may have it.',
  ),
  cgroupManager: key(
    oneOf('auto', 'cgroupfs', 'systemd'),
    'auto',
    'Who makes the cgroups; must be what the kubelet uses. "auto": systemd where it runs on cgroup v2, else cgroupfs.',
    { flag: { usage: '--cgroup-manager <NAME>' } },
  ),
  conmon: key(program, 'conmon', 'The monitor that stays with each container, so that containers do not depend on the daemon.', {
    flag: { usage: '--conmon <PATH>' },
  }),
  registriesConf: key(
    path,
    '/etc/containers/registries.conf',
    'Registries, mirrors and rewritten names, containers-registries.conf(5) version 2. May be missing.',
    { flag: { usage: '--registries-conf <FILE>' } },
  ),
  registriesConfDir: key(path, '/etc/containers/registries.conf.d', 'Drop-ins to that file. May be missing.'),
  shortNameAliases: key(
    path,
    '/var/cache/containers/short-name-aliases.conf',
    'Aliases of names without a registry that podman and its kin have recorded; they come before those of the files above. Read only. May be missing.',
  ),
  registryConfigPath: key(
    paths,
    ['/etc/containerd/certs.d'],
    "containerd's directories of hosts, `HOST/hosts.toml`, for names that no table of registries.conf is for. The first that has a directory for a registry decides. May be missing.",
    { reloadable: true },
  ),
  registryCertsDirs: key(
    paths,
    ['/etc/containers/certs.d', '/etc/docker/certs.d'],
    'Directories `HOST:PORT` with authorities (`*.crt`) and client certificates (`NAME.cert`, `NAME.key`) of single registries. The first that has one for a host counts. May be missing.',
    { reloadable: true },
  ),
  logSizeMaxBytes: key(
    sizeOrUnlimited,
    -1,
    "Size at which the monitor truncates a container's log. The kubelet rotates logs itself, so no limit is right beside it.",
  ),
  pidsLimit: key(
    wholeNumber(-1, UNBOUNDED),
    -1,
    'Most processes and threads of one container; -1 leaves it to the pod limit of the kubelet.',
    { reloadable: true },
  ),
  tolerateMissingHugetlb: key(
    trueOrFalse,
    true,
    'What becomes of a limit on huge pages where the kernel has no hugetlb controller: it is left out with a warning, as CRI-O and containerd do, or ' +
      'with false the container is refused. A page size that the controller does not have is always refused.',
    { reloadable: true },
  ),
  defaultCapabilities: key(
    listOf(capability, 'a list of capability names'),
    [
      'CAP_CHOWN',
      'CAP_DAC_OVERRIDE',
      'CAP_FSETID',
      'CAP_FOWNER',
      'CAP_SETGID',
      'CAP_SETUID',
      'CAP_SETPCAP',
      'CAP_NET_BIND_SERVICE',
      'CAP_KILL',
      'CAP_SYS_CHROOT',
      'CAP_AUDIT_WRITE',
    ],
    'Capabilities of a container that asks for nothing: the nine of CRI-O, and two that ordinary servers (sshd, postfix, unbound) stop without. ' +
      'NET_RAW is not among them: ping works by net.ipv4.ping_group_range below. Nor are MKNOD and SETFCAP, which building an image wants and running one does not.',
    { reloadable: true },
  ),
  defaultSysctls: key(
    sysctls,
    { 'net.ipv4.ping_group_range': '0 2147483647', 'net.ipv4.ip_unprivileged_port_start': '0' },
    'Sysctls of a pod with namespaces of its own; what the pod asks for wins. Replaced as a whole.',
    { reloadable: true },
  ),
  defaultUlimits: key(
    listOf(ulimit, 'a list of limits such as "nofile=1024:4096"'),
    [],
    "Resource limits of containers; empty keeps the daemon's own.",
    { reloadable: true },
  ),
  defaultEnv: key(
    listOf(variable, 'a list of variables "NAME=VALUE"'),
    [],
    'Environment variables of every container; what its image or its request says wins.',
    { reloadable: true },
  ),
  defaultMounts: key(
    listOf(defaultMount, 'a list of mounts "HOST_PATH:CONTAINER_PATH", with ":rw" where containers may write'),
    [],
    'Files and directories of the node that every container gets, unless it mounts something there itself. The sources must be there.',
    { reloadable: true },
  ),
  defaultMountsFile: key(
    optionalPath,
    '',
    'A file of such mounts, /SOURCE:/DESTINATION on each line, as CRI-O and podman have it in /etc/containers/mounts.conf; bound read-only. Read ' +
      'for each container. What is not there is left out, the file itself too; default_mounts at the same place wins.',
    { reloadable: true },
  ),
  imageVolumes: key(
    oneOf('mkdir', 'bind', 'ignore'),
    'mkdir',
    "What becomes of an image's VOLUMEs. mkdir: a directory where there is none. bind: that, and a mount of it that is writable under a read-only " +
      'root file system too. ignore: nothing.',
    { reloadable: true },
  ),
  absentMountSourcesToReject: key(
    paths,
    [],
    'Sources of mounts that are never made as directories where they are not there: the container is refused. As CRI-O has it for /etc/hostname.',
    { reloadable: true },
  ),
  additionalDevices: key(
    devices,
    [],
    'Devices of the node that every container gets: "/dev/fuse", "/dev/sda:/dev/xvda:rw". They must be there.',
    { reloadable: true },
  ),
  allowedDevices: key(
    paths,
    ['/dev/fuse', '/dev/net/tun'],
    'Devices of the node that a pod may ask for by the annotation io.kubernetes.cri-o.Devices, where its handler allows that one.',
    { reloadable: true },
  ),
  deviceOwnershipFromSecurityContext: key(
    flag,
    false,
    "Whether the devices that the kubelet asks for belong to the container's run_as_user and run_as_group, where these are not root.",
    { reloadable: true },
  ),
  timezone: key(timezone, '', "The time zone of containers, as /etc/localtime; empty: the image's.", { reloadable: true }),
  seccompProfile: key(optionalPath, '', 'The profile that RuntimeDefault stands for, as JSON of the OCI spec; empty is the built-in one.'),
  apparmorProfile: key(
    anyText,
    '',
    'The AppArmor profile that RuntimeDefault stands for, and containers that ask for none get, by the name under which it is loaded. ' +
      'Empty is the built-in one, podwright-default, which the daemon loads by apparmor_parser; "unconfined" is none.',
  ),
  selinux: key(
    flag,
    false,
    'Whether containers and their files get SELinux labels, where SELinux is on: each pod with a level of its own. docs/operations.md says ' +
      'what policy that needs. Without them, containers run in the domain of the daemon, and a request for a label is refused.',
  ),
  hostnetworkDisableSelinux: key(
    flag,
    true,
    "Whether pods on the node's network are spc_t, which SELinux does not confine, unless they ask for a type.",
  ),
  cdiSpecDirs: key(
    paths,
    ['/etc/cdi', '/var/run/cdi'],
    'Where the spec files of CDI devices are (Container Device Interface); a later directory wins. Looked at when a container asks for such devices.',
    { reloadable: true },
  ),
  hooksDir: key(
    paths,
    [],
    'Where the hooks.d files of OCI hooks are, version 1.0.0 as CRI-O and podman read them; a file in a later directory takes the place of ' +
      'one with its name. Looked at for each container; empty: no hooks. CRI-O has ["/usr/share/containers/oci/hooks.d"].',
    { reloadable: true },
  ),
  cni: section('Pod networks, by CNI plugins.', {
    confDir: key(path, '/etc/cni/net.d', 'Where the CNI configurations are; watched.', { flag: { usage: '--cni-conf-dir <DIR>' } }),
    binDirs: key(paths, ['/opt/cni/bin', '/usr/lib/cni'], 'Where the CNI plugins are, in the order of looking.', {
      flag: { usage: '--cni-bin-dir <DIR>', repeatable: true },
    }),
    defaultNetwork: key(anyText, '', 'The network that pods join, by its name; empty: that of the first file in name order.'),
    ipPreference: key(
      oneOf('cni', 'ipv4', 'ipv6'),
      'cni',
      'Which address of a pod with several is its first: as the plugins have it, as on CRI-O, or one of this family, where it has one ' +
        '(containerd: ipv4).',
    ),
    statusGracePeriodMs: key(
      duration(0),
      0,
      'How long a network that was ready may fail before the node is told to have none: longer than the replacement of a network plugin takes.',
    ),
  }),
  runtime: section('OCI runtimes.', {
    default: key(
      anyText,
      'runc',
      'The handler of pods that name none. "auto": crun where the node has one that can do all that runc can, on cgroup v2; else runc. ' +
        'crun starts containers and commands in a third to two thirds of the time. podwright status tells which it is.',
      { flag: { usage: '--default-runtime <NAME>' } },
    ),
    handlers: named("The runtime handlers, by the name that a pod's RuntimeClass gives.", handlerKeys, ['runc'], {
      usage: '--runtime <NAME=PATH>',
      repeatable: true,
    }),
  }),
  nri: nriSection,
  cadvisor: cadvisorSection,
  checkpoint: section('Checkpoints of containers, by CRIU.', {
    containers: key(
      oneOf('none', 'checkpoint_only', 'checkpoint_restore'),
      'checkpoint_restore',
      'What may be done: nothing, CheckpointContainer, or that and CreateContainer from a checkpoint. As on CRI-O; without CRIU on the ' +
        'node nothing can. Whoever may name the image of a container decides with a checkpoint what its processes may do: see docs/checkpoint.md.',
    ),
    criu: key(program, 'criu', 'CRIU. Its file must have this name, since runtimes start it by that.'),
  }),
  image: imageSection,
  proxy: section(
    'Proxies between this node and registries. Where a key is set, HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment do not count.',
    {
      https: key(proxyUrl, '', 'For registries by https: http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT; empty: none.'),
      http: key(proxyUrl, '', 'For registries by plain http; empty: none.'),
      noProxy: key(
        listOf(anyText, 'a list of hosts'),
        [],
        'Who is asked directly: "example.com" (and all below), ".example.com" (all below), "10.0.0.0/8", "10.1.2.3:5000", "*". ' +
          'localhost and the loopback always are.',
      ),
    },
  ),
  stream: section('The server for exec, attach and port-forward, which the kubelet connects to.', {
    address: key(address, '127.0.0.1', 'Where it listens.', { flag: { usage: '--stream-address <ADDRESS>' } }),
    port: key(wholeNumber(0, 65_535), 0, 'Its port; 0 is any free one.'),
    tlsCert: key(optionalPath, '', 'Its certificate, PEM; empty: plain HTTP. Read again when it changes.'),
    tlsKey: key(optionalPath, '', "The certificate's key, PEM."),
    tlsClientCa: key(optionalPath, '', 'Authorities that clients must have a certificate of, PEM; empty: any client.'),
    idleTimeoutMs: key(duration(1000), 4 * 60 * MINUTE_MS, 'A session in which nothing moved for so long is ended.'),
  }),
  metrics: section('Prometheus metrics.', {
    listen: key(hostAndPortOrSocket, '', 'Where /metrics is served; empty: on the admin socket alone.', {
      flag: { usage: '--metrics-listen <ADDRESS>' },
    }),
    tlsCert: key(optionalPath, '', 'Its certificate, PEM; empty: plain HTTP. Read again when it changes.'),
    tlsKey: key(optionalPath, '', "The certificate's key, PEM."),
    tlsClientCa: key(optionalPath, '', 'Authorities that clients must have a certificate of, PEM; empty: any client.'),
  }),
  tracing: tracingSection,
  log: logSection,
  history: historySection,
  timeouts: section('How long work may take before it is given up and taken back.', {
    runPodSandboxMs: key(
      duration(1000),
      6 * MINUTE_MS,
      "All of RunPodSandbox. The kubelet's call may end before: its retry then joins the work.",
    ),
    containerCreateMs: key(duration(1000), 4 * MINUTE_MS, "All of CreateContainer, the OCI runtime's create in it."),
    checkpointMs: key(duration(1000), 4 * MINUTE_MS, 'All of CheckpointContainer, where the call says no time of its own.'),
    cniAddMs: key(duration(1000), 5 * MINUTE_MS, 'All CNI ADDs of a pod.'),
    cniDelMs: key(duration(1000), MINUTE_MS, 'All CNI DELs of a pod.'),
    parkMs: key(
      duration(0),
      2 * MINUTE_MS,
      'How long an object that was finished after its call had ended waits for the retry, before it is removed.',
    ),
  }),
} as const satisfies SchemaKeys;

/** The settings as a file may give them. */
export type Settings = ValuesOf<typeof schema>;
export type RuntimeHandlerConfig = Settings['runtime']['handlers'][string];

/** The configuration in force: frozen, programs and "auto" resolved for this machine. */
export type Config = Omit<Settings, 'cgroupManager'> & { readonly cgroupManager: 'cgroupfs' | 'systemd' };
