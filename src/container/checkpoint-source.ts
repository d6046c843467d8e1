import { isAbsolute } from 'node:path';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { ImageRecord } from '../image/store.ts';
import { readFileInRoot } from '../linux/files.ts';
import { run } from '../linux/spawn.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { CheckpointOrigin } from './container.ts';
import type { ContainerParts } from './parts.ts';
import type { PidNamespace } from './pid-namespace.ts';

/** A checkpoint that a container is to be made from, as far as a request must be checked against it. */
export interface CheckpointSource {
  readonly origin: CheckpointOrigin;
  /** The image that the container was made from. */
  readonly image: ImageRecord;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** Where something was mounted. */
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

/**
 * The checkpoint that a request's image is: an archive on the node by its path, or an image that says so. Undefined for any other
 * image.
 * @throws Unimplemented where restoring is switched off, FailedPrecondition where CRIU cannot work, InvalidArgument for an archive
 * that is none, NotFound where the image that the container was made from is not here.
 */
export async function findCheckpoint(
  parts: ContainerParts,
  asked: string,
  runtime: { readonly environment: Readonly<Record<string, string>> },
): Promise<CheckpointSource | undefined> {
  const image = isAbsolute(asked) ? undefined : parts.images.resolve(asked);
  if (!isAbsolute(asked) && (image === undefined || !(await isCheckpoint(parts, image)))) return undefined;
  const { level, criu } = parts.checkpoints;
  const what = `create container from checkpoint ${asked}`;
  if (level !== 'checkpoint_restore') fail('Unimplemented', `${what}: checkpoint.containers is "${level}" in the configuration`);
  await criu.mustWork(what, criu.environment(runtime.environment));
  const read = async (name: string): Promise<Field> => {
    try {
      const bytes = image === undefined ? await readFromArchive(asked, name) : await readFromImage(parts, image, name);
      return Field.parse(bytes.toString('utf8'), name);
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
  return {
    origin: image === undefined ? { archive: asked } : { imageId: image.id },
    image: base,
    maskedPaths: texts(spec.at('linux').at('maskedPaths')),
    readonlyPaths: texts(spec.at('linux').at('readonlyPaths')),
    destinations: spec.at('mounts').list((mount) => mount.at('destination').text()),
  };
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

async function readFromImage(parts: ContainerParts, image: ImageRecord, name: string): Promise<Buffer> {
  const [top = ''] = parts.rootfs.lowerDirectories(image.chain);
  return readFileInRoot(top, name, DOCUMENT_LIMIT_BYTES);
}

/** In a process of its own: the archive may lie on a file system that hangs. */
async function readFromArchive(archive: string, name: string): Promise<Buffer> {
  const { exit, stdout, stderr } = await run('tar', {
    args: ['--extract', '--to-stdout', `--file=${archive}`, '--force-local', '--', name],
    timeoutMs: READ_TIMEOUT_MS,
    outputLimitBytes: DOCUMENT_LIMIT_BYTES,
  });
  if (exit.code !== 0) throw new Error(stderr.toString().trim().split('\n')[0]);
  return stdout;
}

/** The directory with the files of a container's checkpoint. */
export function checkpointDirectory(parts: ContainerParts, origin: CheckpointOrigin, unpacked: string): string {
  if (origin.imageId === undefined) return unpacked;
  const image = parts.images.resolve(origin.imageId) ?? fail('NotFound', `checkpoint image ${origin.imageId} is not there`);
  return parts.rootfs.lowerDirectories(image.chain)[0] ?? fail('Internal', `image ${origin.imageId} has no layer`);
}

/** Unpacks an archive into an empty directory. GNU tar lets no entry out of it. */
export async function unpackArchive(archive: string, directory: string, signal: AbortSignal): Promise<void> {
  const script = 'mkdir -p -m 0700 -- "$2" && exec tar --extract --force-local --file="$1" --directory="$2" --no-same-owner';
  const options = { args: ['-c', script, 'sh', archive, directory], timeoutMs: 86_400_000, signal };
  const { exit, stderr } = await run('sh', options);
  if (exit.code !== 0)
    throw new DaemonError(
      'InvalidArgument',
      `create container: image ${archive} cannot be unpacked: ${stderr.toString().trim().slice(0, 500)}`,
    );
}
