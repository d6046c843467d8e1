import type { TomlValue } from '../config/kinds.ts';
import { carried, carriedUnlessEmpty, goDuration, isEmpty, lost, Lost, Needless, needless, textOf } from './rule.ts';
import type { Around, Rules } from './rule.ts';

const DEPRECATED = 'deprecated in containerd 1.x; name a runtime in containerd.runtimes';
const CLASSES = 'classes of RDT and block I/O are not supported: a pod that asks for one is refused';
const NO_IMAGE = 'pods need no pause image';
const figures = needless('figures are taken when they are asked for');
const ONE_NETWORK = "a pod joins one network, the first file's; a second interface is made by a plugin of that network";
const OVERLAY =
  'file systems of containers are put together by overlayfs alone; for a lazy-loading snapshotter see image.additional_layer_stores';
const CRI_TABLES = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime', 'io.containerd.cri.v1.images'];

/** Another key of the CRI's tables, wherever they stand. */
function cri(around: Around, ...path: string[]): TomlValue | undefined {
  for (const table of CRI_TABLES) {
    const value = around.get(['plugins', table, ...path]);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The server for exec, attach and port-forward. */
export const CRI_SERVER_KEYS: Rules = [
  ['disable_tcp_service', lost('the CRI is served on a unix socket alone', true)],
  ['stream_server_address', carriedUnlessEmpty('stream.address')],
  ['stream_server_port', carriedUnlessEmpty('stream.port', Number)],
  ['stream_idle_timeout', carriedUnlessEmpty('stream.idle_timeout', goDuration)],
  ['enable_tls_streaming', carried('stream.tls_cert', ownCertificate)],
  ['x509_key_pair_streaming/tls_cert_file', carriedUnlessEmpty('stream.tls_cert', ofTls)],
  ['x509_key_pair_streaming/tls_key_file', carriedUnlessEmpty('stream.tls_key', ofTls)],
];

export const CRI_RUNTIME_KEYS: Rules = [
  ['enable_selinux', carried('selinux')],
  ['selinux_category_range', lost('levels of pods are made of 1024 categories', 1024, 0)],
  [
    'max_container_log_line_size',
    lost('conmon splits long lines in the log by its own measure, which the kubelet and crictl put together', 16384),
  ],
  ['disable_apparmor', carried('apparmor_profile', (value) => onlyTrue(value, 'unconfined'))],
  ['restrict_oom_score_adj', needless('where the daemon may not lower the score, it leaves it')],
  ['disable_proc_mount', lost('ProcMount of the request is always obeyed', false)],
  [
    'unset_seccomp_profile',
    lost('containers for which nothing is asked are unconfined; the kubelet asks for a profile by seccompDefault', 'unconfined'),
  ],
  ['tolerate_missing_hugetlb_controller', carried('tolerate_missing_hugetlb')],
  ['disable_hugetlb_controller', needless('limits on huge pages are set where the kernel has the controller')],
  ['device_ownership_from_security_context', carried('device_ownership_from_security_context')],
  ['ignore_image_defined_volumes', carried('image_volumes', (value) => (value === true ? 'ignore' : 'bind'))],
  ['netns_mounts_under_state_dir', needless('namespaces are pinned below run_dir')],
  ['enable_unprivileged_ports', carried('default_sysctls', unprivileged)],
  ['enable_unprivileged_icmp', carried('default_sysctls', unprivileged)],
  ['enable_cdi', carried('cdi_spec_dirs', noCdi)],
  ['cdi_spec_dirs', carried('cdi_spec_dirs', cdiDirs)],
  ['drain_exec_sync_io_timeout', lost('an ExecSync ends with its process', '0s')],
  ['ignore_deprecation_warnings', needless('of keys of containerd')],
  ['stats_collect_period', figures],
  ['stats_retention_period', figures],
  ['enable_criu', carried('checkpoint.containers', criu)],
  ['enable_experimental_restore_via_create', needless('checkpoint.containers says whether checkpoints may be restored')],

  ['cni/bin_dir', carriedUnlessEmpty('cni.bin_dirs', (dir, around) => binDirs(dir, around))],
  ['cni/bin_dirs', carriedUnlessEmpty('cni.bin_dirs')],
  ['cni/conf_dir', carriedUnlessEmpty('cni.conf_dir')],
  ['cni/max_conf_num', lost(ONE_NETWORK, 1)],
  ['cni/setup_serially', lost(ONE_NETWORK, false)],
  ['cni/conf_template', lost('CNI configurations are not made from a template: have the network plugin write them')],
  ['cni/ip_pref', carried('cni.ip_preference', (family) => (family === '' ? 'ipv4' : family))],
  ['cni/use_internal_loopback', needless('the loopback is always set up without a plugin')],

  ['containerd/default_runtime_name', carriedUnlessEmpty('runtime.default')],
  ['containerd/ignore_blockio_not_enabled_errors', lost(CLASSES, false)],
  ['containerd/ignore_rdt_not_enabled_errors', lost(CLASSES, false)],
  ['containerd/runtimes/*/runtime_type', carried('runtime.handlers.*.path', programOfType)],
  ['containerd/runtimes/*/runtime_path', lost('there are no shims')],
  ['containerd/runtimes/*/pod_annotations', carriedUnlessEmpty('runtime.handlers.*.pod_annotations')],
  ['containerd/runtimes/*/container_annotations', carriedUnlessEmpty('runtime.handlers.*.container_annotations')],
  ['containerd/runtimes/*/privileged_without_host_devices', carried('runtime.handlers.*.privileged_without_host_devices')],
  [
    'containerd/runtimes/*/privileged_without_host_devices_all_devices_allowed',
    carried('runtime.handlers.*.privileged_without_host_devices_all_devices_allowed'),
  ],
  ['containerd/runtimes/*/cgroup_writable', carried('runtime.handlers.*.cgroup_writable')],
  ['containerd/runtimes/*/base_runtime_spec', carriedUnlessEmpty('runtime.handlers.*.base_runtime_spec')],
  ['containerd/runtimes/*/cni_conf_dir', carriedUnlessEmpty('runtime.handlers.*.cni_conf_dir')],
  ['containerd/runtimes/*/cni_max_conf_num', lost(ONE_NETWORK, 0, 1)],
  ['containerd/runtimes/*/snapshotter', lost(OVERLAY, 'overlayfs')],
  ['containerd/runtimes/*/sandboxer', lost('pods are made by the daemon', 'podsandbox')],
  ['containerd/runtimes/*/disable_pause_image_pull', needless(NO_IMAGE)],
  ['containerd/runtimes/*/io_type', lost('logs are written by conmon', 'fifo')],
  ['containerd/runtimes/*/options/BinaryName', carriedUnlessEmpty('runtime.handlers.*.path')],
  ['containerd/runtimes/*/options/NoPivotRoot', carried('runtime.handlers.*.no_pivot')],
  ['containerd/runtimes/*/options/NoNewKeyring', carried('runtime.handlers.*.no_new_keyring')],
  ['containerd/runtimes/*/options/Root', needless('where a runtime keeps its state is apart for each daemon')],
  ['containerd/runtimes/*/options/ShimCgroup', lost("conmon is put into the pod's cgroup")],
  ['containerd/runtimes/*/options/IoUid', lost("a container's pipes are root's, or its user namespace's", 0)],
  ['containerd/runtimes/*/options/IoGid', lost("a container's pipes are root's, or its user namespace's", 0)],
  ['containerd/runtimes/*/options/SystemdCgroup', carried('cgroup_manager', cgroupManager)],
  ['containerd/runtimes/*/options/CriuPath', lost('CRIU is one for all handlers: checkpoint.criu')],
  ['containerd/runtimes/*/options/CriuImagePath', lost("checkpoints are where the kubelet wants them, CRIU's work is below run_dir")],
  ['containerd/runtimes/*/options/CriuWorkPath', lost("checkpoints are where the kubelet wants them, CRIU's work is below run_dir")],
  ['containerd/runtimes/*/options/TaskApiAddress', lost('there are no shims')],
  ['containerd/runtimes/*/options/TaskApiVersion', lost('there are no shims', 0)],
  ['containerd/runtimes/*/options/TypeUrl', needless('of the options of a shim')],
  ['containerd/runtimes/*/options/ConfigPath', lost('what a runtime takes as arguments can be given by options of the handler')],
];

export const CRI_IMAGE_KEYS: Rules = [
  ['snapshotter', lost(OVERLAY, 'overlayfs')],
  ['disable_snapshot_annotations', needless('of snapshotters')],
  ['discard_unpacked_layers', carried('image.discard_blobs')],
  ['pinned_images/sandbox', needless(NO_IMAGE)],
  ['pinned_images/*', carriedUnlessEmpty('image.pinned', pinned)],
  ['runtime_platforms/*/**', lost('the platform of images is one for the node, image.platform, and all handlers use overlayfs')],
  ['image_decryption/key_model', lost('encrypted layers are refused', 'node')],
  ['max_concurrent_downloads', carried('image.max_parallel_downloads', ownDownloads)],
  ['concurrent_layer_fetch_buffer', lost('ranges of large layers: image.download_range_mib', 0)],
  ['image_pull_progress_timeout', carriedUnlessEmpty('image.pull_progress_timeout', progressTimeout)],
  ['image_pull_with_sync_fs', needless('an image is flushed before it is there')],
  ['stats_collect_period', figures],
  ['use_local_image_pull', needless('one way to pull')],
  [
    'registry/config_path',
    carriedUnlessEmpty('registry_config_path', (paths) =>
      textOf(paths)
        .split(':')
        .filter((path) => path !== ''),
    ),
  ],
];

/** Of version 2, and not of later ones. */
export const CRI_LEGACY_KEYS: Rules = [
  ['sandbox_image', needless(NO_IMAGE)],
  ['systemd_cgroup', carried('cgroup_manager', (value) => onlyTrue(value, 'systemd'))],
  ['disable_cgroup', lost('containers always have cgroups', false)],
  ['containerd/snapshotter', lost(OVERLAY, 'overlayfs')],
  ['containerd/disable_snapshot_annotations', needless('of snapshotters')],
  ['containerd/discard_unpacked_layers', carried('image.discard_blobs')],
  ['containerd/no_pivot', lost('set no_pivot of each handler that is to have it', false)],
  ['containerd/runtimes/*/runtime_engine', carriedUnlessEmpty('runtime.handlers.*.path')],
  ['containerd/runtimes/*/runtime_root', needless('where a runtime keeps its state is apart for each daemon')],
  ['containerd/runtimes/*/sandbox_mode', lost('pods are made by the daemon', 'podsandbox')],
  ['containerd/default_runtime/**', lost(DEPRECATED, false, 0)],
  ['containerd/untrusted_workload_runtime/**', lost(DEPRECATED, false, 0)],
];

function ofTls(value: TomlValue, around: Around): TomlValue {
  if (cri(around, 'enable_tls_streaming') !== true) throw new Needless('enable_tls_streaming is off');
  return value;
}

function ownCertificate(value: TomlValue, around: Around): TomlValue {
  if (value !== true || !isEmpty(cri(around, 'x509_key_pair_streaming', 'tls_cert_file')))
    throw new Needless('said by stream.tls_cert and stream.tls_key');
  throw new Lost('containerd makes itself a certificate; give one by stream.tls_cert and stream.tls_key');
}

function onlyTrue(value: TomlValue, ours: TomlValue): TomlValue {
  if (value !== true) throw new Needless('as it is here anyway');
  return ours;
}

/** Both keys make one table of ours. */
function unprivileged(_value: TomlValue, around: Around): TomlValue {
  return {
    ...(cri(around, 'enable_unprivileged_icmp') === false ? {} : { 'net.ipv4.ping_group_range': '0 2147483647' }),
    ...(cri(around, 'enable_unprivileged_ports') === false ? {} : { 'net.ipv4.ip_unprivileged_port_start': '0' }),
  };
}

function noCdi(value: TomlValue): TomlValue {
  if (value === false) return [];
  throw new Needless('said by cdi_spec_dirs');
}

function cdiDirs(value: TomlValue, around: Around): TomlValue {
  if (cri(around, 'enable_cdi') === false) throw new Needless('enable_cdi is off');
  return value;
}

function criu(value: TomlValue): TomlValue {
  if (value === false) return 'none';
  throw new Needless('as it is here anyway');
}

function binDirs(dir: TomlValue, around: Around): TomlValue {
  if (!isEmpty(cri(around, 'cni', 'bin_dirs'))) throw new Needless('bin_dirs counts');
  return [dir];
}

/** The OCI runtime behind a shim, where the shim's options do not name it. */
function programOfType(type: TomlValue, around: Around): TomlValue {
  const runtime = (key: string, ...more: string[]): TomlValue | undefined =>
    cri(around, 'containerd', 'runtimes', around.names[0] ?? '', key, ...more);
  if (!isEmpty(runtime('options', 'BinaryName')) || !isEmpty(runtime('runtime_engine')))
    throw new Needless('said by the path of the program');
  return textOf(type).startsWith('io.containerd.runsc.') ? 'runsc' : 'runc';
}

/** One manager for the node: that of the default runtime. */
function cgroupManager(value: TomlValue, around: Around): TomlValue {
  const name = textOf(cri(around, 'containerd', 'default_runtime_name') ?? 'runc');
  if (cri(around, 'systemd_cgroup') === true) throw new Needless('systemd_cgroup counts');
  const chosen = cri(around, 'containerd', 'runtimes', name, 'options', 'SystemdCgroup') === true;
  if (around.names[0] !== name && chosen !== value) throw new Lost(`cgroups are managed in one way for all handlers, here as for ${name}`);
  return chosen ? 'systemd' : 'cgroupfs';
}

function pinned(_value: TomlValue, around: Around): TomlValue {
  const all = CRI_TABLES.flatMap((table) => around.tree.below(['plugins', table, 'pinned_images']));
  return all.filter(({ path, value }) => path.at(-1) !== 'sandbox' && !isEmpty(value)).map(({ value }) => value);
}

/** In 2.x the transfer service pulls, unless a key says that the CRI's own client does. */
function ownDownloads(value: TomlValue, around: Around): TomlValue {
  const version = around.get(['version']);
  if (version !== 2 && cri(around, 'use_local_image_pull') !== true)
    throw new Needless('max_concurrent_downloads of io.containerd.transfer.v1.local counts');
  return value;
}

function progressTimeout(value: TomlValue): TomlValue {
  const ours = goDuration(value);
  if (ours === '0s') throw new Needless('0: without a limit; here it is 5 minutes without a byte');
  return ours;
}
