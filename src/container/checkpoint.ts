import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, fail, withWords } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import type { ImageRecord } from '../image/store.ts';
import { run } from '../linux/spawn.ts';
import { beginCheckpoint, captureFrozen, DAY_MS, requireCheckpoint, takeBack, tar, thaw, writeDocuments } from './checkpoint-capture.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { Container } from './container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

export interface CheckpointRequest {
  /** The archive's path; what is there is replaced. */
  readonly location: string;
  readonly signal: AbortSignal;
}

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
  const { signal } = request;
  const what = `checkpoint container ${record.id}`;
  const environment = await requireCheckpoint(parts, container, what);
  const files = new CheckpointFiles(bundleOf(parts, record.id).checkpoint);
  const partial = join(dirname(request.location), `.${basename(request.location).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  try {
    await beginCheckpoint(files, { remove: partial });
    await mkdir(files.images, { mode: 0o700 });
    stage('checkpoint.begun');
    await beginArchive(what, partial, request);
    const spec = await writeDocuments(parts, container, image, files, signal);
    try {
      await runtimeOf(parts, record).pause(record.id, signal);
      stage('checkpoint.frozen');
      await step('write checkpoint', async () => captureFrozen(parts, record, files, { spec, environment, signal }));
    } finally {
      await thaw(parts, record);
    }
    if (signal.aborted) throw reasonOf(signal);
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
