import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { readMounts } from '../linux/mounts.ts';
import { listHostDevices, resolveDevices } from '../ocispec/devices.ts';
import type { ContainerSpecInput, PodFiles, ResolvedMount } from '../ocispec/input.ts';
import { withoutReplaced } from '../ocispec/mounts.ts';
import { readLocalhostSeccomp } from '../ocispec/seccomp-file.ts';
import { resolveUser } from '../ocispec/user.ts';
import type { CreateRequest } from './create-request.ts';
import { readMountsFile } from './mounts-file.ts';
import type { ContainerParts } from './parts.ts';
import { readStartOutside } from './read-outside.ts';

/** kubernetes pkg/kubelet/kuberuntime, labels.go. */
const GRACE_PERIOD = 'io.kubernetes.pod.terminationGracePeriod';

/**
 * Gathers what the spec of a container depends on beside its plan: what the disk and the mounted image say.
 * @throws InvalidArgument or NotFound where they do not have what the request names.
 */
export async function prepareSpec(
  parts: ContainerParts,
  request: CreateRequest,
  { rootfsPath, mounts, pidNamespace }: { rootfsPath: string; mounts: ResolvedMount[]; pidNamespace: string },
): Promise<ContainerSpecInput> {
  const { record, sandbox, image, sandboxConfig, specPlan } = request;
  const { config } = record;
  const settings = parts.specSettings(record.runtimeHandler);
  const getsHostDevices = config.linux?.securityContext?.privileged === true && !settings.handler.privilegedWithoutHostDevices;
  const needsHostMounts = config.mounts.some((mount) => mount.propagation !== 0);
  const warn = (words: string): void => {
    parts.log.warn(`create container: ${words}`, { containerId: record.id });
  };
  const [user, devices, hostDevices, hostMounts, localhostSeccomp, fromFile] = await Promise.all([
    parts.rootfs.areOurs(image.layers.map(({ chain }) => chain))
      ? resolveUser(rootfsPath, specPlan.user)
      : resolveUser(rootfsPath, specPlan.user, readStartOutside),
    resolveDevices(specPlan.devices),
    getsHostDevices ? listHostDevices() : [],
    needsHostMounts ? readMounts() : [],
    readLocalhostSeccomp(specPlan.seccomp, 'create container'),
    readMountsFile(parts.defaultMountsFile(), warn),
  ]);
  const userMapping = sandbox.record.namespaces.user;
  return {
    kind: 'container',
    sandboxId: sandbox.record.id,
    config,
    plan: specPlan,
    sandboxConfig,
    hostname: sandbox.record.hostname,
    imageConfig: image.config.config ?? {},
    rootfsPath,
    user,
    namespaces: { ...parts.sandboxes.pathsOf(sandbox.record.id).namespacesOf(sandbox.record), pid: pidNamespace },
    userMapping,
    selinux: request.selinux?.labels,
    cgroupsPath: record.cgroupsPath,
    podFiles: podFiles(parts, request),
    mounts,
    devices,
    hostDevices,
    cdi: request.cdi,
    hooks: request.hooks,
    hostMounts,
    localhostSeccomp,
    settings: { ...settings, defaultMounts: [...withoutReplaced(fromFile, settings.defaultMounts), ...settings.defaultMounts] },
    host: parts.hostFacts(),
    annotations: parts.placement.runtimeAnnotations('container', gracePeriodOf(config)),
    warn,
  };
}

/** Seconds, as the kubelet notes it on every container; undefined where nobody has noted it. */
function gracePeriodOf({ annotations }: ContainerConfig): number | undefined {
  const text = annotations[GRACE_PERIOD];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function podFiles(parts: ContainerParts, request: CreateRequest): PodFiles {
  const { record } = request.sandbox;
  const paths = parts.sandboxes.pathsOf(record.id);
  return {
    hosts: paths.hosts,
    resolvConf: paths.resolvConf,
    hostname: paths.hostname,
    shm: record.namespaces.ipc === 'node' ? '/dev/shm' : paths.shm,
  };
}
