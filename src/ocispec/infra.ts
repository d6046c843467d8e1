import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { IdMapping } from '../linux/user-namespace.ts';
import { apparmorProfile, type ApparmorFacts } from './apparmor.ts';
import { handedAnnotations, specAnnotations } from './annotations.ts';
import type { HostFacts } from './host-facts.ts';
import type { InfraPlan, InfraSpecInput, SpecSettings } from './input.ts';
import { ociNamespaces } from './namespaces.ts';
import { OCI_VERSION } from './oci-types.ts';
import type { OciSpec } from './oci-types.ts';
import { clampOomScoreAdj, processRlimits } from './process.ts';
import { infraSeccompChoice, ociSeccomp } from './seccomp.ts';
import { pathRestrictions } from './security.ts';

/** The kernel kills it last of all processes of the pod, since the whole pod goes with it. The kubelet has the same constant. */
const OOM_SCORE_ADJ = -998;
/** The least there is: the process only sleeps. */
const CPU_SHARES = 2;
/** Nobody in particular, as the user of the pause image that others pull. */
const DEFAULT_ID = 65_535;

function highest(mapping: IdMapping | undefined): number {
  return mapping === undefined ? DEFAULT_ID : Math.min(DEFAULT_ID, mapping.length - 1);
}

/**
 * The spec of an infra container: one process that sleeps as process 1 of the pod's PID namespace and takes in its
 * orphans. Its rootfs holds that program alone and is read-only; it has no capabilities and no mount that it may write.
 */
export function infraSpec(input: InfraSpecInput): OciSpec {
  const { host, settings, sandboxConfig, selinux } = input;
  const security = sandboxConfig.linux?.securityContext;
  const { userMapping } = input;
  const uid = Number(security?.runAsUser?.value ?? highest(userMapping?.uids));
  const gid = Number(security?.runAsGroup?.value ?? highest(userMapping?.gids));
  const { seccomp: choice, apparmorProfile: apparmor } = input.plan;
  const seccomp = ociSeccomp({ choice, localhostProfile: input.localhostSeccomp, runtimeDefault: undefined, capabilities: [], host });
  const groups = new Set([gid, ...(security?.supplementalGroups ?? []).map(Number)]);
  return {
    ociVersion: OCI_VERSION,
    root: { path: input.rootfsPath, readonly: true },
    process: {
      terminal: false,
      user: { uid, gid, additionalGids: [...groups].sort((one, other) => one - other) },
      args: ['/pause'],
      env: ['PATH=/'],
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      rlimits: processRlimits(settings.defaultUlimits, host),
      noNewPrivileges: true,
      oomScoreAdj: clampOomScoreAdj(OOM_SCORE_ADJ, host),
      ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
      ...(selinux === undefined ? {} : { selinuxLabel: selinux.process }),
    },
    mounts: [
      // Not read-only: the runtime applies the AppArmor profile by a file of it.
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'mode=755', 'size=64k', 'ro'] },
    ],
    annotations: specAnnotations({
      kind: 'sandbox',
      sandboxId: input.sandboxId,
      sandboxConfig,
      asked: input.plan.annotations,
      more: input.annotations,
    }),
    linux: {
      namespaces: ociNamespaces({ ...input.namespaces, pid: 'new' }, { cgroup: host.cgroupVersion === 'v2' }),
      devices: [],
      cgroupsPath: input.cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: CPU_SHARES } },
      ...(seccomp === undefined ? {} : { seccomp }),
      ...pathRestrictions(undefined),
      ...(selinux === undefined ? {} : { mountLabel: selinux.mount }),
    },
  };
}

/**
 * What a request decides of the infra container of its sandbox, whether the sandbox will have one or not.
 * @throws DaemonError InvalidArgument or FailedPrecondition for a profile that cannot be.
 */
export function planInfra(
  { linux, annotations }: PodSandboxConfig,
  settings: SpecSettings,
  host: HostFacts,
  apparmor: ApparmorFacts | undefined,
): InfraPlan {
  const security = linux?.securityContext;
  const asked = security === undefined ? undefined : { ...security, apparmorProfile: '' };
  return {
    seccomp: infraSeccompChoice(security, host),
    apparmorProfile: apparmorProfile(asked, apparmor),
    annotations: handedAnnotations(settings.handler, annotations),
  };
}
