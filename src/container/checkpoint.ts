import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, fail, messageOf, unlessMissing, withWords } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import type { ImageRecord } from '../image/store.ts';
import { run } from '../linux/spawn.ts';
import { dumpContainer, endDump } from '../ociruntime/checkpoint.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { specFromJson, specToJson } from '../ocispec/spec-json.ts';
import { listChanges } from '../storage/changes.ts';
import { CheckpointFiles, configDump, externalMounts, mountPoints, specDump } from './checkpoint-files.ts';
import { requireState, type Container, type ContainerRecord } from './container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

export interface CheckpointRequest {
  /** The archive's path; what is there is replaced. */
  readonly location: string;
  readonly signal: AbortSignal;
}

/** Most a program may take whose signal ends it earlier, milliseconds. */
const DAY_MS = 86_400_000;
/** What a dead server may hold up when an archive is taken back, milliseconds. */
const TAKE_BACK_MS = 10_000;
/** How long a dump of an earlier daemon may go on before it is killed, milliseconds. */
const EARLIER_DUMP_MS = 10_000;

/**
 * Writes the state of a running container into an archive of CRI-O's format: memory, changed files, log. It stands still from
 * the first to the last byte of these, so that they fit together, and goes on, whatever becomes of the archive. The archive
 * appears whole or not at all. The caller holds the container's lock.
 * @throws FailedPrecondition where CRIU cannot work, in its words; InvalidArgument for a location that cannot be written to.
 */
export async function writeCheckpoint(
  parts: ContainerParts,
  container: Container,
  image: ImageRecord | undefined,
  request: CheckpointRequest,
): Promise<void> {
  const { record } = container;
  const what = `checkpoint container ${record.id}`;
  const { criu, level } = parts.checkpoints;
  if (level === 'none') fail('Unimplemented', `${what}: checkpoint.containers is "none" in the configuration`);
  requireState(container, 'checkpoint');
  if (parts.sandboxes.get(record.sandboxId).record.namespaces.user !== undefined) fail('FailedPrecondition', `${what}: its pod has a user namespace, must have none: the owners of its files would be lost`); // prettier-ignore
  const environment = criu.environment(runtimeOf(parts, record).environment);
  await criu.mustWork(what, environment);
  const files = new CheckpointFiles(bundleOf(parts, record.id).checkpoint);
  const partial = join(dirname(request.location), `.${basename(request.location).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  try {
    await rm(files.directory, { recursive: true, force: true });
    await mkdir(files.images, { recursive: true, mode: 0o700 });
    await writeFileAtomic(files.partial, partial);
    stage('checkpoint.begun');
    await beginArchive(what, partial, request);
    await writeDocuments(parts, container, image, files, request.signal);
    await dump(parts, container, files, { environment, signal: request.signal });
    stage('checkpoint.dumped');
    await pack(files, partial, request);
    stage('checkpoint.packed');
  } catch (error) {
    throw withWords(what, error);
  } finally {
    // Where it stays frozen, this fails, and the next start has something to find.
    await thaw(parts, record);
    await takeBack(parts, record, files);
  }
}

/** How often a container that stays frozen is told to go on, and the pause in between, milliseconds. */
const THAWS = 5;
const THAW_PAUSE_MS = 500;

/** Lets a container go on. @throws the runtime's words where it does not, though it was told several times. */
async function thaw(parts: ContainerParts, record: ContainerRecord): Promise<void> {
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
async function takeBack({ log }: ContainerParts, { id }: ContainerRecord, files: CheckpointFiles): Promise<void> {
  try {
    const partial = await unlessMissing(readFile(files.partial, 'utf8'), undefined);
    if (partial !== undefined) await run('rm', { args: ['-f', '--', partial], timeoutMs: TAKE_BACK_MS });
    await rm(files.directory, { recursive: true, force: true });
  } catch (error) {
    log.warn('remains of a checkpoint cannot be removed; the next start does it', { containerId: id, error: messageOf(error) });
  }
}

/** Makes the archive's file, so that nothing is frozen for a place that takes none. In a process of its own: the directory may lie on a file system that hangs. */
async function beginArchive(what: string, partial: string, { location, signal }: CheckpointRequest): Promise<void> {
  const script = '[ -d "$1" ] || exit 3; [ ! -d "$2" ] || exit 4; umask 077; : > "$3" || exit 5';
  const { exit } = await run('sh', { args: ['-c', script, 'sh', dirname(location), location, partial], timeoutMs: DAY_MS, signal });
  const faults: Readonly<Record<number, string>> = {
    3: `must be in a directory that is there, and ${dirname(location)} is none`,
    4: 'is a directory, must be the file to write',
    5: 'must be in a directory in which files can be made',
  };
  if (exit.code !== 0) fail('InvalidArgument', `${what}: location ${location} ${faults[exit.code ?? 0] ?? 'cannot be looked at'}`);
}

async function writeDocuments(
  parts: ContainerParts,
  container: Container,
  image: ImageRecord | undefined,
  files: CheckpointFiles,
  signal: AbortSignal,
): Promise<void> {
  const { record } = container;
  const spec = specFromJson(await readFile(bundleOf(parts, record.id).specFile, 'utf8')) as OciSpec;
  const mode = { mode: 0o600 };
  await writeFile(files.config, JSON.stringify(configDump(container, image, new Date()), undefined, 2), mode);
  await writeFile(files.spec, specToJson(specDump(spec, container, parts.sandboxes.get(record.sandboxId))), mode);
  const mounts = externalMounts(spec);
  if (mounts.length === 0) return;
  const kinds = await kindsOf(
    mounts.map(({ source }) => source),
    signal,
  );
  const list = mounts.map(({ source, destination }, index) => ({ source, destination, ...kinds[index] }));
  await writeFile(files.bindMounts, JSON.stringify(list, undefined, 2), mode);
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

/** Freezes the container, has its memory and its files written, and lets it go on. */
async function dump(
  parts: ContainerParts,
  { record }: Container,
  files: CheckpointFiles,
  { environment, signal }: { environment: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<void> {
  const runtime = runtimeOf(parts, record);
  try {
    await runtime.pause(record.id, signal);
    stage('checkpoint.frozen');
    await dumpContainer(runtime, { containerId: record.id, images: files.images, work: files.directory, environment, signal });
    stage('checkpoint.memory');
    await writeChanges(parts, record, files, signal);
    if (record.logPath !== '') await unlessMissing(copyFile(record.logPath, files.log), undefined);
  } finally {
    await thaw(parts, record);
  }
  if (signal.aborted) throw reasonOf(signal);
}

async function writeChanges(parts: ContainerParts, record: ContainerRecord, files: CheckpointFiles, signal: AbortSignal): Promise<void> {
  const bundle = bundleOf(parts, record.id);
  const image = parts.images.resolve(record.imageId) ?? fail('FailedPrecondition', `its image ${record.imageId} is not there`);
  const { upper, lower } = parts.rootfs.directoriesOf(record.id, image.chain);
  const spec = specFromJson(await readFile(bundle.specFile, 'utf8')) as OciSpec;
  const { changed, deleted } = await listChanges({ upper, lower, merged: bundle.rootfs, skip: mountPoints(spec) });
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

/** Puts the files together beside the location, and there when they are complete and on disk. */
async function pack(files: CheckpointFiles, partial: string, { location, signal }: CheckpointRequest): Promise<void> {
  const names = (await readdir(files.directory)).filter((name) => name !== basename(files.partial));
  await tar([`--file=${partial}`, `--directory=${files.directory}`, '--numeric-owner', '--', ...names], { signal });
  stage('checkpoint.archived');
  const script = 'sync -- "$1" && mv -f -T -- "$1" "$2" && sync -- "$3"';
  const { exit, stderr } = await run('sh', {
    args: ['-c', script, 'sh', partial, location, dirname(location)],
    timeoutMs: DAY_MS,
    signal,
  });
  if (exit.code !== 0) throw new DaemonError('Internal', `write ${location}: ${stderr.toString().trim()}`);
}

/** GNU tar, which CRIU wants as well. Nobody else may read what it writes: it has all of the container's memory. */
async function tar(args: readonly string[], options: { readonly signal: AbortSignal; readonly input?: Buffer }): Promise<void> {
  const script = 'umask 077; exec tar --create "$@"';
  const { exit, stderr } = await run('sh', { args: ['-c', script, 'sh', ...args], timeoutMs: DAY_MS, ...options });
  const words = stderr.toString().trim();
  if (exit.code === 0) return;
  throw new DaemonError(words.includes('No space left') ? 'ResourceExhausted' : 'Internal', `tar: ${words.slice(-500)}`);
}
