import { Field, MpolFlag, MpolMode } from '../../api/nri/enums.ts';
import type { LinuxContainerAdjustment, LinuxMemoryPolicy, LinuxNamespace } from '../../api/nri/messages.ts';
import { messageOf } from '../base/errors.ts';
import { namespaceOfSysctl } from '../linux/namespaces.ts';
import type { AdjustmentContext } from './nri-context.ts';
import { nameIn } from './nri-process.ts';
import { entryKey, quoted, refuseNul, type Refuse } from './nri-refusal.ts';
import type { OciIntelRdt, OciLinux, OciMemoryPolicy, OciMount, OciNamespace, OciNamespaceType, OciSpec } from './oci-types.ts';

type Of<K extends keyof AdjustmentContext> = Pick<AdjustmentContext, K>;

const NAMESPACES: readonly OciNamespaceType[] = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'];

/** Namespaces are replaced where they stand; a new one comes last. Those that the pod and its record rely on stay. */
export function withNamespaces(
  spec: OciSpec,
  asked: readonly LinuxNamespace[],
  context: Of<'runtime' | 'host' | 'userMapping'>,
  refuse: Refuse,
): OciSpec {
  if (asked.length === 0) return spec;
  let namespaces: readonly OciNamespace[] = spec.linux.namespaces;
  for (const { type: marked, path } of asked) {
    const { key, isRemoved } = entryKey(marked);
    const part = { field: Field.Namespace, key };
    const type =
      NAMESPACES.find((each) => each === key) ??
      refuse(part, `linux.namespaces has the type ${quoted(key)}, must be one of ${NAMESPACES.join(', ')}`);
    if (path !== '' && !path.startsWith('/')) refuse(part, `linux.namespaces: the path of ${type} is ${quoted(path)}, must be absolute`);
    refuseNul([path], (words) => refuse(part, `linux.namespaces: the path of ${type} ${words}`));
    const before = namespaces.find((each) => each.type === type);
    const after: OciNamespace | undefined = isRemoved ? undefined : { type, ...(path === '' ? {} : { path }) };
    if ((before === undefined) === (after === undefined) && before?.path === after?.path) continue;
    const words = lacksFor(type, before, after, context);
    if (words !== undefined) refuse(part, `linux.namespaces: ${type} is to be ${inWords(after)}, ${words}`);
    if (after === undefined) namespaces = namespaces.filter((each) => each !== before);
    else if (before === undefined) namespaces = [...namespaces, after];
    else namespaces = namespaces.map((each) => (each === before ? after : each));
  }
  const mounts = spec.mounts.map((mount) => keepingCgroupOptions(mount, namespaces, context));
  return { ...spec, mounts, linux: { ...spec.linux, namespaces } };
}

function inWords(namespace: OciNamespace | undefined): string {
  if (namespace === undefined) return "the node's";
  return namespace.path === undefined ? 'a new one' : quoted(namespace.path);
}

/** Why a namespace cannot be another; undefined where it can. */
function lacksFor(
  type: OciNamespaceType,
  before: OciNamespace | undefined,
  after: OciNamespace | undefined,
  { runtime, userMapping }: Of<'runtime' | 'userMapping'>,
): string | undefined {
  if (type === 'user') return "must be its pod's: the owners of its files are made for that";
  if (type === 'mount') return 'must be a new one: its root file system is mounted there';
  if (type === 'pid' && before?.path !== undefined) return 'must be the one that it shares with its pod or with another container';
  if (type === 'time' && after !== undefined && !runtime.timeNamespace)
    return 'must be left out: the runtime handler does not say in its features that it has time namespaces';
  const isOwned = after !== undefined && after.path === undefined;
  if (userMapping !== undefined && type !== 'cgroup' && !isOwned)
    return "must be its pod's or a new one: the pod has a user namespace, which owns no other";
  return undefined;
}

/** Without a cgroup namespace of its own the mount would change options of the superblock that the host uses too (default-mounts.ts). */
function keepingCgroupOptions(mount: OciMount, namespaces: readonly OciNamespace[], { host }: Of<'host'>): OciMount {
  if (mount.type !== 'cgroup' || host.cgroupVersion === 'v1') return mount;
  if (namespaces.some(({ type, path }) => type === 'cgroup' && path === undefined)) return mount;
  const options = mount.options ?? [];
  return { ...mount, options: [...options, ...host.cgroup2Options.filter((option) => !options.includes(option))] };
}

/** In which namespace of the spec each kind of sysctl is. */
const SYSCTL_NAMESPACES = { net: 'network', ipc: 'ipc', uts: 'uts' } as const;

/** Sysctls of the container's namespaces, which others of its pod may share; never one of the node. */
export function withSysctls(linux: OciLinux, asked: Readonly<Record<string, string>>, refuse: Refuse): OciLinux {
  if (Object.keys(asked).length === 0) return linux;
  const sysctl = withEntries(linux.sysctl ?? {}, asked, (key) => {
    checkSysctl(key, linux, refuse);
  });
  const { sysctl: _before, ...rest } = linux;
  return Object.keys(sysctl).length === 0 ? rest : { ...rest, sysctl };
}

function checkSysctl(name: string, { namespaces }: OciLinux, refuse: Refuse): void {
  const part = { field: Field.Sysctl, key: name };
  const kind = kindOfSysctl(name, (words) => refuse(part, `linux.sysctl: ${words}`));
  if (kind === undefined) return refuse(part, `linux.sysctl has ${quoted(name)}, which is one of the whole node, must be of a namespace`);
  const type = SYSCTL_NAMESPACES[kind];
  if (namespaces.some((each) => each.type === type)) return;
  refuse(part, `linux.sysctl has ${quoted(name)}, must not: the container uses the node's ${type} namespace`);
}

function kindOfSysctl(name: string, refuse: (words: string) => never): ReturnType<typeof namespaceOfSysctl> {
  try {
    return namespaceOfSysctl(name);
  } catch (error) {
    return refuse(messageOf(error));
  }
}

/** Of a map with removals: what is taken away first, so that an entry that is taken away and set is there. */
export function withEntries<T>(
  before: Readonly<Record<string, T>>,
  asked: Readonly<Record<string, T>>,
  check: (key: string, value: T) => void = () => undefined,
): Record<string, T> {
  const entries = new Map(Object.entries(before));
  for (const marked of Object.keys(asked)) {
    const { key, isRemoved } = entryKey(marked);
    if (isRemoved) entries.delete(key);
  }
  for (const [key, value] of Object.entries(asked)) {
    if (entryKey(key).isRemoved) continue;
    check(key, value);
    entries.set(key, value);
  }
  return Object.fromEntries(entries);
}

/** Interfaces of the node, moved into the container's network namespace. */
export function withNetDevices(
  linux: OciLinux,
  asked: LinuxContainerAdjustment['netDevices'],
  { runtime }: Of<'runtime'>,
  refuse: Refuse,
): OciLinux {
  if (Object.keys(asked).length === 0) return linux;
  const devices = withEntries(linux.netDevices ?? {}, asked, (key) => {
    const part = { field: Field.LinuxNetDevices, key };
    if (key === '') refuse(part, 'linux.net_devices has an empty name, must be that of an interface of the node');
    if (!runtime.netDevices)
      refuse(
        part,
        `linux.net_devices has ${quoted(key)}, must not: the runtime handler cannot move network devices (OCI runtime spec 1.3)`,
      );
    if (!linux.namespaces.some(({ type }) => type === 'network'))
      refuse(part, `linux.net_devices has ${quoted(key)}, must not: the container uses the node's network namespace`);
  });
  const netDevices = Object.fromEntries(Object.entries(devices).map(([host, { name }]) => [host, { name }]));
  const { netDevices: _before, ...rest } = linux;
  return Object.keys(netDevices).length === 0 ? rest : { ...rest, netDevices };
}

export function ociMemoryPolicy({ mode, nodes, flags }: LinuxMemoryPolicy, { runtime }: Of<'runtime'>, refuse: Refuse): OciMemoryPolicy {
  const part = { field: Field.MemoryPolicy };
  const name = (what: string, values: Readonly<Record<string, number>>, value: number): string => {
    const text = nameIn(values, value) ?? refuse(part, `linux.memory_policy.${what} has ${value}, which is no value of it`);
    const known =
      runtime.memoryPolicy ||
      refuse(part, 'linux.memory_policy is set, must not be: the runtime handler has no memory policies (OCI runtime spec 1.3)');
    if (!known.includes(text))
      refuse(part, `linux.memory_policy.${what} has ${text}, must not: the runtime handler knows only ${known.join(', ')}`);
    return text;
  };
  return {
    mode: name('mode', MpolMode, mode),
    nodes,
    ...(flags.length === 0 ? {} : { flags: flags.map((flag) => name('flags', MpolFlag, flag)) }),
  };
}

/**
 * Cache and memory bandwidth. A class is a group of that name in the resctrl file system: there are no definitions of
 * classes here, and containerd has the same.
 */
export function withRdt(
  linux: OciLinux,
  adjust: LinuxContainerAdjustment,
  context: Of<'runtime' | 'hostMounts'>,
  refuse: Refuse,
): OciLinux {
  const ofClass = adjust.resources?.rdtClass;
  const { rdt } = adjust;
  if (ofClass === undefined && rdt === undefined) return linux;
  const { intelRdt: before, ...rest } = linux;
  let intelRdt: OciIntelRdt | undefined = before;
  if (ofClass !== undefined) intelRdt = ofClass.value === '' ? undefined : { closID: ofClass.value };
  if (rdt?.remove === true) intelRdt = undefined;
  if (rdt?.closId !== undefined) intelRdt = { ...intelRdt, closID: rdt.closId.value };
  if (rdt?.schemata !== undefined) intelRdt = { ...intelRdt, schemata: rdt.schemata.value };
  if (rdt?.enableMonitoring !== undefined) intelRdt = { ...intelRdt, enableMonitoring: rdt.enableMonitoring.value };
  if (intelRdt === undefined) return rest;
  checkRdt(adjust, context, refuse);
  return { ...rest, intelRdt };
}

/** A runtime takes what it does not know, and does nothing. */
function checkRdt(
  { resources, rdt }: LinuxContainerAdjustment,
  { runtime, hostMounts }: Of<'runtime' | 'hostMounts'>,
  refuse: Refuse,
): void {
  const [field, name] =
    rdt?.closId !== undefined
      ? [Field.RdtClosID, 'linux.rdt.clos_id']
      : rdt?.schemata !== undefined
        ? [Field.RdtSchemata, 'linux.rdt.schemata']
        : resources?.rdtClass !== undefined
          ? [Field.RdtClass, 'linux.resources.rdt_class']
          : [Field.RdtEnableMonitoring, 'linux.rdt.enable_monitoring'];
  if (!hostMounts.some(({ type }) => type === 'resctrl'))
    refuse({ field }, `${name} is set, must not be: this node has no resctrl file system mounted`);
  if ((rdt?.schemata?.value.length ?? 0) > 0 && !runtime.rdtSchemata)
    refuse(
      { field: Field.RdtSchemata },
      'linux.rdt.schemata is set, must not be: the runtime handler does not know it (OCI runtime spec 1.3)',
    );
  if (rdt?.enableMonitoring?.value === true && !runtime.rdtMonitoring)
    refuse(
      { field: Field.RdtEnableMonitoring },
      'linux.rdt.enable_monitoring is set, must not be: the runtime handler does not know it (OCI runtime spec 1.3)',
    );
}
