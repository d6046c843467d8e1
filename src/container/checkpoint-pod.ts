import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { writeFile, readdir } from 'node:fs/promises';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, fail, withWords } from '../base/errors.ts';
import { canonicalJson } from '../base/json.ts';
import { allSettledOrThrow, runAllInOrder } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { run } from '../linux/spawn.ts';
import type { SavedSpec } from '../ocispec/read-spec.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { beginCheckpoint, captureFrozen, DAY_MS, requireCheckpoint, takeBack, tar, thaw, writeDocuments } from './checkpoint-capture.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import type { Container, ContainerRecord } from './container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

/** The document that makes a directory the checkpoint of a pod. It is written last. */
export const MANIFEST = 'pod.json';
/** The content of the pod's /dev/shm, beside the files of its first container. */
const SHM = 'shm.tar';

export interface PodCheckpointRequest {
  /** An empty directory of the caller's. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

interface Step {
  readonly container: Container;
  readonly files: CheckpointFiles;
  /** Where the container's files go. */
  readonly target: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Writes the states of containers of one pod, all of one moment: each is frozen before the first is written, and none goes on before
 * the last is. All go on afterwards, whatever becomes of the files. These are in the caller's directory alone, and complete or not at
 * all. The caller holds the locks of the containers.
 * @throws FailedPrecondition where CRIU cannot work, in its words; InvalidArgument for a directory that is none or not empty.
 */
export async function writePodCheckpoint(
  parts: ContainerParts,
  sandbox: Sandbox,
  containers: readonly Container[],
  { directory, signal }: PodCheckpointRequest,
): Promise<void> {
  const what = `checkpoint pod ${sandbox.record.id}`;
  const steps: Step[] = [];
  for (const container of containers) {
    const { id } = container.record;
    const environment = await requireCheckpoint(parts, container, what);
    const target = join(directory, id);
    steps.push({ container, environment, target, files: new CheckpointFiles(bundleOf(parts, id).checkpoint, target) });
  }
  try {
    const unless = join(directory, MANIFEST);
    await checkDirectory(what, directory, signal);
    for (const { files, target } of steps) await beginCheckpoint(files, { remove: target, unless });
    stage('pod-checkpoint.begun');
    await makeDirectories(what, steps, signal);
    await capture(parts, sandbox, steps, signal);
    stage('pod-checkpoint.dumped');
    const program = basename(parts.runtimes.get(sandbox.record.runtimeHandler).path);
    await finish(sandbox, steps, { directory, program, signal });
    stage('pod-checkpoint.finished');
  } catch (error) {
    throw withWords(what, error);
  } finally {
    // Where one stays frozen, this fails, and the next start has something to find.
    await thawAll(parts, steps);
    for (const { container, files } of steps) await takeBack(parts, container.record, files);
  }
}

/** Before the intent is on disk: what lies there is somebody's, and must not be taken back. In a process of its own: it may hang. */
async function checkDirectory(what: string, directory: string, signal: AbortSignal): Promise<void> {
  const script = '[ -d "$1" ] || exit 3; [ -z "$(ls -A -- "$1")" ] || exit 4';
  const { exit } = await run('sh', { args: ['-c', script, 'sh', directory], timeoutMs: DAY_MS, signal });
  const faults: Readonly<Record<number, string>> = { 3: 'is no directory, must be one that is there', 4: 'is not empty, must be' };
  if (exit.code !== 0) fail('InvalidArgument', `${what}: output_path ${directory} ${faults[exit.code ?? 0] ?? 'cannot be looked at'}`);
}

async function makeDirectories(what: string, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const targets = steps.flatMap(({ target, files }) => [target, files.images]);
  const { exit, stderr } = await run('mkdir', { args: ['-m', '0700', '--', ...targets], timeoutMs: DAY_MS, signal });
  if (exit.code !== 0) fail('InvalidArgument', `${what}: output_path cannot be written to: ${stderr.toString().trim().slice(0, 500)}`);
}

async function capture(parts: ContainerParts, sandbox: Sandbox, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const prepared: (Step & { readonly spec: SavedSpec })[] = [];
  for (const step of steps) {
    const image = parts.images.resolve(step.container.record.imageId);
    prepared.push({ ...step, spec: await writeDocuments(parts, step.container, image, step.files, signal) });
  }
  try {
    await allSettledOrThrow(steps.map(async ({ container: { record } }) => runtimeOf(parts, record).pause(record.id, signal)));
    stage('pod-checkpoint.frozen');
    for (const { container, files, spec, environment } of prepared) {
      const write = async (): Promise<void> => captureFrozen(parts, container.record, files, { spec, environment, signal });
      await step('write checkpoint', write, container.record.config.metadata?.name);
    }
    const [first] = steps;
    if (first !== undefined && sandbox.record.namespaces.ipc === 'pod')
      await tar([`--file=${join(first.target, SHM)}`, `--directory=${parts.sandboxes.pathsOf(sandbox.record.id).shm}`, '--format=posix', '--xattrs', '--sparse', '--numeric-owner', '.'], { signal }); // prettier-ignore
    stage('pod-checkpoint.captured');
  } finally {
    await thawAll(parts, steps);
  }
  if (steps.length > 1) await refuseSharedIpc(steps, signal);
  if (signal.aborted) throw reasonOf(signal);
}

async function thawAll(parts: ContainerParts, steps: readonly Step[]): Promise<void> {
  await runAllInOrder(
    steps.map(
      ({ container }) =>
        async () =>
          thaw(parts, container.record),
    ),
  );
}

/** Bytes of an image of CRIU's that has nothing in it. */
const EMPTY_IMAGE_BYTES = 8;

/**
 * The containers of a pod share their IPC namespace, and CRIU writes all of it for each: it would be restored as often, and fails
 * the second time.
 */
async function refuseSharedIpc(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const { stdout } = await run('find', {
    args: [...steps.map(({ files }) => files.images), '-name', 'ipcns-[!v]*.img', '-size', `+${EMPTY_IMAGE_BYTES}c`],
    timeoutMs: DAY_MS,
    signal,
  });
  if (stdout.length > 0) fail('FailedPrecondition', 'its containers share System V IPC objects, which CRIU can restore for one container only'); // prettier-ignore
}

interface Finish extends PodCheckpointRequest {
  /** The runtime's: another one may describe mounts to CRIU in its own way. */
  readonly program: string;
}

/** Puts the small files beside the large ones, and the manifest there when all is on disk. */
async function finish(sandbox: Sandbox, steps: readonly Step[], { directory, program, signal }: Finish): Promise<void> {
  for (const { files, target } of steps) {
    const names = (await readdir(files.directory)).filter((name) => name !== basename(files.partial));
    await command('cp', ['--no-dereference', '--', ...names.map((name) => join(files.directory, name)), target], signal);
  }
  const [first] = steps;
  if (first === undefined) return;
  const own = join(first.files.directory, MANIFEST);
  await writeFile(own, JSON.stringify(manifestOf(sandbox, steps, program), undefined, 2), { mode: 0o600 });
  const script =
    'umask 077; cp -- "$1" "$2" && find "$3" -type f -exec sync -- {} + && find "$3" -type d -exec sync -- {} + && mv -T -- "$2" "$4" && sync -- "$3"';
  await command('sh', ['-c', script, 'sh', own, join(first.target, MANIFEST), directory, join(directory, MANIFEST)], signal);
}

async function command(program: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { exit, stderr } = await run(program, { args, timeoutMs: DAY_MS, signal });
  const words = stderr.toString().trim().slice(-500);
  if (exit.code !== 0) throw new DaemonError(words.includes('No space left') ? 'ResourceExhausted' : 'Internal', `${program}: ${words}`);
}

function manifestOf({ record }: Sandbox, steps: readonly Step[], program: string): Readonly<Record<string, unknown>> {
  const { name = '', namespace = '', uid = '' } = record.config.metadata ?? {};
  return {
    version: 1,
    pod: { id: record.id, name, namespace, uid },
    runtime: program,
    checkpointedTime: new Date().toISOString(),
    ...(record.namespaces.ipc === 'pod' ? { shm: `${steps[0]?.container.record.id ?? ''}/${SHM}` } : {}),
    containers: steps.map(({ container: { record: each } }) => ({
      name: each.config.metadata?.name ?? '',
      directory: each.id,
      process: processDigests(each.config, each),
    })),
  };
}

/** The fields of a request that describe the process of a container, each as a digest: what an environment says may be a secret. */
export function processDigests(config: ContainerConfig, { imageId }: Pick<ContainerRecord, 'imageId'>): Readonly<Record<string, string>> {
  const { command: program, args, workingDir, envs, tty, stdin, stdinOnce, linux } = config;
  const fields = {
    image: imageId,
    command: program,
    args,
    working_dir: workingDir,
    envs,
    stdio: { tty, stdin, stdinOnce },
    'linux.security_context': { ...linux?.securityContext, namespaceOptions: undefined },
  };
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, createHash('sha256').update(canonicalJson(value)).digest('hex')]),
  );
}
