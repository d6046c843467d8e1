import { posix } from 'node:path';
import { MountPropagation } from '../../api/cri/enums.ts';
import type { ImageSpec, Mount } from '../../api/cri/runtime.ts';
import { DaemonError, fail } from '../base/errors.ts';
import { isAtOrBelow, mountOf } from '../linux/mountinfo.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import { areThoseOf, checkIdMappings } from './id-mappings.ts';
import type { PlannedMount, ResolvedMount, RuntimeFacts } from './input.ts';
import type { OciIdMapping, OciLinux, OciMount } from './oci-types.ts';

/** What a request's mount_options may be (the CRI names noexec, nodev, nosuid), each with the option that it replaces. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = {
  noexec: 'exec',
  exec: 'noexec',
  nodev: 'dev',
  dev: 'nodev',
  nosuid: 'suid',
  suid: 'nosuid',
  noatime: 'atime',
  atime: 'noatime',
  nodiratime: 'diratime',
  diratime: 'nodiratime',
  relatime: 'norelatime',
  norelatime: 'relatime',
  nosymfollow: 'symfollow',
  symfollow: 'nosymfollow',
};

/**
 * A mount of a request, as far as the request and the runtime decide it.
 * @throws DaemonError InvalidArgument for a mount that contradicts itself, FailedPrecondition for one that this runtime cannot
 * do. The kubelet knows the first words `ImageVolumeMountFailed` and `RROUnsupported` (cri-api, pkg/errors).
 */
export function planMount(request: Mount, runtime: RuntimeFacts, pod?: UserMapping): PlannedMount {
  const destination = mountPoint(request);
  checkSourceAsked(request);
  checkReadOnly(request, runtime);
  const options = ['rbind', propagationOption(request), readOnlyOption(request), ...extraOptions(request)];
  return { request, mount: { destination, type: 'bind', options, ...idMappings(request, runtime, pod) } };
}

/**
 * The mounts of a request as bind mounts, a parent before what lies in it (in the request's order otherwise).
 * @throws DaemonError FailedPrecondition for a propagation that the source does not have on this host.
 */
export function requestMounts(mounts: readonly ResolvedMount[], hostMounts: readonly MountEntry[]): OciMount[] {
  const bound = mounts.map(({ request, mount, source }) => {
    checkSource(request, source);
    checkPropagation(request, source, hostMounts);
    return { ...mount, source };
  });
  return sortByDepth(bound);
}

/** Whether a mount is of an image (KEP-4639), and not of a host path. */
export function isImageVolume(mount: Mount): mount is Mount & { image: ImageSpec } {
  return mount.image !== undefined && mount.image.image !== '';
}

/** The default mounts, without those that a mount of the request covers. The pod's files are kept: they go on top. */
export function withoutReplaced(defaults: readonly OciMount[], requested: readonly OciMount[]): OciMount[] {
  return defaults.filter((mount) => {
    const isFile = mount.destination.startsWith('/etc/');
    return !requested.some(({ destination }) => (isFile ? mount.destination === destination : isAtOrBelow(mount.destination, destination)));
  });
}

/** The VOLUMEs of an image that nothing is mounted over: neither the request, at or above one, nor what every container gets. */
export function volumesBeside(volumes: readonly OciMount[], requested: readonly OciMount[], all: readonly OciMount[]): OciMount[] {
  return volumes.filter(
    (volume) =>
      !requested.some(({ destination }) => isAtOrBelow(volume.destination, destination)) &&
      !KERNEL_TREES.some((tree) => isAtOrBelow(volume.destination, tree)) &&
      !all.some(({ destination }) => destination === volume.destination),
  );
}

/** What an image has there is never seen. */
const KERNEL_TREES: readonly string[] = ['/proc', '/sys', '/dev'];

/** Parents first, and otherwise in the order given. */
export function sortByDepth(mounts: readonly OciMount[]): OciMount[] {
  return mounts.toSorted((one, other) => depth(one.destination) - depth(other.destination));
}

function depth(path: string): number {
  return path.split('/').length;
}

/** The propagation that the rootfs must have for what is asked: a mount cannot spread further than the rootfs it is in. */
export function rootfsPropagation(mounts: readonly ResolvedMount[]): OciLinux['rootfsPropagation'] {
  const asked = new Set(mounts.map(({ request }) => request.propagation));
  if (asked.has(MountPropagation.PROPAGATION_BIDIRECTIONAL)) return 'rshared';
  return asked.has(MountPropagation.PROPAGATION_HOST_TO_CONTAINER) ? 'rslave' : undefined;
}

/** A mount's place in the container, normalised. A relative one counts from the root. */
function mountPoint(request: Mount): string {
  const path = posix.resolve('/', request.containerPath);
  if (request.containerPath === '' || path === '/') {
    throw new DaemonError(
      'InvalidArgument',
      `build spec: mount at ${JSON.stringify(request.containerPath)}: container_path must be a path below the root`,
    );
  }
  checkNotInProc(request, path);
  return path;
}

/** The files of /proc that a mount may cover; programs such as LXCFS do. Those of runc, libcontainer/rootfs_linux.go. */
const PROC_FILES: readonly string[] = [
  ...['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'slabinfo', 'stat', 'swaps', 'uptime'].map((name) => `/proc/${name}`),
  '/proc/net/dev',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
];

function checkNotInProc({ hostPath }: Mount, path: string): void {
  if (!isProtectedInProc(path, hostPath)) return;
  throw new DaemonError(
    'InvalidArgument',
    `build spec: mount at "${path}": container_path is in /proc, must not be; only these may be covered: ${PROC_FILES.join(', ')}`,
  );
}

/** Whether a mount of that source would cover what the runtime relies on to confine the container: CVE-2019-16884. */
export function isProtectedInProc(path: string, source: string): boolean {
  if (!isAtOrBelow(path, '/proc') || PROC_FILES.includes(path)) return false;
  return path !== '/proc' || posix.resolve('/', source) !== '/proc';
}

function checkSourceAsked(request: Mount): void {
  const { containerPath, hostPath, imageSubPath } = request;
  if (!isImageVolume(request)) {
    if (hostPath.startsWith('/')) return;
    fail('InvalidArgument', `create container: the mount at ${containerPath} has host_path "${hostPath}", must be absolute`);
  }
  if (imageSubPath.startsWith('/') || imageSubPath.split('/').includes('..')) {
    fail(
      'InvalidArgument',
      `ImageVolumeMountFailed: create container: the mount at ${containerPath} has image_sub_path "${imageSubPath}", must be a path within the image without ..`,
    );
  }
}

/**
 * The last door. It repeats no check of the request, which names a host path or an image: it looks at what realpath and the
 * root file system answered. A runtime joins a source that is not absolute to its working directory, the container's own bundle.
 */
function checkSource(request: Mount, source: string): void {
  if (posix.isAbsolute(source)) return;
  throw new DaemonError('Internal', `build spec: mount at "${request.containerPath}": its source is "${source}", must be an absolute path`);
}

function checkReadOnly(request: Mount, runtime: RuntimeFacts): void {
  const { containerPath, image } = request;
  const what = `build spec: mount at "${containerPath}"`;
  if (image !== undefined && !request.readonly) {
    fail(
      'InvalidArgument',
      `ImageVolumeMountFailed: create container: the mount at ${containerPath} is of image ${image.image} and not readonly, must be readonly`,
    );
  }
  if (!request.recursiveReadOnly) return;
  if (!request.readonly)
    throw new DaemonError('InvalidArgument', `${what}: recursive_read_only is set without readonly, must come with it`);
  if (request.propagation !== MountPropagation.PROPAGATION_PRIVATE) {
    throw new DaemonError('InvalidArgument', `${what}: recursive_read_only is set with a propagation other than private, must be private`);
  }
  if (!runtime.recursiveReadOnlyMounts) {
    throw new DaemonError('FailedPrecondition', `RROUnsupported: ${what}: the runtime handler has no recursive read-only mounts`);
  }
}

function readOnlyOption(request: Mount): string {
  if (!request.readonly) return 'rw';
  return request.recursiveReadOnly ? 'rro' : 'ro';
}

const PROPAGATION_OPTIONS: ReadonlyMap<number, string> = new Map([
  [MountPropagation.PROPAGATION_PRIVATE, 'rprivate'],
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER, 'rslave'],
  [MountPropagation.PROPAGATION_BIDIRECTIONAL, 'rshared'],
]);

/** The value of MountPropagation as a mount option. */
function propagationOption({ propagation, containerPath }: Mount): string {
  return (
    PROPAGATION_OPTIONS.get(propagation) ??
    fail('InvalidArgument', `build spec: mount at "${containerPath}": propagation is ${propagation}, must be 0, 1 or 2`)
  );
}

/** What the mount of the source must be; otherwise nothing would spread: mount_namespaces(7). */
function checkPropagation(request: Mount, source: string, hostMounts: readonly MountEntry[]): void {
  const option = propagationOption(request);
  if (option === 'rprivate') return;
  const mount = mountOf(hostMounts, source);
  const isShared = mount?.propagation === 'shared';
  if (isShared || (option === 'rslave' && mount?.isSlave === true)) return;
  const must = option === 'rshared' ? 'shared' : 'shared or slave';
  throw new DaemonError(
    'FailedPrecondition',
    `build spec: mount at "${request.containerPath}": its source "${source}" is on the mount "${mount?.target ?? '?'}", which is ${mount?.propagation ?? 'unknown'}, must be ${must}`,
  );
}

/** The last of two options that contradict each other counts, as for mount(8). */
function extraOptions(request: Mount): string[] {
  const options = new Set<string>();
  for (const option of request.mountOptions) {
    const opposite = MOUNT_OPTIONS[option];
    if (opposite === undefined) {
      throw new DaemonError(
        'InvalidArgument',
        `build spec: mount at "${request.containerPath}": mount_options has ${JSON.stringify(option)}, must be of ${Object.keys(MOUNT_OPTIONS).join(', ')}`,
      );
    }
    options.delete(opposite);
    options.add(option);
  }
  return [...options];
}

/** An image is shown with the owners of the pod's user namespace in any case: the mount has no mappings of its own. */
function idMappings(request: Mount, runtime: RuntimeFacts, pod: UserMapping | undefined): Pick<OciMount, 'uidMappings' | 'gidMappings'> {
  const { containerPath, uidMappings, gidMappings } = request;
  if (uidMappings.length === 0 && gidMappings.length === 0) return {};
  const what = `create container: the mount at ${containerPath}`;
  checkIdMappings(`${what}: uid_mappings`, uidMappings);
  checkIdMappings(`${what}: gid_mappings`, gidMappings);
  if (uidMappings.length === 0 || gidMappings.length === 0)
    fail('InvalidArgument', `${what} has only one of uid_mappings and gid_mappings, must have both`);
  if (isImageVolume(request)) {
    if (areThoseOf(pod, request)) return {};
    fail('InvalidArgument', `ImageVolumeMountFailed: ${what} is of an image and has id mappings other than its pod's, must have those`);
  }
  if (!runtime.idmapMounts) {
    throw new DaemonError(
      'FailedPrecondition',
      `build spec: mount at "${request.containerPath}": the runtime handler has no id-mapped mounts`,
    );
  }
  return { uidMappings: uidMappings.map(toOciIdMapping), gidMappings: gidMappings.map(toOciIdMapping) };
}

export function toOciIdMapping(mapping: Mount['uidMappings'][number]): OciIdMapping {
  return { containerID: mapping.containerId, hostID: mapping.hostId, size: mapping.length };
}
