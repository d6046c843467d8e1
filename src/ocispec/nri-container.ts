import { IOPrioClass, LinuxSchedulerFlag, LinuxSchedulerPolicy } from '../../api/nri/enums.ts';
import type { Container, Hook, Hooks, LinuxContainer, LinuxSeccomp } from '../../api/nri/messages.ts';
import { nriResourcesOf } from './nri-resources.ts';
import type { OciHook, OciHooks, OciIoPriority, OciLinux, OciProcess, OciScheduler, OciSeccomp, OciSpec } from './oci-types.ts';

/** What a spec says of a container in an NRI message. */
export type ContainerOfSpec = Pick<Container, 'annotations' | 'args' | 'env' | 'mounts' | 'hooks' | 'linux' | 'rlimits' | 'user'>;

/**
 * What a plugin sees of a container's spec. The rest of the message is not in a spec: ids, labels, state, CDI devices, the choice
 * of a seccomp profile.
 */
export function nriContainerOf(spec: OciSpec): ContainerOfSpec {
  const { process, mounts, annotations, hooks, linux } = spec;
  const { uid, gid, additionalGids } = process.user;
  return {
    annotations: { ...annotations },
    args: [...process.args],
    env: [...process.env],
    mounts: mounts.map(({ destination, type = '', source, options = [] }) => ({ destination, type, source, options: [...options] })),
    hooks: hooks && nriHooks(hooks),
    linux: nriLinux(linux, process),
    rlimits: process.rlimits.map(({ type, soft, hard }) => ({ type, soft: BigInt(soft), hard: BigInt(hard) })),
    user: { uid, gid, additionalGids: [...additionalGids] },
  };
}

function nriLinux(linux: OciLinux, process: OciProcess): LinuxContainer {
  const { namespaces, devices, resources, intelRdt, netDevices = {}, seccomp, sysctl = {}, cgroupsPath } = linux;
  const { ioPriority, scheduler, oomScoreAdj } = process;
  return {
    namespaces: namespaces.map(({ type, path = '' }) => ({ type, path })),
    devices: devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
      path,
      type,
      major: BigInt(major),
      minor: BigInt(minor),
      fileMode: boxed(fileMode),
      uid: boxed(uid),
      gid: boxed(gid),
    })),
    resources: nriResourcesOf(resources),
    oomScoreAdj: { value: BigInt(oomScoreAdj) },
    cgroupsPath,
    ioPriority: ioPriority && nriIoPriority(ioPriority),
    seccompProfile: undefined,
    seccompPolicy: seccomp && nriSeccomp(seccomp),
    sysctl: { ...sysctl },
    netDevices: Object.fromEntries(Object.entries(netDevices).map(([host, { name }]) => [host, { name }])),
    scheduler: scheduler && nriScheduler(scheduler),
    rdt: intelRdt && {
      closId: { value: intelRdt.closID ?? '' },
      schemata: { value: [...(intelRdt.schemata ?? [])] },
      enableMonitoring: { value: intelRdt.enableMonitoring ?? false },
      remove: false,
    },
  };
}

function boxed<T>(value: T | undefined): { value: T } | undefined {
  return value === undefined ? undefined : { value };
}

function nriHooks(hooks: OciHooks): Hooks {
  const stage = (list: readonly OciHook[] = []): Hook[] =>
    list.map(({ path, args = [], env = [], timeout }) => ({
      path,
      args: [...args],
      env: [...env],
      timeout: timeout === undefined ? undefined : { value: BigInt(timeout) },
    }));
  return {
    prestart: stage(hooks.prestart),
    createRuntime: stage(hooks.createRuntime),
    createContainer: stage(hooks.createContainer),
    startContainer: stage(hooks.startContainer),
    poststart: stage(hooks.poststart),
    poststop: stage(hooks.poststop),
  };
}

function nriIoPriority({ class: name, priority }: OciIoPriority): LinuxContainer['ioPriority'] {
  return { class: numberIn(IOPrioClass, name), priority };
}

function nriScheduler(scheduler: OciScheduler): LinuxContainer['scheduler'] {
  const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler;
  return {
    policy: numberIn(LinuxSchedulerPolicy, policy),
    nice,
    priority,
    flags: flags.map((flag) => numberIn(LinuxSchedulerFlag, flag)),
    runtime: BigInt(runtime),
    deadline: BigInt(deadline),
    period: BigInt(period),
  };
}

/** The value of a name; 0 of one that is not there, which only a base spec can have. */
function numberIn(values: Readonly<Record<string, number>>, name: string): number {
  return values[name] ?? 0;
}

function nriSeccomp(seccomp: OciSeccomp): LinuxSeccomp {
  const { defaultAction, defaultErrnoRet, architectures = [], flags = [], listenerPath = '', listenerMetadata = '', syscalls } = seccomp;
  return {
    defaultAction,
    defaultErrno: boxed(defaultErrnoRet),
    architectures: [...architectures],
    flags: [...flags],
    listenerPath,
    listenerMetadata,
    syscalls: syscalls.map(({ names, action, errnoRet, args = [] }) => ({
      names: [...names],
      action,
      errnoRet: boxed(errnoRet),
      args: args.map(({ index, value, valueTwo = 0, op }) => ({ index, value: BigInt(value), valueTwo: BigInt(valueTwo), op })),
    })),
  };
}
