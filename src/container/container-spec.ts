import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { readFileInRoot } from '../linux/files.ts';
import { readMounts } from '../linux/mounts.ts';
import { buildSpec } from '../ocispec/build.ts';
import { listHostDevices, resolveDevices } from '../ocispec/devices.ts';
import type { ContainerSpecInput, PodFiles, ResolvedMount } from '../ocispec/input.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { seccompChoice } from '../ocispec/seccomp.ts';
import { parseSeccompProfile, type SeccompProfile } from '../ocispec/seccomp-profile.ts';
import { resolveUser } from '../ocispec/user.ts';
import type { CreateRequest } from './create-request.ts';
import type { ContainerParts } from './parts.ts';

/** kubernetes pkg/kubelet/kuberuntime, labels.go. */
const GRACE_PERIOD = 'io.kubernetes.pod.terminationGracePeriod';

/** Most a seccomp profile may have, bytes. */
const SECCOMP_LIMIT_BYTES = 4 * 1024 * 1024;

/** Gathers all that the spec of a container depends on. @throws InvalidArgument for what the request may not ask. */
export async function prepareSpec(
  parts: ContainerParts,
  request: CreateRequest,
  { rootfsPath, mounts, pidNamespace, log }: { rootfsPath: string; mounts: ResolvedMount[]; pidNamespace: string; log: Log },
): Promise<ContainerSpecInput> {
  const { record, sandbox, image, sandboxConfig } = request;
  const { config } = record;
  const context = config.linux?.securityContext;
  const privileged = context?.privileged === true;
  if (privileged && sandbox.record.config.linux?.securityContext?.privileged !== true) {
    fail('InvalidArgument', `create container: it is privileged, but its pod sandbox ${sandbox.record.id} is not; the sandbox must be too`);
  }
  const needsHostMounts = config.mounts.some((mount) => mount.propagation !== 0);
  const [user, devices, hostDevices, hostMounts, localhostSeccomp] = await Promise.all([
    resolveUser(rootfsPath, context, image.config.config ?? {}),
    resolveDevices(config.devices),
    privileged ? listHostDevices() : [],
    needsHostMounts ? readMounts() : [],
    readLocalhostSeccomp(request),
  ]);
  return {
    kind: 'container',
    sandboxId: sandbox.record.id,
    config,
    sandboxConfig,
    hostname: sandbox.record.hostname,
    imageConfig: image.config.config ?? {},
    rootfsPath,
    user,
    namespaces: { ...parts.sandboxes.pathsOf(sandbox.record.id).namespacesOf(sandbox.record), pid: pidNamespace },
    cgroupsPath: record.cgroupsPath,
    podFiles: podFiles(parts, request),
    mounts,
    devices,
    hostDevices,
    hostMounts,
    localhostSeccomp,
    runtime: parts.runtimes.features(record.runtimeHandler),
    settings: parts.specSettings(),
    host: parts.hostFacts(),
    annotations: parts.placement.runtimeAnnotations('container', gracePeriodOf(config)),
    warn: (words) => {
      log.warn(`create container: ${words}`, { containerId: record.id });
    },
  };
}

/** Seconds, as the kubelet writes it on every container; undefined where nobody has. */
function gracePeriodOf({ annotations }: ContainerConfig): number | undefined {
  const text = annotations[GRACE_PERIOD];
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

export function containerSpec(input: ContainerSpecInput): OciSpec {
  return buildSpec(input);
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

async function readLocalhostSeccomp(request: CreateRequest): Promise<SeccompProfile | undefined> {
  const context = request.record.config.linux?.securityContext;
  const choice = seccompChoice(context);
  if (choice.use !== 'Localhost') return undefined;
  try {
    return parseSeccompProfile((await readFileInRoot('/', choice.path, SECCOMP_LIMIT_BYTES)).toString());
  } catch (error) {
    throw new DaemonError('InvalidArgument', `create container: the seccomp profile ${choice.path} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
