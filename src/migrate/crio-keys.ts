import type { TomlValue } from '../config/kinds.ts';
import { CRIO_RUNTIME_KEYS } from './crio-runtime-keys.ts';
import { carried, carriedUnlessEmpty, goDuration, hostAndPort, lost, Lost, Needless, needless, textOf } from './rule.ts';
import type { Around, Rules } from './rule.ts';

const OWN_FILES = "CRI-O's own files";
const SMALL_TLS = 'the servers of the daemon take TLS 1.2 and later with the suites of Node, which no key changes';

/** For the keys of a server: nothing is lost where the server is off. */
function where(
  isOn: (around: Around) => boolean,
  off: string,
  convert: (value: TomlValue, around: Around) => TomlValue = (value) => value,
) {
  return (value: TomlValue, around: Around): TomlValue => {
    if (!isOn(around)) throw new Needless(off);
    return convert(value, around);
  };
}

const hasStreamTls = (around: Around): boolean => around.get(['crio', 'api', 'stream_enable_tls']) === true;
const hasMetrics = (around: Around): boolean => around.get(['crio', 'metrics', 'enable_metrics']) === true;
const hasTraces = (around: Around): boolean => around.get(['crio', 'tracing', 'enable_tracing']) === true;
const streamTls = where(hasStreamTls, 'stream_enable_tls is off');
const inMetrics = where(hasMetrics, 'enable_metrics is off');

function metricsListen(_value: TomlValue, around: Around): TomlValue {
  const host = around.get(['crio', 'metrics', 'metrics_host']) ?? '127.0.0.1';
  return hostAndPort(textOf(host), around.get(['crio', 'metrics', 'metrics_port']) ?? 9090);
}

/** A duration that is 0 where there is to be no limit. */
function limit(words: string): (value: TomlValue) => TomlValue {
  return (value) => {
    const ours = goDuration(value);
    if (ours === '0s') throw new Needless(words);
    return ours;
  };
}

function tracesOff(value: TomlValue, around: Around): TomlValue {
  if (!hasTraces(around)) throw new Needless('enable_tracing is off');
  throw new Lost(
    `${JSON.stringify(value)} takes OTLP over gRPC; name a receiver of OTLP over HTTP by tracing.endpoint, "http://HOST:4318"`,
  );
}

/** Every key of crio.conf, CRI-O 1.37: docs/crio.conf.5.md and pkg/config of its source. */
export const CRIO_KEYS: Rules = [
  ['crio/root', needless(`${OWN_FILES}: images are pulled again, see docs/moving.md`)],
  ['crio/runroot', needless(OWN_FILES)],
  ['crio/imagestore', lost("CRI-O's store cannot be used; for a file system of its own set imagestore to an empty directory there")],
  ['crio/storage_driver', lost('file systems of containers are put together by overlayfs alone', 'overlay')],
  ['crio/storage_option', lost('the overlayfs of the kernel is used without options', ['overlay.override_kernel_check=1'])],
  ['crio/log_dir', needless('where logs of pods go is what the kubelet says')],
  ['crio/version_file', needless(OWN_FILES)],
  ['crio/version_file_persist', needless(OWN_FILES)],
  ['crio/clean_shutdown_file', needless(OWN_FILES)],
  ['crio/internal_wipe', needless('what a reboot has ended is cleaned up in any case')],
  ['crio/internal_repair', lost('damaged layers are always found and made anew after an unclean end', true)],

  ['crio/api/listen', needless('the socket is our own; the kubelet is told by containerRuntimeEndpoint')],
  ['crio/api/grpc_max_send_msg_size', lost('answers have no limit of ours, requests 16 MiB', 80 * 1024 * 1024, 16 * 1024 * 1024)],
  ['crio/api/grpc_max_recv_msg_size', lost('requests may have 16 MiB', 80 * 1024 * 1024, 16 * 1024 * 1024)],
  ['crio/api/stream_address', carriedUnlessEmpty('stream.address')],
  ['crio/api/stream_port', carriedUnlessEmpty('stream.port', Number)],
  ['crio/api/stream_enable_tls', needless('said by stream.tls_cert and stream.tls_key')],
  ['crio/api/stream_tls_cert', carriedUnlessEmpty('stream.tls_cert', streamTls)],
  ['crio/api/stream_tls_key', carriedUnlessEmpty('stream.tls_key', streamTls)],
  ['crio/api/stream_tls_ca', carriedUnlessEmpty('stream.tls_client_ca', streamTls)],
  ['crio/api/stream_idle_timeout', carriedUnlessEmpty('stream.idle_timeout', limit('0: the daemon has a limit all the same'))],
  ['crio/api/tls_min_version', lost(SMALL_TLS, 'VersionTLS12')],
  ['crio/api/tls_cipher_suites', lost(SMALL_TLS)],

  ...CRIO_RUNTIME_KEYS,

  ['crio/checkpoint_restore/container_level_enabled', carried('checkpoint.containers')],

  ['crio/image/default_transport', lost('images come from registries, docker://, alone', 'docker://')],
  ['crio/image/global_auth_file', carriedUnlessEmpty('image.auth_files', (file) => [file])],
  ['crio/image/namespaced_auth_dir', carriedUnlessEmpty('image.namespaced_auth_dir')],
  ['crio/image/pause_image', needless('pods need no pause image')],
  ['crio/image/pause_image_auth_file', needless('pods need no pause image')],
  ['crio/image/pause_command', needless('pods need no pause image')],
  ['crio/image/pinned_images', carriedUnlessEmpty('image.pinned')],
  ['crio/image/signature_policy', carriedUnlessEmpty('image.signature_policy')],
  ['crio/image/signature_policy_dir', carriedUnlessEmpty('image.signature_policy_dir')],
  ['crio/image/insecure_registries', needless('without effect in CRI-O too: insecure of registries.conf counts')],
  ['crio/image/image_volumes', carriedUnlessEmpty('image_volumes')],
  ['crio/image/big_files_temporary_dir', needless('layers are unpacked while they come, without temporary files')],
  ['crio/image/auto_reload_registries', needless('registries.conf and its drop-ins are always watched')],
  [
    'crio/image/pull_progress_timeout',
    carriedUnlessEmpty('image.pull_progress_timeout', limit('0: without a limit; here it is 5 minutes without a byte')),
  ],
  ['crio/image/oci_artifact_mount_support', lost('artifacts can always be mounted', true)],
  ['crio/image/short_name_mode', lost('an ambiguous short name is refused, as by "enforcing"', 'enforcing')],

  ['crio/network/cni_default_network', carriedUnlessEmpty('cni.default_network')],
  ['crio/network/network_dir', carriedUnlessEmpty('cni.conf_dir')],
  ['crio/network/plugin_dir', carriedUnlessEmpty('cni.bin_dirs', allPluginDirs)],
  ['crio/network/plugin_dirs', carriedUnlessEmpty('cni.bin_dirs', allPluginDirs)],
  ['crio/network/cni_status_grace_period', carriedUnlessEmpty('cni.status_grace_period', goDuration)],

  ['crio/metrics/enable_metrics', needless('said by metrics.listen')],
  ['crio/metrics/metrics_collectors', needless('all metrics are served; their names are our own: docs/metrics.md')],
  ['crio/metrics/metrics_host', carriedUnlessEmpty('metrics.listen', where(hasMetrics, 'enable_metrics is off', metricsListen))],
  ['crio/metrics/metrics_port', carried('metrics.listen', where(hasMetrics, 'enable_metrics is off', metricsListen))],
  ['crio/metrics/metrics_socket', lost('metrics are served in one place, here metrics_host and metrics_port, and on the admin socket')],
  ['crio/metrics/metrics_cert', carriedUnlessEmpty('metrics.tls_cert', inMetrics)],
  ['crio/metrics/metrics_key', carriedUnlessEmpty('metrics.tls_key', inMetrics)],

  ['crio/tracing/enable_tracing', needless('said by tracing.endpoint')],
  ['crio/tracing/tracing_endpoint', carriedUnlessEmpty('tracing.endpoint', tracesOff)],
  [
    'crio/tracing/tracing_sampling_rate_per_million',
    carried('tracing.sampling_rate_per_million', where(hasTraces, 'enable_tracing is off')),
  ],

  ['crio/stats/stats_collection_period', needless('figures are taken when they are asked for')],
  ['crio/stats/collection_period', needless('figures are taken when they are asked for')],
  ['crio/stats/included_pod_metrics', needless('all pod metrics are served')],

  ['crio/nri/enable_nri', carried('nri.enable')],
  ['crio/nri/nri_listen', carriedUnlessEmpty('nri.listen', nriListen)],
  ['crio/nri/nri_disable_connections', carried('nri.listen', noNriConnections)],
  ['crio/nri/nri_plugin_dir', carriedUnlessEmpty('nri.plugin_dir')],
  ['crio/nri/nri_plugin_config_dir', carriedUnlessEmpty('nri.plugin_config_dir')],
  ['crio/nri/nri_plugin_registration_timeout', carriedUnlessEmpty('nri.registration_timeout', goDuration)],
  ['crio/nri/nri_plugin_request_timeout', carriedUnlessEmpty('nri.request_timeout', goDuration)],
  ...validator('nri_enable_default_validator', 'enable'),
  ...validator('nri_validator_reject_oci_hook_adjustment', 'reject_oci_hook_adjustment'),
  ...validator('nri_validator_reject_runtime_default_seccomp_adjustment', 'reject_runtime_default_seccomp_adjustment'),
  ...validator('nri_validator_reject_unconfined_seccomp_adjustment', 'reject_unconfined_seccomp_adjustment'),
  ...validator('nri_validator_reject_custom_seccomp_adjustment', 'reject_custom_seccomp_adjustment'),
  ...validator('nri_validator_reject_namespace_adjustment', 'reject_namespace_adjustment'),
  ...validator('nri_validator_required_plugins', 'required_plugins'),
  ...validator('nri_validator_tolerate_missing_plugins_annotation', 'tolerate_missing_plugins_annotation'),
];

/** What CRI-O does where no file says anything, and we would not. pkg/config/config.go, DefaultConfig. */
export const CRIO_BUILT_IN: readonly (readonly [pattern: string, value: TomlValue])[] = [
  ['crio/runtime/default_runtime', 'crun'],
  ['crio/runtime/cgroup_manager', 'systemd'],
  ['crio/runtime/hooks_dir', ['/usr/share/containers/oci/hooks.d']],
  ['crio/runtime/default_mounts_file', '/etc/containers/mounts.conf'],
  ['crio/image/signature_policy_dir', '/etc/crio/policies'],
  ['crio/image/namespaced_auth_dir', '/etc/crio/auth'],
  ['crio/network/plugin_dirs', ['/opt/cni/bin']],
  ['crio/network/network_dir', '/etc/cni/net.d'],
];

function allPluginDirs(_value: TomlValue, around: Around): TomlValue {
  const [one, many] = [around.get(['crio', 'network', 'plugin_dir']), around.get(['crio', 'network', 'plugin_dirs'])];
  const dirs = [...(Array.isArray(many) ? (many as string[]) : []), ...(typeof one === 'string' && one !== '' ? [one] : [])];
  return [...new Set(dirs)];
}

function nriListen(value: TomlValue, around: Around): TomlValue {
  if (around.get(['crio', 'nri', 'nri_disable_connections']) === true) throw new Needless('nri_disable_connections is on');
  return value;
}

function noNriConnections(value: TomlValue): TomlValue {
  if (value === true) return '';
  throw new Needless('said by nri.listen');
}

function validator(name: string, ours: string): Rules {
  return [[`crio/nri/default_validator/${name}`, carriedUnlessEmpty(`nri.default_validator.${ours}`)]];
}
