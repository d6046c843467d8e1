import { DaemonError } from '../base/errors.ts';
import { specAnnotations } from './annotations.ts';
import { capabilitySets } from './capabilities.ts';
import { defaultMounts } from './default-mounts.ts';
import { containerDevices } from './device-rules.ts';
import type { ContainerSpecInput, SpecInput } from './input.ts';
import { infraSpec } from './infra.ts';
import { requestMounts, rootfsPropagation, sortByDepth, withoutReplaced } from './mounts.ts';
import { ociNamespaces } from './namespaces.ts';
import { OCI_VERSION } from './oci-types.ts';
import type { OciCapabilities, OciLinux, OciMount, OciProcess, OciSpec } from './oci-types.ts';
import { clampOomScoreAdj, processArgs, processEnv, processRlimits, workingDirectory } from './process.ts';
import { ociResources } from './resources.ts';
import { ociSeccomp, seccompChoice } from './seccomp.ts';
import { apparmorProfile, pathRestrictions } from './security.ts';
import { selinuxLabels } from './selinux.ts';
import type { SelinuxLabels } from './selinux.ts';

/**
 * The OCI runtime spec of a container or an infra container. Nothing outside of `input` is looked at.
 * @throws DaemonError InvalidArgument for a request that contradicts itself, FailedPrecondition for what this host, this
 * runtime or the daemon's own rights do not have.
 */
export function buildSpec(input: SpecInput): OciSpec {
  return input.kind === 'infra' ? infraSpec(input) : containerSpec(input);
}

/** What several parts of the spec depend on. */
interface Derived {
  readonly privileged: boolean;
  readonly cgroupNamespace: boolean;
  readonly capabilities: OciCapabilities;
  readonly selinux: SelinuxLabels | undefined;
  /** The request's own mounts. */
  readonly requested: readonly OciMount[];
}

function containerSpec(input: ContainerSpecInput): OciSpec {
  const { config, sandboxConfig, host, settings } = input;
  const security = config.linux?.securityContext;
  const privileged = security?.privileged === true;
  if (privileged && sandboxConfig.linux?.securityContext?.privileged !== true) {
    throw new DaemonError('InvalidArgument', 'build spec: the container is privileged and its pod sandbox is not, must be privileged too');
  }
  const options = security?.selinuxOptions ?? sandboxConfig.linux?.securityContext?.selinuxOptions;
  const derived: Derived = {
    privileged,
    // v1 has always shown the host's paths, and programs there rely on it; privileged ones manage the host's cgroups.
    cgroupNamespace: host.cgroupVersion === 'v2' && !privileged,
    capabilities: capabilitySets({
      request: security?.capabilities,
      privileged,
      defaults: settings.defaultCapabilities,
      available: host.capabilities,
    }),
    selinux: settings.selinux && host.selinux ? selinuxLabels({ options, privileged, podLevel: input.selinuxLevel }) : undefined,
    requested: requestMounts(input),
  };
  return {
    ociVersion: OCI_VERSION,
    root: { path: input.rootfsPath, readonly: security?.readonlyRootfs === true },
    process: containerProcess(input, derived),
    mounts: containerMounts(input, derived),
    annotations: specAnnotations({ kind: 'container', sandboxId: input.sandboxId, sandboxConfig, config, more: input.annotations }),
    linux: containerLinux(input, derived),
  };
}

function containerProcess(input: ContainerSpecInput, { capabilities, selinux }: Derived): OciProcess {
  const { config, imageConfig, host, settings, user } = input;
  const security = config.linux?.securityContext;
  const profile = apparmorProfile(security, host, settings.apparmorProfile);
  return {
    terminal: config.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: processArgs(config, imageConfig),
    env: processEnv({
      image: imageConfig,
      envs: config.envs,
      tty: config.tty,
      hostname: input.hostname ?? (input.sandboxConfig.hostname || host.hostname),
      home: user.home,
      warn: input.warn,
    }),
    cwd: workingDirectory(config, imageConfig),
    capabilities,
    rlimits: processRlimits(settings.defaultUlimits, host),
    noNewPrivileges: security?.noNewPrivs === true,
    oomScoreAdj: clampOomScoreAdj(Number(config.linux?.resources?.oomScoreAdj ?? 0n), host),
    ...(profile === undefined ? {} : { apparmorProfile: profile }),
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
    userNamespace: false,
    host: input.host,
  });
  return sortByDepth([...withoutReplaced(defaults, requested), ...requested]);
}

function containerLinux(input: ContainerSpecInput, { privileged, cgroupNamespace, capabilities, selinux, requested }: Derived): OciLinux {
  const { config, host, settings } = input;
  const security = config.linux?.securityContext;
  const { devices, rules } = containerDevices({
    devices: input.devices,
    hostDevices: input.hostDevices,
    privileged,
    replacesDev: requested.some(({ destination }) => destination === '/dev'),
  });
  const propagation = rootfsPropagation(input.mounts);
  const seccomp = ociSeccomp({
    choice: seccompChoice(security),
    localhostProfile: input.localhostSeccomp,
    runtimeDefault: settings.seccompDefaultProfile,
    capabilities: capabilities.bounding,
    host,
  });
  return {
    namespaces: ociNamespaces(input.namespaces, { cgroup: cgroupNamespace }),
    devices,
    cgroupsPath: input.cgroupsPath,
    resources: {
      devices: rules,
      ...ociResources(config.linux?.resources, host),
      ...(settings.pidsLimit > 0 ? { pids: { limit: settings.pidsLimit } } : {}),
    },
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...pathRestrictions(security),
    ...(selinux === undefined ? {} : { mountLabel: selinux.mount }),
  };
}
