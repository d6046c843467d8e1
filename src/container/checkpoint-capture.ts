import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { sleep } from '../base/deadline.ts';
import { DaemonError, fail, messageOf, unlessMissing } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import type { ImageRecord } from '../image/store.ts';
import { run } from '../linux/spawn.ts';
import { dumpContainer, endDump } from '../ociruntime/checkpoint.ts';
import { readSpec, type SavedSpec } from '../ocispec/read-spec.ts';
import { jsonOf } from '../ocispec/spec-json.ts';
import { listChanges } from '../storage/changes.ts';
import { CheckpointFiles, configDump, externalMounts, mountPoints, specDump } from './checkpoint-files.ts';
import { requireState, type Container, type ContainerRecord } from './container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

/** Most a program may take whose signal ends it earlier, milliseconds. */
export const DAY_MS = 86_400_000;
/** What a dead server may hold up when an archive is taken back, milliseconds. */
const TAKE_BACK_MS = 10_000;
/** How long a dump of an earlier daemon may go on before it is killed, milliseconds. */
const EARLIER_DUMP_MS = 10_000;

/** What a checkpoint that is cut short leaves outside of its own directory, all of it absolute paths. */
export interface Unfinished {
  /** A file or directory, to be removed with what is in it. */
  readonly remove: string;
  /** Where this is there, the checkpoint was finished, and nothing is removed. */
  readonly unless?: string;
}

/** An environment in which the container's runtime finds CRIU. @throws as writeCheckpoint() where it cannot be checkpointed. */
export async function requireCheckpoint(parts: ContainerParts, container: Container, what: string): Promise<Record<string, string>> {
  const { record } = container;
  const { criu, level } = parts.checkpoints;
  if (level === 'none') fail('Unimplemented', `${what}: checkpoint.containers is "none" in the configuration`);
  requireState(container, 'checkpoint');
  if (parts.sandboxes.get(record.sandboxId).record.namespaces.user !== undefined) fail('FailedPrecondition', `${what}: its pod has a user namespace, must have none: the owners of its files would be lost`); // prettier-ignore
  const lacks = parts.runtimes.lacksForCheckpoints(record.runtimeHandler);
  if (lacks !== undefined) fail('FailedPrecondition', `${what}: ${lacks}`);
  const environment = criu.environment(runtimeOf(parts, record).environment);
  await criu.mustWork(what, environment);
  return environment;
}

/** Puts the intent of a checkpoint on disk: a start that finds it lets the container go on, and removes what is unfinished. */
export async function beginCheckpoint(files: CheckpointFiles, { remove, unless = '' }: Unfinished): Promise<void> {
  await rm(files.directory, { recursive: true, force: true });
  await mkdir(files.directory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(files.partial, `${remove}\0${unless}`);
}

/** How often a container that stays frozen is told to go on, and the pause in between, milliseconds. */
const THAWS = 5;
const THAW_PAUSE_MS = 500;

/** Lets a container go on. @throws the runtime's words where it does not, though it was told several times. */
export async function thaw(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  for (let left = THAWS - 1; ; left -= 1) {
    try {
      await runtimeOf(parts, record).resume(record.id);
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(THAW_PAUSE_MS);
    }
  }
}

/** Takes back what an earlier daemon had begun: the container goes on, and nothing of the checkpoint stays. Idempotent. */
export async function takeBackCheckpoint(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const files = new CheckpointFiles(bundleOf(parts, record.id).checkpoint);
  if ((await unlessMissing(readFile(files.partial), undefined)) === undefined) return;
  parts.log.warn('a checkpoint was cut short; its container goes on', { containerId: record.id });
  await endDump(record.id, EARLIER_DUMP_MS);
  await thaw(parts, record);
  await takeBack(parts, record, files);
}

/** The container runs again by now, so what cannot be removed here is only space. */
export async function takeBack({ log }: ContainerParts, { id }: ContainerRecord, files: CheckpointFiles): Promise<void> {
  try {
    const intent = await unlessMissing(readFile(files.partial, 'utf8'), undefined);
    const script = 'if [ -z "$2" ] || [ ! -e "$2" ]; then rm -rf -- "$1"; fi';
    const [remove = '', unless = ''] = intent?.split('\0') ?? [];
    if (remove !== '') await run('sh', { args: ['-c', script, 'sh', remove, unless], timeoutMs: TAKE_BACK_MS });
    await rm(files.directory, { recursive: true, force: true });
  } catch (error) {
    log.warn('remains of a checkpoint cannot be removed; the next start does it', { containerId: id, error: messageOf(error) });
  }
}

/** Writes the documents of a checkpoint. @returns the container's spec, as it is on disk. */
export async function writeDocuments(
  parts: ContainerParts,
  container: Container,
  image: ImageRecord | undefined,
  files: CheckpointFiles,
  signal: AbortSignal,
): Promise<SavedSpec> {
  const { record } = container;
  const spec = readSpec(await readFile(bundleOf(parts, record.id).specFile, 'utf8'));
  const mode = { mode: 0o600 };
  await writeFile(files.config, JSON.stringify(configDump(container, image, new Date()), undefined, 2), mode);
  await writeFile(files.spec, jsonOf(specDump(spec, container, parts.sandboxes.get(record.sandboxId))), mode);
  const mounts = externalMounts(spec);
  if (mounts.length === 0) return spec;
  const kinds = await kindsOf(
    mounts.map(({ source }) => source),
    signal,
  );
  const list = mounts.map(({ source, destination }, index) => ({ source, destination, ...kinds[index] }));
  await writeFile(files.bindMounts, JSON.stringify(list, undefined, 2), mode);
  return spec;
}

/** What the sources of mounts are; a volume's server may hang. */
async function kindsOf(paths: readonly string[], signal: AbortSignal): Promise<{ file_type: string; permissions: number }[]> {
  const { stdout } = await run('stat', { args: ['-L', '-c', '%a %F', '--', ...paths], timeoutMs: DAY_MS, signal });
  const lines = stdout.toString().trimEnd().split('\n');
  if (lines.length !== paths.length) fail('FailedPrecondition', 'the source of a mount cannot be looked at');
  return lines.map((line) => ({
    file_type: line.endsWith(' directory') ? 'directory' : 'file',
    permissions: Number.parseInt(line, 8) & 0o777,
  }));
}

/** Has the memory of a frozen container written, what it has changed of its image, and its log. It stays frozen. */
export async function captureFrozen(
  parts: ContainerParts,
  record: ContainerRecord,
  files: CheckpointFiles,
  { spec, environment, signal }: { spec: SavedSpec; environment: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<void> {
  const runtime = runtimeOf(parts, record);
  await dumpContainer(runtime, { containerId: record.id, images: files.images, work: files.directory, environment, signal });
  stage('checkpoint.memory');
  await writeChanges(parts, record, files, { spec, signal });
  if (record.logPath === '') return;
  // In a process of its own, as all that may lie on a file system that hangs.
  const script = '[ ! -e "$1" ] || exec cp --reflink=auto -- "$1" "$2"';
  const { exit, stderr } = await run('sh', { args: ['-c', script, 'sh', record.logPath, files.log], timeoutMs: DAY_MS, signal });
  if (exit.code !== 0) throw new DaemonError('Internal', `copy ${record.logPath}: ${stderr.toString().trim()}`);
}

async function writeChanges(
  parts: ContainerParts,
  record: ContainerRecord,
  files: CheckpointFiles,
  { spec, signal }: { spec: SavedSpec; signal: AbortSignal },
): Promise<void> {
  const bundle = bundleOf(parts, record.id);
  const image = parts.images.resolve(record.imageId) ?? fail('FailedPrecondition', `its image ${record.imageId} is not there`);
  const { upper, lower } = parts.rootfs.directoriesOf(record.id, image.chain);
  const { changed, deleted } = await listChanges({ upper, lower, merged: bundle.rootfs, skip: mountPoints(spec, bundle.rootfs) });
  if (deleted.length > 0) {
    const paths = deleted.map((path) => `/${Buffer.from(path, 'latin1').toString()}`);
    await writeFile(files.deleted, JSON.stringify(paths, undefined, 2), { mode: 0o600 });
  }
  if (changed.length === 0) return;
  await tar(
    [
      `--file=${files.changes}`, `--directory=${upper}`, '--format=posix', '--xattrs', '--xattrs-exclude=trusted.*', '--numeric-owner',
      '--no-recursion', '--null', '--verbatim-files-from', '--files-from=-',
    ],
    { signal, input: Buffer.from(changed.join('\0'), 'latin1') },
  ); // prettier-ignore
}

/** GNU tar, which CRIU wants as well. Nobody else may read what it writes: it has all of the container's memory. */
export async function tar(args: readonly string[], options: { readonly signal: AbortSignal; readonly input?: Buffer }): Promise<void> {
  const script = 'umask 077; exec tar --create "$@"';
  const { exit, stderr } = await run('sh', { args: ['-c', script, 'sh', ...args], timeoutMs: DAY_MS, ...options });
  const words = stderr.toString().trim();
  if (exit.code === 0) return;
  throw new DaemonError(words.includes('No space left') ? 'ResourceExhausted' : 'Internal', `tar: ${words.slice(-500)}`);
}
