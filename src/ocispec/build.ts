import { specAnnotations } from './annotations.ts';
import { withCdiEdits } from './cdi-edits.ts';
import { withBaseSpec } from './base-spec.ts';
import { defaultMounts } from './default-mounts.ts';
import { containerDevices } from './device-rules.ts';
import type { ContainerSpecInput, HandlerSettings, SpecInput } from './input.ts';
import { appendHooks } from './hooks.ts';
import { inUserNamespace } from './in-user-namespace.ts';
import { infraSpec } from './infra.ts';
import { requestMounts, rootfsPropagation, sortByDepth, volumesBeside, withoutReplaced } from './mounts.ts';
import { ociNamespaces } from './namespaces.ts';
import { OCI_VERSION } from './oci-types.ts';
import type { OciLinux, OciMount, OciProcess, OciSpec } from './oci-types.ts';
import { clampOomScoreAdj, processEnv, processRlimits } from './process.ts';
import { ociSeccomp } from './seccomp.ts';
import type { SelinuxLabels } from './selinux.ts';

/**
 * The OCI runtime spec of a container or an infra container. Nothing outside of `input` is looked at. What the request may not
 * ask was refused before (plan.ts).
 * @throws DaemonError FailedPrecondition for a mount whose source does not have the propagation asked for.
 */
export function buildSpec(input: SpecInput): OciSpec {
  return input.kind === 'infra' ? infraSpec(input) : containerSpec(input);
}

/** What several parts of the spec depend on. */
interface Derived {
  readonly privileged: boolean;
  readonly cgroupNamespace: boolean;
  readonly selinux: SelinuxLabels | undefined;
  /** The request's own mounts. */
  readonly requested: readonly OciMount[];
}

function containerSpec(input: ContainerSpecInput): OciSpec {
  const { config, sandboxConfig, host, settings } = input;
  const security = config.linux?.securityContext;
  const privileged = security?.privileged === true;
  const derived: Derived = {
    privileged,
    // v1 has always shown the host's paths, and programs there rely on it; privileged ones manage the host's cgroups.
    cgroupNamespace: host.cgroupVersion === 'v2' && !privileged,
    selinux: input.selinux,
    requested: requestMounts(input.mounts, input.hostMounts),
  };
  const laid = withBaseSpec(settings.handler.baseSpec, {
    ociVersion: OCI_VERSION,
    root: { path: input.rootfsPath, readonly: security?.readonlyRootfs === true },
    process: containerProcess(input, derived),
    mounts: containerMounts(input, derived),
    annotations: specAnnotations({
      kind: 'container',
      sandboxId: input.sandboxId,
      sandboxConfig,
      config,
      asked: input.plan.annotations,
      more: input.annotations,
    }),
    linux: containerLinux(input, derived),
  });
  const hooks = appendHooks(laid.hooks, input.hooks);
  const spec = hooks === undefined ? laid : { ...laid, hooks };
  return inUserNamespace(input.cdi === undefined ? spec : withCdiEdits(spec, input.cdi), input);
}

function containerProcess(input: ContainerSpecInput, { selinux }: Derived): OciProcess {
  const { config, plan, host, settings, user } = input;
  return {
    terminal: config.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids, ...(plan.umask === undefined ? {} : { umask: plan.umask }) },
    args: plan.args,
    env: processEnv({
      image: input.imageConfig,
      defaults: settings.defaultEnv,
      variables: plan.variables,
      tty: config.tty,
      hostname: input.hostname ?? (input.sandboxConfig.hostname || host.hostname),
      home: user.home,
      warn: input.warn,
    }),
    cwd: plan.workingDirectory,
    capabilities: plan.capabilities,
    rlimits: processRlimits(plan.ulimits, host),
    noNewPrivileges: config.linux?.securityContext?.noNewPrivs === true,
    oomScoreAdj: clampOomScoreAdj(Number(config.linux?.resources?.oomScoreAdj ?? 0n), host),
    ...(plan.apparmorProfile === undefined ? {} : { apparmorProfile: plan.apparmorProfile }),
    ...(selinux === undefined ? {} : { selinuxLabel: selinux.process }),
  };
}

function containerMounts(input: ContainerSpecInput, { privileged, cgroupNamespace, requested }: Derived): OciMount[] {
  const defaults = defaultMounts({
    namespaces: input.namespaces,
    podFiles: input.podFiles,
    privileged,
    readonlyRootfs: input.config.linux?.securityContext?.readonlyRootfs === true,
    cgroupNamespace,
    userMapping: input.userMapping,
    cgroupWritable: privileged || input.plan.cgroupWritable,
    host: input.host,
  });
  const others = [...withoutReplaced([...defaults, ...input.settings.defaultMounts], requested), ...requested];
  return sortByDepth([...volumesBeside(input.volumes ?? [], requested, others), ...others]);
}

function containerLinux(input: ContainerSpecInput, { privileged, cgroupNamespace, selinux, requested }: Derived): OciLinux {
  const { plan, host, settings } = input;
  const { devices, rules } = containerDevices({
    devices: input.devices,
    hostDevices: input.hostDevices,
    allowAll: privileged && allowsAllDevices(settings.handler),
    replacesDev: requested.some(({ destination }) => destination === '/dev'),
  });
  const propagation = rootfsPropagation(input.mounts);
  const seccomp = ociSeccomp({
    choice: plan.seccomp,
    localhostProfile: input.localhostSeccomp,
    runtimeDefault: settings.seccompDefaultProfile,
    capabilities: plan.capabilities.bounding,
    host,
  });
  return {
    namespaces: ociNamespaces(input.namespaces, { cgroup: cgroupNamespace }),
    devices,
    cgroupsPath: input.cgroupsPath,
    resources: {
      devices: rules,
      ...plan.resources,
      ...(settings.pidsLimit > 0 ? { pids: { limit: settings.pidsLimit } } : {}),
    },
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths: plan.maskedPaths,
    readonlyPaths: plan.readonlyPaths,
    ...(selinux === undefined ? {} : { mountLabel: selinux.mount }),
  };
}

function allowsAllDevices(handler: HandlerSettings): boolean {
  return !handler.privilegedWithoutHostDevices || handler.privilegedWithoutHostDevicesAllDevicesAllowed;
}
