import type { TomlValue } from '../config/kinds.ts';
import { carried, carriedUnlessEmpty, isEmpty, lost, Lost, Needless, needless, textOf } from './rule.ts';
import type { Around, Rules } from './rule.ts';

const OWN_FILES = "CRI-O's own files";
const TUNING = 'tuning of single pods by annotations of CRI-O is not supported: pods that ask for it do not get it';
const CLASSES = 'classes of RDT and block I/O are not supported: a pod that asks for one is refused';
const MAPPINGS = "user namespaces are the pod's own, by hostUsers of Kubernetes; mappings of the node for all are not supported";

/** CRI-O's levels by ours. */
const LEVELS: Readonly<Record<string, string>> = {
  fatal: 'error',
  panic: 'error',
  error: 'error',
  warning: 'warn',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
};

/** The tables `[crio.runtime]`, and below it. */
export const CRIO_RUNTIME_KEYS: Rules = [
  ['crio/runtime/no_pivot', carried('runtime.handlers.NAME.no_pivot', noPivot)],
  ['crio/runtime/selinux', carried('selinux')],
  ['crio/runtime/log_to_journald', lost('logs go to the files that the kubelet names', false)],
  ['crio/runtime/drop_infra_ctr', lost('pods have an infra container only where they share their PID namespace', true)],
  ['crio/runtime/read_only', lost('a read-only root file system is asked for by the container: readOnlyRootFilesystem', false)],
  [
    'crio/runtime/conmon_env',
    lost('conmon gets the environment that it needs, and no more', ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']),
  ],
  ['crio/runtime/hooks_dir', carried('hooks_dir')],
  ['crio/runtime/default_capabilities', carried('default_capabilities')],
  ['crio/runtime/add_inheritable_capabilities', lost('inheritable capabilities are none, as in all runtimes since CVE-2022-24769', false)],
  ['crio/runtime/default_env', carriedUnlessEmpty('default_env')],
  ['crio/runtime/min_injected_gomaxprocs', lost('GOMAXPROCS is not set; default_env can set one value for all', 0)],
  ['crio/runtime/default_sysctls', carried('default_sysctls', sysctlTable)],
  ['crio/runtime/default_ulimits', carriedUnlessEmpty('default_ulimits')],
  ['crio/runtime/allowed_devices', carried('allowed_devices')],
  ['crio/runtime/additional_devices', carriedUnlessEmpty('additional_devices')],
  ['crio/runtime/cdi_spec_dirs', carried('cdi_spec_dirs')],
  ['crio/runtime/device_ownership_from_security_context', carried('device_ownership_from_security_context')],
  ['crio/runtime/default_runtime', carried('runtime.default')],
  ['crio/runtime/decryption_keys_path', lost('encrypted layers are refused', '/etc/crio/keys/', '/etc/crio/keys')],
  [
    'crio/runtime/additional_artifact_stores',
    lost('artifacts come from registries; additional stores of images are image.additional_stores'),
  ],
  ['crio/runtime/conmon', carriedUnlessEmpty('conmon')],
  ['crio/runtime/conmon_cgroup', lost("conmon is put into the pod's cgroup", 'pod', 'system.slice')],
  ['crio/runtime/seccomp_profile', carriedUnlessEmpty('seccomp_profile')],
  ['crio/runtime/privileged_seccomp_profile', lost('privileged containers have no seccomp profile')],
  ['crio/runtime/apparmor_profile', carriedUnlessEmpty('apparmor_profile', apparmorProfile)],
  ['crio/runtime/blockio_config_file', lost(CLASSES)],
  ['crio/runtime/blockio_reload', lost(CLASSES, false)],
  ['crio/runtime/irqbalance_config_file', lost(TUNING, '/etc/sysconfig/irqbalance')],
  ['crio/runtime/irqbalance_config_restore_file', lost(TUNING, '/etc/sysconfig/orig_irq_banned_cpus', 'disable')],
  ['crio/runtime/rdt_config_file', lost(CLASSES)],
  ['crio/runtime/cgroup_manager', carried('cgroup_manager')],
  ['crio/runtime/default_mounts_file', carriedUnlessEmpty('default_mounts_file')],
  ['crio/runtime/container_exits_dir', needless(OWN_FILES)],
  ['crio/runtime/container_attach_socket_dir', needless(OWN_FILES)],
  ['crio/runtime/bind_mount_prefix', lost('sources of mounts are where the request says')],
  ['crio/runtime/uid_mappings', lost(MAPPINGS)],
  ['crio/runtime/gid_mappings', lost(MAPPINGS)],
  ['crio/runtime/minimum_mappable_uid', lost(MAPPINGS, -1)],
  ['crio/runtime/minimum_mappable_gid', lost(MAPPINGS, -1)],
  ['crio/runtime/log_level', carried('log.level', (level) => LEVELS[textOf(level)] ?? level)],
  ['crio/runtime/log_filter', lost('the log is not filtered by an expression')],
  ['crio/runtime/namespaces_dir', needless(OWN_FILES)],
  ['crio/runtime/pinns_path', needless('namespaces are pinned by the daemon itself')],
  ['crio/runtime/enable_criu_support', carried('checkpoint.containers', criuSupport)],
  ['crio/runtime/pids_limit', carried('pids_limit', (limit) => (typeof limit === 'number' && limit <= 0 ? -1 : limit))],
  ['crio/runtime/log_size_max', carried('log_size_max', (size) => (typeof size === 'number' && size < 0 ? -1 : size))],
  ['crio/runtime/ctr_stop_timeout', lost('how long a stop may take is what the kubelet says', 30)],
  ['crio/runtime/separate_pull_cgroup', lost('pulls run in the cgroup of the daemon')],
  ['crio/runtime/infra_ctr_cpuset', lost('infra containers are where the pod is')],
  ['crio/runtime/shared_cpuset', lost(TUNING)],
  ['crio/runtime/absent_mount_sources_to_reject', carriedUnlessEmpty('absent_mount_sources_to_reject')],
  ['crio/runtime/enable_pod_events', needless('events are always served')],
  ['crio/runtime/hostnetwork_disable_selinux', carried('hostnetwork_disable_selinux')],
  ['crio/runtime/disable_hostport_mapping', lost('host ports are made by the CNI plugin portmap: leave it out of the network', false)],
  ['crio/runtime/timezone', carriedUnlessEmpty('timezone', (zone) => (textOf(zone).toLowerCase() === 'local' ? 'local' : zone))],

  ['crio/runtime/runtimes/*/runtime_path', carriedUnlessEmpty('runtime.handlers.*.path')],
  ['crio/runtime/runtimes/*/runtime_type', needless('an OCI runtime under conmon')],
  ['crio/runtime/runtimes/*/runtime_root', needless('where a runtime keeps its state is apart for each daemon')],
  ['crio/runtime/runtimes/*/runtime_config_path', lost('what such a runtime takes as arguments can be given by options of the handler')],
  ['crio/runtime/runtimes/*/privileged_without_host_devices', carried('runtime.handlers.*.privileged_without_host_devices')],
  ['crio/runtime/runtimes/*/allowed_annotations', carriedUnlessEmpty('runtime.handlers.*.allowed_annotations')],
  ['crio/runtime/runtimes/*/monitor_path', carriedUnlessEmpty('conmon', monitorPath)],
  ['crio/runtime/runtimes/*/monitor_cgroup', lost("conmon is put into the pod's cgroup", 'pod', 'system.slice')],
  [
    'crio/runtime/runtimes/*/monitor_env',
    lost('conmon gets the environment that it needs, and no more', ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']),
  ],
  [
    'crio/runtime/runtimes/*/monitor_exec_cgroup',
    lost('processes of exec are in the cgroup of their container; their monitor is the daemon', 'container'),
  ],
  ['crio/runtime/runtimes/*/platform_runtime_paths/*', lost('one runtime a handler: make a handler of another name')],
  ['crio/runtime/runtimes/*/runtime_pull_image', lost('images are pulled by the daemon', false)],
  [
    'crio/runtime/runtimes/*/container_min_memory',
    lost('a memory limit that is too small fails when the runtime starts the container', '12MiB', '12582912', '500KiB'),
  ],
  ['crio/runtime/runtimes/*/no_sync_log', lost('logs are flushed as conmon does it', false)],
  ['crio/runtime/runtimes/*/inherit_default_runtime', needless('the keys of the default runtime are taken')],
  ['crio/runtime/runtimes/*/default_annotations/*', lost('pods have the annotations that they were made with')],
  ['crio/runtime/runtimes/*/stream_websockets', needless('WebSockets are always served')],
  ['crio/runtime/runtimes/*/exec_cpu_affinity', lost(TUNING)],
  ['crio/runtime/runtimes/*/seccomp_profile', carriedUnlessEmpty('runtime.handlers.*.seccomp_profile')],
  ['crio/runtime/runtimes/*/container_create_timeout', carried('runtime.handlers.*.create_timeout', (seconds) => `${textOf(seconds)}s`)],

  ['crio/runtime/workloads/*/activation_annotation', lost(TUNING)],
  ['crio/runtime/workloads/*/annotation_prefix', lost(TUNING)],
  ['crio/runtime/workloads/*/allowed_annotations', lost(`${TUNING}; allowed_annotations of a handler can be used`)],
  ['crio/runtime/workloads/*/resources/*', lost(TUNING)],
];

/** One switch of CRI-O's for all runtimes, of which we have one a handler. */
function noPivot(value: TomlValue): TomlValue {
  if (value !== true) throw new Needless('as it is here anyway');
  throw new Lost('set no_pivot of each handler that is to have it');
}

/** "name=value" of each, as a table. */
function sysctlTable(list: TomlValue): TomlValue {
  if (!Array.isArray(list)) throw new Lost(`${JSON.stringify(list)} is no list`);
  return Object.fromEntries(
    list.map((each: TomlValue) => {
      const [, name = '', setting = ''] = /^([^=]+)=(.*)$/s.exec(textOf(each)) ?? [];
      if (name === '') throw new Lost(`${JSON.stringify(each)} is no "name=value"`);
      return [name.trim(), setting.trim()];
    }),
  );
}

function apparmorProfile(profile: TomlValue): TomlValue {
  if (profile === 'crio-default') throw new Needless('the built-in profile, as here');
  return profile;
}

function criuSupport(value: TomlValue): TomlValue {
  if (value === false) return 'none';
  throw new Needless('as it is here anyway');
}

/** The monitor is one for the whole node: that of the default runtime. */
function monitorPath(value: TomlValue, around: Around): TomlValue {
  const name = textOf(around.get(['crio', 'runtime', 'default_runtime']) ?? 'crun');
  const chosen = around.get(['crio', 'runtime', 'runtimes', name, 'monitor_path']);
  if (around.names[0] === name || chosen === value || isEmpty(chosen)) return value;
  throw new Lost(`the monitor is one for all handlers, here that of ${name}`);
}
