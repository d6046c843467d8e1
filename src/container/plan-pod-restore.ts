import { basename, join } from 'node:path';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { run } from '../linux/spawn.ts';
import { DAY_MS } from './checkpoint-capture.ts';
import { MANIFEST, processDigests } from './checkpoint-pod.ts';
import { readFromDirectory, requireRestore } from './checkpoint-source.ts';
import type { CheckpointOrigin } from './container.ts';
import type { ContainerParts } from './parts.ts';

export interface PodRestoreRequest {
  /** The directory that CheckpointPod has filled. */
  readonly checkpointPath: string;
  readonly runtimeHandler: string;
  readonly containerConfigs: readonly ContainerConfig[];
}

export interface PodRestorePlan {
  /** In the order of the request. */
  readonly containers: readonly { readonly name: string; readonly config: ContainerConfig; readonly origin: CheckpointOrigin }[];
  /** The content of the pod's /dev/shm, a tar; missing where the pod had the node's. */
  readonly shm: string | undefined;
}

interface Saved {
  readonly name: string;
  readonly directory: string;
  readonly process: Readonly<Record<string, string>>;
}

const WHAT = 'restore pod';
/** A number of 64 hexadecimal digits, as ours are. */
const CONTAINER_ID = /^[0-9a-f]{64}$/;

/**
 * Checks a request against the checkpoint that it names. Nothing is made, and nothing of the checkpoint is touched.
 * @throws InvalidArgument for what is no checkpoint, or asks for other containers or other processes than it has; as requireRestore().
 */
export async function planPodRestore(parts: ContainerParts, request: PodRestoreRequest, signal: AbortSignal): Promise<PodRestorePlan> {
  const { checkpointPath, containerConfigs } = request;
  const runtime = parts.runtimes.get(request.runtimeHandler);
  await requireRestore(parts, WHAT, runtime);
  const manifest = await readManifest(checkpointPath);
  const program = manifest.at('runtime').text();
  if (program !== basename(runtime.path))
    fail('FailedPrecondition', `${WHAT}: the checkpoint is one of ${program}, and runtime handler "${runtime.name}" has ${basename(runtime.path)}, must be the same`); // prettier-ignore
  const saved = manifest.at('containers').list(readSaved);
  checkNames(
    saved.map(({ name }) => name),
    containerConfigs.map(({ metadata }) => metadata?.name ?? ''),
  );
  const containers = containerConfigs.map((config, index) => {
    const name = config.metadata?.name ?? '';
    const one = saved.find((each) => each.name === name) ?? fail('Internal', `${WHAT}: ${name} was there`);
    checkProcess(parts, config, one, `container_configs[${index}]`);
    return { name, config, origin: { directory: join(checkpointPath, one.directory) } };
  });
  const shm = manifest.at('shm').given?.text();
  if (shm !== undefined && !/^[0-9a-f]{64}\/shm\.tar$/.test(shm)) fail('InvalidArgument', `${WHAT}: ${MANIFEST}: shm is ${JSON.stringify(shm)}, must be a file of a container`); // prettier-ignore
  if (signal.aborted) throw signal.reason;
  return { containers, shm: shm && join(checkpointPath, shm) };
}

async function readManifest(directory: string): Promise<Field> {
  try {
    const manifest = Field.parse((await readFromDirectory(directory, MANIFEST)).toString('utf8'), MANIFEST);
    manifest.at('version').oneOf([1]);
    return manifest;
  } catch (error) {
    throw new DaemonError('InvalidArgument', `${WHAT}: checkpoint_path ${directory} has no checkpoint of a pod: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function readSaved(entry: Field): Saved {
  const directory = entry.at('directory').text();
  if (!CONTAINER_ID.test(directory)) entry.at('directory').refuse('the id of a container');
  return { name: entry.at('name').text(), directory, process: entry.at('process').map() };
}

function checkNames(saved: readonly string[], asked: readonly string[]): void {
  for (const [index, name] of asked.entries()) {
    if (name === '') fail('InvalidArgument', `${WHAT}: container_configs[${index}].metadata.name is empty, must be given`);
    if (asked.indexOf(name) !== index) fail('InvalidArgument', `${WHAT}: container_configs names "${name}" twice, must name each container once`); // prettier-ignore
  }
  const isSame = asked.length === saved.length && saved.every((name) => asked.includes(name));
  if (!isSame) fail('InvalidArgument', `${WHAT}: container_configs are of ${asked.join(', ') || 'no container'}, must be of those in the checkpoint: ${saved.join(', ')}`); // prettier-ignore
}

/** The processes are there already: a request that describes others is not for this checkpoint. */
function checkProcess(parts: ContainerParts, config: ContainerConfig, saved: Saved, where: string): void {
  const asked = config.image?.image ?? '';
  const image = parts.images.resolve(asked) ?? fail('NotFound', `${WHAT}: ${where}.image ${asked} is not present, must be pulled or loaded first`); // prettier-ignore
  const digests = processDigests(config, { imageId: image.id });
  const other = Object.entries(digests).find(([field, digest]) => saved.process[field] !== digest);
  if (other !== undefined) fail('InvalidArgument', `${WHAT}: ${where}.${other[0]} is not what the checkpoint of container "${saved.name}" was made with`); // prettier-ignore
}

/** Fills a pod's /dev/shm, which is empty and has a size. GNU tar lets no entry out of it. */
export async function unpackShm(archive: string, directory: string, signal: AbortSignal): Promise<void> {
  const { exit, stderr } = await run('tar', {
    args: ['--extract', '--force-local', `--file=${archive}`, `--directory=${directory}`, '--numeric-owner', '--xattrs', '--preserve-permissions', '--no-overwrite-dir'],
    timeoutMs: DAY_MS,
    signal,
  }); // prettier-ignore
  if (exit.code !== 0) fail('InvalidArgument', `${WHAT}: the content of /dev/shm cannot be unpacked: ${stderr.toString().trim().slice(-500)}`); // prettier-ignore
}
