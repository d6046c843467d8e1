import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../api/cri/enums.ts';
import type { TestDaemon } from './daemon.ts';
import { containerStatus, createContainer, runContainer, runPod, shell, waitForExit } from './pods.ts';
import { IMAGES } from './test-image.ts';

/** State directories as released versions have written them, by the version; `made.json` beside each says what is in it. */
export const RECORDS = join(import.meta.dirname, '../fixtures/records');

/** What a daemon tells of its objects; of the containers as they are after a reboot. */
export interface Told {
  readonly pods: readonly { readonly id: string; readonly name: string; readonly attempt: number; readonly labels: number }[];
  readonly containers: readonly {
    readonly id: string;
    readonly name: string;
    readonly podId: string;
    readonly exitCode: number;
    readonly reason: string;
    readonly image: string;
    readonly imageRef: string;
    readonly createdAt: string;
  }[];
  readonly images: readonly { readonly id: string; readonly repoTags: readonly string[]; readonly username: string }[];
}

const SLEEP = ['sleep', '3600'];

/** An object of each kind and in each state that lasts: what a state directory has on a node in use. */
export async function makeObjects(daemon: TestDaemon): Promise<void> {
  const ready = await runPod(daemon, { name: 'ready' });
  await runContainer(daemon, ready, SLEEP, { name: 'runs', memoryBytes: 32n << 20n, imageVolumes: { '/image': { image: IMAGES.layers } } });
  await waitForExit(daemon, await runContainer(daemon, ready, shell('exit 3'), { name: 'failed' }));
  await waitForExit(daemon, await runContainer(daemon, ready, ['true'], { name: 'failed', attempt: 1 }));
  await createContainer(daemon, ready, SLEEP, { name: 'created' });
  const shared = await runPod(daemon, { name: 'shares-pids', namespaces: { pid: NamespaceMode.POD } });
  await runContainer(daemon, shared, SLEEP, { name: 'terminal', change: { tty: true, stdin: true } });
  const onNode = { network: NamespaceMode.NODE, pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE };
  await runContainer(daemon, await runPod(daemon, { name: 'on-node', namespaces: onNode }), SLEEP, { image: IMAGES.user });
  const over = await runPod(daemon, { name: 'over', attempt: 2 });
  await runContainer(daemon, over, SLEEP, { name: 'stopped' });
  await daemon.runtime.stopPodSandbox({ podSandboxId: over.id });
}

/** What a daemon tells of all of it. */
export async function told(daemon: TestDaemon): Promise<Told> {
  const { items } = await daemon.runtime.listPodSandbox({});
  const { containers } = await daemon.runtime.listContainers({});
  const { images } = await daemon.images.listImages({});
  const statuses = await Promise.all(
    containers.map(async ({ id, podSandboxId }) => ({ podSandboxId, ...(await containerStatus(daemon, id)) })),
  );
  const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
  return {
    pods: items
      .map(({ id, metadata, labels }) => ({
        id,
        name: metadata?.name ?? '',
        attempt: metadata?.attempt ?? 0,
        labels: Object.keys(labels).length,
      }))
      .sort(byId),
    containers: statuses
      .map(({ id, podSandboxId, metadata, state, exitCode, reason, image, imageRef, createdAt }) => ({
        id,
        name: metadata?.name ?? '',
        podId: podSandboxId,
        // The reboot ends what runs, and what has only been created is as it was before: never started.
        ...(state === ContainerState.CONTAINER_EXITED ? { exitCode, reason } : { exitCode: 255, reason: 'NodeRebooted' }),
        image: image?.image ?? '',
        imageRef,
        createdAt: String(createdAt),
      }))
      .sort(byId),
    images: images.map(({ id, repoTags, username }) => ({ id, repoTags, username })).sort(byId),
  };
}

/** Which of the pods are ready. */
export async function readyPods(daemon: TestDaemon): Promise<readonly string[]> {
  const { items } = await daemon.runtime.listPodSandbox({ filter: { state: { state: PodSandboxState.SANDBOX_READY } } });
  return items.map(({ id }) => id);
}

/** Files below `root` that are records, by their paths: what is copied into a fixture, and what its shape is of. */
const RECORD_FILES = [
  /^sandboxes\/\w+\/(record|state)\.json$/,
  /^containers\/\w+\/(record|state|process)\.json$/,
  /^containers\/\w+\/persist\/exit$/,
  /^cni\/(attachments|pending)\/\w+\.(json|result)$/,
  /^storage\/images\/(signatures\/)?\w+\.json$/,
  /^storage\/layers\/(\w+\/layer|boot)\.json$/,
  /^storage\/rootfs\/\w+\/(chain|boot)$/,
];

async function recordFiles(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true });
  return all.filter((path) => RECORD_FILES.some((pattern) => pattern.test(path))).sort();
}

/** Keeps the records of a daemon, which must have ended, as the fixture of `version`. */
export async function keepRecords(root: string, version: string, what: Told): Promise<void> {
  const target = join(RECORDS, version);
  await rm(target, { recursive: true, force: true });
  for (const path of await recordFiles(root)) await cp(join(root, path), join(target, 'root', path), { recursive: true });
  for (const path of await recordFiles(root)) await toEarlierBoot(join(target, 'root', path));
  await writeFile(join(target, 'made.json'), `${JSON.stringify(what, undefined, 2)}\n`);
}

/** Whoever reads the fixture is in another boot, on this machine too. */
async function toEarlierBoot(file: string): Promise<void> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replaceAll(boot, '00000000-0000-4000-8000-000000000000'));
}

/** Puts a fixture where a daemon is to find it, with trees of layers, which are empty, as they are nobody's concern here. */
export async function putRecords(version: string, root: string): Promise<Told> {
  await cp(join(RECORDS, version, 'root'), root, { recursive: true });
  await rm(join(root, 'storage/layers/boot.json'), { force: true }); // an unclean end: the trees, which are not here, would be looked at
  for (const layer of await readdir(join(root, 'storage/layers'), { withFileTypes: true })) {
    if (layer.isDirectory()) await mkdir(join(root, 'storage/layers', layer.name, 'fs'));
  }
  for (const name of await readdir(join(root, 'storage/rootfs'))) {
    for (const part of ['diff', 'work']) await mkdir(join(root, 'storage/rootfs', name, part));
  }
  return JSON.parse(await readFile(join(RECORDS, version, 'made.json'), 'utf8')) as Told;
}

/** Which fields the records below `root` have, and of which types: `containers/ID/state.json Exited: data.exitCode number`. */
export async function shapeOf(root: string): Promise<readonly string[]> {
  const shape = new Set<string>();
  for (const path of await recordFiles(root)) {
    if (!path.endsWith('.json') || path.endsWith('/process.json')) continue; // that one is the runtime's, not a record
    const value: unknown = JSON.parse(await readFile(join(root, path), 'utf8'));
    const is = (value as { data?: { is?: string } }).data?.is;
    const name = path.replaceAll(/[0-9a-f]{16,}/g, 'ID') + (is === undefined ? '' : ` ${is}`);
    for (const field of fieldsOf(value, '')) shape.add(`${name}: ${field}`);
  }
  return [...shape].sort();
}

/** Maps that others have the keys of, as labels, count as one field. */
const OPEN_MAPS = /\.(labels|annotations|sysctls|capabilityArgs|hugepageLimits|unified)$/;

function fieldsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.length === 0 ? [`${path}[]`] : value.flatMap((each) => fieldsOf(each, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [`${path} ${value === null ? 'null' : typeof value}`];
  if (OPEN_MAPS.test(path)) return [`${path} map`];
  return [`${path} object`, ...Object.entries(value).flatMap(([name, each]) => fieldsOf(each, path === '' ? name : `${path}.${name}`))];
}
