import type { TomlValue } from '../config/kinds.ts';
import { CRI_IMAGE_KEYS, CRI_LEGACY_KEYS, CRI_RUNTIME_KEYS, CRI_SERVER_KEYS } from './containerd-cri-keys.ts';
import { REGISTRY_KEYS } from './containerd-registries.ts';
import { carried, carriedUnlessEmpty, goDuration, isEmpty, lost, Lost, Needless, needless, textOf } from './rule.ts';
import type { Around, Rules } from './rule.ts';

export const CRI = 'io.containerd.grpc.v1.cri';
export const CRI_RUNTIME = 'io.containerd.cri.v1.runtime';
export const CRI_IMAGES = 'io.containerd.cri.v1.images';
const NRI = 'io.containerd.nri.v1.nri';
const OTLP = 'io.containerd.tracing.processor.v1.otlp';

const OWN_FILES = "containerd's own files";
const OTHER_API = "containerd's own API and its parts, which nothing here serves";
const NO_TCP = 'the CRI is served on a unix socket alone';
const SOCKET = 'the socket is our own; the kubelet is told by containerRuntimeEndpoint';
const CLASSES = 'classes of RDT and block I/O are not supported: a pod that asks for one is refused';
const MESSAGES = 'requests may have 16 MiB, answers have no limit of ours';
const BIG = 16 * 1024 * 1024;
const UNIT = 'of the daemon itself: the unit of systemd is the place for it';

/** The tables about servers, at the top in versions 2 and 3, and those of their plugins in version 4. */
const SERVER_KEYS: Rules = [
  ...each(['grpc', 'plugins/io.containerd.server.v1.grpc'], {
    address: needless(SOCKET),
    uid: carried('socket_uid', unlessRoot),
    gid: carried('socket_gid', unlessRoot),
    max_recv_message_size: lost(MESSAGES, BIG, 0),
    max_send_message_size: lost(MESSAGES, BIG, 0),
    tcp_address: lost(NO_TCP),
    tcp_tls_ca: lost(NO_TCP),
    tcp_tls_cert: lost(NO_TCP),
    tcp_tls_key: lost(NO_TCP),
    tcp_tls_common_name: lost(NO_TCP),
  }),
  ...each(['plugins/io.containerd.server.v1.grpc-tcp'], {
    address: lost(NO_TCP),
    tls_ca: lost(NO_TCP),
    tls_cert: lost(NO_TCP),
    tls_key: lost(NO_TCP),
    tls_common_name: lost(NO_TCP),
    max_recv_message_size: lost(MESSAGES, BIG, 0),
    max_send_message_size: lost(MESSAGES, BIG, 0),
  }),
  ...each(['ttrpc', 'plugins/io.containerd.server.v1.ttrpc'], {
    address: needless(OTHER_API),
    uid: needless(OTHER_API),
    gid: needless(OTHER_API),
  }),
  ...each(['debug', 'plugins/io.containerd.server.v1.debug'], {
    address: needless('podwright debug looks into a running daemon without a socket of its own'),
    uid: needless(OTHER_API),
    gid: needless(OTHER_API),
  }),
  ['debug/level', carriedUnlessEmpty('log.level', logLevel)],
  ['debug/format', carriedUnlessEmpty('log.format')],
  ['debug/log_trace_id', lost('lines of the log do not name traces; spans have the request id', false)],
  ...each(['metrics', 'plugins/io.containerd.server.v1.metrics'], {
    address: carriedUnlessEmpty('metrics.listen'),
    grpc_histogram: needless('times of calls are always measured'),
  }),
  ['plugins/io.containerd.metrics.v1.grpc-prometheus/grpc_histogram', needless('times of calls are always measured')],
];

/** Every key of containerd's config.toml, versions 2 to 4, of containerd 1.6 to 2.4. */
const OTHER_KEYS: Rules = [
  ['version', needless('of the file')],
  ['imports', needless('the files were read')],
  ['root', needless(`${OWN_FILES}: images are pulled again, see docs/moving.md`)],
  ['state', needless(OWN_FILES)],
  ['temp', needless(OWN_FILES)],
  ['plugin_dir', lost('containerd loads Go plugins from there')],
  ['oom_score', lost(`${UNIT}, OOMScoreAdjust`, 0)],
  ['cgroup/path', lost(`${UNIT}, Slice`)],
  ['disabled_plugins', lost('parts of the daemon are turned off by their own keys', [])],
  ['required_plugins', needless('the daemon starts with all of its parts or not at all')],
  ['proxy_plugins/*/**', lost('proxy plugins of containerd; for a lazy-loading snapshotter see image.additional_layer_stores')],
  ['timeouts/*', needless(OTHER_API)],
  [
    'stream_processors/io.containerd.ocicrypt.decoder.v1.tar/*',
    needless('encrypted layers are refused; containerd has this key by default'),
  ],
  [
    'stream_processors/io.containerd.ocicrypt.decoder.v1.tar.gzip/*',
    needless('encrypted layers are refused; containerd has this key by default'),
  ],
  ['stream_processors/*/*', lost('layers of other media types are refused')],

  [`plugins/${NRI}/disable`, carried('nri.enable', (value) => value !== true)],
  [`plugins/${NRI}/disable_connections`, carried('nri.listen', noConnections)],
  [`plugins/${NRI}/socket_path`, carriedUnlessEmpty('nri.listen', nriListen)],
  [`plugins/${NRI}/plugin_path`, carriedUnlessEmpty('nri.plugin_dir')],
  [`plugins/${NRI}/plugin_config_path`, carriedUnlessEmpty('nri.plugin_config_dir')],
  [`plugins/${NRI}/plugin_registration_timeout`, carriedUnlessEmpty('nri.registration_timeout', goDuration)],
  [`plugins/${NRI}/plugin_request_timeout`, carriedUnlessEmpty('nri.request_timeout', goDuration)],
  ...[
    'enable',
    'reject_oci_hook_adjustment',
    'reject_runtime_default_seccomp_adjustment',
    'reject_unconfined_seccomp_adjustment',
    'reject_custom_seccomp_adjustment',
    'reject_namespace_adjustment',
    'reject_sysctl_adjustment',
    'required_plugins',
    'tolerate_missing_plugins_annotation',
  ].map((name): Rules[number] => [`plugins/${NRI}/default_validator/${name}`, carriedUnlessEmpty(`nri.default_validator.${name}`)]),

  ['plugins/io.containerd.image-verifier.v1.bindir/bin_dir', carriedUnlessEmpty('image.verifier_bin_dir')],
  ['plugins/io.containerd.image-verifier.v1.bindir/max_verifiers', carried('image.verifier_max')],
  ['plugins/io.containerd.image-verifier.v1.bindir/per_verifier_timeout', carriedUnlessEmpty('image.verifier_timeout', goDuration)],

  [`plugins/${OTLP}/endpoint`, carriedUnlessEmpty('tracing.endpoint', tracingEndpoint)],
  [`plugins/${OTLP}/protocol`, needless('said with the endpoint')],
  [`plugins/${OTLP}/insecure`, needless('said by the scheme of the endpoint')],
  ['plugins/io.containerd.internal.v1.tracing/service_name', lost('the name of the service is podwright', 'containerd')],
  [
    'plugins/io.containerd.internal.v1.tracing/sampling_ratio',
    carried('tracing.sampling_rate_per_million', (ratio) => Math.round(Number(ratio) * 1e6)),
  ],

  ['plugins/io.containerd.transfer.v1.local/config_path', needless('of images that ctr and nerdctl fetch')],
  ['plugins/io.containerd.transfer.v1.local/max_concurrent_downloads', carried('image.max_parallel_downloads', downloadsOfTransfer)],
  ['plugins/io.containerd.transfer.v1.local/**', needless('of images that ctr and nerdctl fetch, and of how layers are unpacked')],

  ['plugins/io.containerd.service.v1.tasks-service/blockio_config_file', lost(CLASSES)],
  ['plugins/io.containerd.service.v1.tasks-service/rdt_config_file', lost(CLASSES)],
  [
    'plugins/io.containerd.runtime.v2.task/platforms',
    lost('the platform of images is image.platform', ['linux/amd64'], ['linux/arm64'], ['linux/arm64/v8']),
  ],
  ['plugins/io.containerd.runtime.v2.task/sched_core', lost('core scheduling is not set', false)],
  ['plugins/io.containerd.shim.v1.manager/env', lost('there are no shims; conmon gets the environment that it needs')],
  ['plugins/io.containerd.shim.v1.manager/socket_dir', needless('there are no shims')],
  ['plugins/io.containerd.snapshotter.v1.overlayfs/mount_options', lost('the overlayfs of the kernel is used without options')],
  ['plugins/io.containerd.snapshotter.v1.overlayfs/**', needless(OWN_FILES)],
  // Their use is named by the snapshotter of the CRI's tables.
  ...['aufs', 'blockfile', 'btrfs', 'devmapper', 'erofs', 'native', 'zfs'].map((name): Rules[number] => [
    `plugins/io.containerd.snapshotter.v1.${name}/**`,
    needless('of a snapshotter that is not overlayfs'),
  ]),
  ...[
    'differ.v1.erofs',
    'gc.v1.scheduler',
    'grpc.v1.nydus',
    'internal.v1.opt',
    'internal.v1.restart',
    'metadata.v1.bolt',
    'monitor.container.v1.restart',
    'monitor.task.v1.cgroups',
    'monitor.v1.cgroups',
    'mount-handler.v1.erofs',
    'mount-manager.v1.bolt',
    'runtime.v1.linux',
    'service.v1.diff-service',
  ].map((name): Rules[number] => [`plugins/io.containerd.${name}/**`, needless(OTHER_API)]),
];

const IMAGE_KEYS: Rules = [...CRI_IMAGE_KEYS, ...REGISTRY_KEYS];
const CRI_KEYS_2: Rules = [...CRI_SERVER_KEYS, ...CRI_RUNTIME_KEYS, ...IMAGE_KEYS, ...CRI_LEGACY_KEYS];

/** The rules for a version of the file: where the CRI's tables stand is different. */
export function containerdKeys(version: number): Rules {
  const cri: Rules =
    version === 2
      ? below(CRI, CRI_KEYS_2)
      : [...below(CRI, CRI_SERVER_KEYS), ...below(CRI_RUNTIME, CRI_RUNTIME_KEYS), ...below(CRI_IMAGES, IMAGE_KEYS)];
  return [...SERVER_KEYS, ...cri, ...OTHER_KEYS];
}

/** What containerd does where no file says anything, and we would not: internal/cri/config/config_unix.go, pkg/oci. */
export function containerdBuiltIn(version: number): readonly (readonly [pattern: string, value: TomlValue])[] {
  const runtime = version === 2 ? CRI : CRI_RUNTIME;
  return [
    [`plugins/${runtime}/containerd/default_runtime_name`, 'runc'],
    [`plugins/${runtime}/cni/bin_dirs`, ['/opt/cni/bin']],
    [`plugins/${runtime}/cni/conf_dir`, '/etc/cni/net.d'],
    [`plugins/${runtime}/cni/ip_pref`, 'ipv4'],
    [`plugins/${runtime}/ignore_image_defined_volumes`, false],
    ...(version === 2 ? [] : ([['plugins/io.containerd.image-verifier.v1.bindir/bin_dir', '/opt/containerd/image-verifier/bin']] as const)),
  ];
}

/** Of a container that asks for nothing: containerd's pkg/oci, defaultUnixCaps. No key of it says so. */
export const CONTAINERD_CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(' ');

function below(plugin: string, rules: Rules): Rules {
  return rules.map(([pattern, rule]) => [`plugins/${plugin}/${pattern}`, rule]);
}

function each(tables: readonly string[], rules: Readonly<Record<string, Rules[number][1]>>): Rules {
  return tables.flatMap((table) => Object.entries(rules).map(([name, rule]): Rules[number] => [`${table}/${name}`, rule]));
}

function unlessRoot(id: TomlValue): TomlValue {
  if (id === 0) throw new Needless('as it is here anyway');
  return id;
}

const LEVELS: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'error',
  panic: 'error',
};

function logLevel(level: TomlValue): TomlValue {
  return LEVELS[textOf(level)] ?? level;
}

function nriListen(value: TomlValue, around: Around): TomlValue {
  if (around.get(['plugins', NRI, 'disable_connections']) === true) throw new Needless('disable_connections is on');
  return value;
}

function noConnections(value: TomlValue): TomlValue {
  if (value === true) return '';
  throw new Needless('said by nri.listen');
}

function tracingEndpoint(value: TomlValue, around: Around): TomlValue {
  const protocol = around.get(['plugins', OTLP, 'protocol']);
  if (protocol === 'http/protobuf' || (isEmpty(protocol) && /^https?:/.test(textOf(value)))) return value;
  throw new Lost(
    `${JSON.stringify(value)} takes OTLP over gRPC; name a receiver of OTLP over HTTP by tracing.endpoint, "http://HOST:4318"`,
  );
}

/** In 2.x the transfer service pulls, unless the CRI's table says that its own client does. */
function downloadsOfTransfer(value: TomlValue, around: Around): TomlValue {
  if (around.get(['plugins', CRI_IMAGES, 'use_local_image_pull']) === true) throw new Needless('use_local_image_pull is on');
  if (around.get(['version']) === 2) throw new Needless('of images that ctr and nerdctl fetch');
  return value;
}
