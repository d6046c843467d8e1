import { isAbsolute, join } from 'node:path';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { ImageId } from '../base/ids.ts';
import type { ImageRecord } from '../image/store.ts';
import { readFileInRoot } from '../linux/files.ts';
import { run } from '../linux/spawn.ts';
import type { OciRuntime } from '../ociruntime/oci-runtime.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { CheckpointOrigin } from './container.ts';
import { isImageVolumeBind } from './image-volumes.ts';
import type { ContainerParts } from './parts.ts';
import type { PidNamespace } from './pid-namespace.ts';

/** A checkpoint that a container is to be made from, as far as a request must be checked against it. */
export interface CheckpointSource {
  readonly origin: CheckpointOrigin;
  /** The image that the container was made from. */
  readonly image: ImageRecord;
  /** The name that it had then, as the checkpoint says. */
  readonly imageName: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** Where something was mounted. VOLUMEs of the image are not among them: the new container has them of the image as well. */
  readonly destinations: readonly string[];
}

/** With these an image says that it is a checkpoint: CRI-O's, and the one that both peers know. */
const ANNOTATIONS = ['io.kubernetes.cri-o.annotations.checkpoint.name', 'org.criu.checkpoint.container.name'];
/** Most bytes of one of a checkpoint's documents, and most milliseconds that reading it may take. */
export const DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024;
const READ_TIMEOUT_MS = 120_000;

/** Mounts that every container gets from its pod, its runtime, or from us. */
const OF_EVERY_CONTAINER = new Set([
  '/proc', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys', '/sys/fs/cgroup', '/etc/resolv.conf', '/etc/hostname', '/etc/hosts',
  '/etc/passwd', '/etc/group', '/run/secrets', '/run/.containerenv',
]); // prettier-ignore

/** Where the checkpoint is that a request's image is: an archive on the node by its path, or an image that says so. Undefined for any other. */
export async function originOf(parts: ContainerParts, asked: string): Promise<CheckpointOrigin | undefined> {
  if (isAbsolute(asked)) return { archive: asked };
  const image = parts.images.resolve(asked);
  return image === undefined || !(await isCheckpoint(parts, image)) ? undefined : { imageId: image.id };
}

/** @throws Unimplemented where restoring is switched off, FailedPrecondition where CRIU, or the handler's runtime, cannot, or labels are wanted. */
export async function requireRestore(
  { checkpoints: { level, criu }, runtimes, selinux }: ContainerParts,
  what: string,
  runtime: OciRuntime,
): Promise<void> {
  if (level !== 'checkpoint_restore') fail('Unimplemented', `${what}: checkpoint.containers is "${level}" in the configuration`);
  if (selinux !== undefined)
    fail('FailedPrecondition', `${what}: containers have SELinux labels here, and restoring with a label is not supported`);
  const lacks = runtimes.lacksForCheckpoints(runtime.name);
  if (lacks !== undefined) fail('FailedPrecondition', `${what}: ${lacks}`);
  await criu.mustWork(what, criu.environment(runtime.environment));
}

/**
 * Reads what a request must be checked against.
 * @throws as requireRestore(), InvalidArgument for what is no checkpoint, NotFound where the image that the container was made from
 * is not here.
 */
export async function readCheckpoint(
  parts: ContainerParts,
  origin: CheckpointOrigin,
  { name: asked, runtime }: { readonly name: string; readonly runtime: OciRuntime },
): Promise<CheckpointSource> {
  const what = `create container from checkpoint ${origin.directory ?? asked}`;
  await requireRestore(parts, what, runtime);
  const read = async (name: string): Promise<Field> => {
    try {
      return Field.parse((await readDocument(parts, origin, name)).toString('utf8'), name);
    } catch (error) {
      throw new DaemonError('InvalidArgument', `${what}: ${name} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  };
  const inArchive = new CheckpointFiles('');
  const [config, spec] = [await read(inArchive.config), await read(inArchive.spec)];
  const reference = config.at('rootfsImageRef').given?.text() ?? '';
  const name = config.at('rootfsImageName').given?.text() ?? '';
  const base = (/^[0-9a-f]{64}$/.test(reference) ? parts.images.resolve(`sha256:${reference}`) : undefined) ?? parts.images.resolve(name);
  if (base === undefined) fail('NotFound', `${what}: its container was made from image ${name || reference}, which is not present, must be pulled or loaded first`); // prettier-ignore
  const texts = (field: Field): readonly string[] => field.given?.texts() ?? [];
  const rootfs = spec.at('root').at('path').given?.text() ?? '';
  return {
    origin,
    image: base,
    imageName: name,
    maskedPaths: texts(spec.at('linux').at('maskedPaths')),
    readonlyPaths: texts(spec.at('linux').at('readonlyPaths')),
    destinations: spec
      .at('mounts')
      .list(readMount)
      .filter((mount) => !isImageVolumeBind(rootfs, mount))
      .map(({ destination }) => destination),
  };
}

function readMount(mount: Field): { readonly destination: string; readonly source: string | undefined } {
  return { destination: mount.at('destination').text(), source: mount.at('source').given?.text() };
}

async function readDocument(parts: ContainerParts, { archive, directory, imageId }: CheckpointOrigin, name: string): Promise<Buffer> {
  if (archive !== undefined) return readFromArchive(archive, name);
  if (directory !== undefined) return readFromDirectory(directory, name);
  return readFromImage(parts, imageId, name);
}

/**
 * What a request for a restored container may not ask. A checkpoint must not bring mounts of its own: each must be asked for, or it
 * would show what nobody asked to be shown.
 * @throws InvalidArgument with the mounts that are missing, FailedPrecondition for namespaces that CRIU cannot restore into.
 */
export function checkRestore(
  { destinations }: CheckpointSource,
  { mounts }: ContainerConfig,
  { record }: Sandbox,
  pidNamespace: PidNamespace,
): void {
  const what = 'create container from a checkpoint';
  const asked = new Set(mounts.map(({ containerPath }) => containerPath));
  const missing = destinations.filter((path) => !OF_EVERY_CONTAINER.has(path) && !asked.has(path));
  if (missing.length > 0) fail('InvalidArgument', `${what}: config.mounts lacks what the checkpoint was made with: ${missing.join(', ')}`);
  if (pidNamespace !== 'new')
    fail('FailedPrecondition', `${what}: namespace_options.pid must be CONTAINER, it can be restored only in a PID namespace of its own`);
  if (record.namespaces.user !== undefined)
    fail('FailedPrecondition', `${what}: pod sandbox ${record.id} has a user namespace, must have none`);
}

async function isCheckpoint({ images }: ContainerParts, image: ImageRecord): Promise<boolean> {
  const annotations = await images.annotationsOf(image);
  return ANNOTATIONS.some((name) => annotations[name] !== undefined);
}

async function readFromImage(parts: ContainerParts, imageId: ImageId, name: string): Promise<Buffer> {
  const chain = parts.images.resolve(imageId)?.chain ?? fail('NotFound', `image ${imageId} is not there`);
  const [top = ''] = parts.rootfs.lowerDirectories(chain);
  return readFileInRoot(top, name, DOCUMENT_LIMIT_BYTES);
}

/** A regular file of a directory that the caller names. In a process of its own, as for an archive. */
export async function readFromDirectory(directory: string, name: string): Promise<Buffer> {
  const script = '[ ! -L "$1" ] && [ -d "$1" ] || exit 3; cd -- "$1" && [ ! -L "./$2" ] && [ -f "./$2" ] || exit 4; exec cat -- "./$2"';
  const { exit, stdout } = await run('sh', {
    args: ['-c', script, 'sh', directory, name],
    timeoutMs: READ_TIMEOUT_MS,
    outputLimitBytes: DOCUMENT_LIMIT_BYTES,
  });
  if (exit.code === 0) return stdout;
  throw new Error(exit.code === 3 ? `${directory} is no directory` : `${join(directory, name)} is no regular file`);
}

/** In a process of its own: the archive may lie on a file system that hangs. */
async function readFromArchive(archive: string, name: string): Promise<Buffer> {
  // It ends with its reader: what a few bytes unpack to may have no end.
  const script = 'tar --extract --to-stdout --occurrence=1 --force-local --file="$1" -- "$2" | head -c "$3"';
  const { stdout, stderr } = await run('sh', {
    args: ['-c', script, 'sh', archive, name, String(DOCUMENT_LIMIT_BYTES + 1)],
    timeoutMs: READ_TIMEOUT_MS,
    outputLimitBytes: DOCUMENT_LIMIT_BYTES,
  });
  if (stdout.length === 0) throw new Error(stderr.toString().trim().split('\n')[0] || 'it is empty');
  return stdout;
}

/** The directory with the files of a container's checkpoint. */
export function checkpointDirectory(parts: ContainerParts, origin: CheckpointOrigin, unpacked: string): string {
  if (origin.imageId === undefined) return unpacked;
  const image = parts.images.resolve(origin.imageId) ?? fail('NotFound', `checkpoint image ${origin.imageId} is not there`);
  return parts.rootfs.lowerDirectories(image.chain)[0] ?? fail('Internal', `image ${origin.imageId} has no layer`);
}
