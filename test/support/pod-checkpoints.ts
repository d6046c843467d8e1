/** Pods whose containers count, their checkpoints, and the requests that restore them. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { ContainerConfig, Init, RestorePodRequest, RestorePodResponse } from '../../api/cri/runtime.ts';
import { COUNT, countsOn } from './counting.ts';
import type { TestDaemon } from './daemon.ts';
import { containerConfig, podConfig, removePod, runContainer, runPod, shell, waitForOutput } from './pods.ts';
import type { Pod } from './pods.ts';

export const LIMIT = { timeoutMs: 120_000 };

/**
 * Two containers that count in turn, by the pod's memory that they share: each waits for just the number of the other. States of
 * different moments would wait for ever.
 */
const TURNS: Scripts = {
  one: 'i=0; while :; do i=$((i+1)); echo $i > /dev/shm/one; while [ "$(cat /dev/shm/two 2>/dev/null)" != $i ]; do sleep 0.05; done; echo count $i; done',
  two: 'i=0; while :; do if [ "$(cat /dev/shm/one 2>/dev/null)" = $((i+1)) ]; then i=$((i+1)); echo $i > /dev/shm/two; echo count $i; fi; sleep 0.05; done',
};
export const NAMES = ['one', 'two'] as const;
type Scripts = Readonly<Record<(typeof NAMES)[number], string>>;
/** Two that do not wait for each other. */
export const ALONE: Scripts = { one: COUNT, two: COUNT };

interface Counting {
  readonly pod: Pod;
  readonly ids: readonly string[];
}

export async function counting(daemon: TestDaemon, scripts = TURNS): Promise<Counting> {
  const pod = await runPod(daemon);
  const ids = [];
  for (const name of NAMES) ids.push(await runContainer(daemon, pod, shell(scripts[name]), { name }));
  for (const id of ids) await waitForOutput(daemon, id, 'count 3');
  return { pod, ids };
}

export async function emptyPlace(daemon: TestDaemon): Promise<string> {
  const place = join(daemon.directory, 'checkpoint');
  await remove(place);
  await mkdir(place, { mode: 0o700 });
  return place;
}

export async function bothCountOn(daemon: TestDaemon, { ids }: Pick<Counting, 'ids'>): Promise<void> {
  for (const id of ids) await countsOn(daemon, id);
}

export async function nothingStays(daemon: TestDaemon, { ids }: Counting, place: string): Promise<void> {
  assert.deepEqual(await readdir(place), []);
  for (const id of ids) assert.ok(!(await readdir(join(daemon.root, 'containers', id))).includes('checkpoint'));
}

/** What RestorePod is asked for, as the kubelet would: the same containers, in a new pod. */
export async function restoreRequest(daemon: TestDaemon, checkpointPath: string, change: Init<ContainerConfig> = {}, scripts = TURNS): Promise<{ pod: Pod; request: Init<RestorePodRequest> }> {
  const pod = { id: '', config: podConfig(daemon) };
  const containerConfigs = [];
  for (const name of NAMES) containerConfigs.push({ ...(await containerConfig(pod, shell(scripts[name]), { name })), ...change });
  return { pod, request: { checkpointPath, config: pod.config, runtimeHandler: '', containerConfigs } };
} // prettier-ignore

export async function checkpointed(daemon: TestDaemon, scripts = TURNS): Promise<{ place: string; last: number }> {
  const { pod, ids } = await counting(daemon, scripts);
  const place = await emptyPlace(daemon);
  const started = performance.now();
  await daemon.runtime.checkpointPod({ podSandboxId: pod.id, outputPath: place, containerIds: ids }, LIMIT);
  const { stdout } = await execa('du', ['-sb', place]);
  console.log(`checkpoint of two containers: ${Math.round(performance.now() - started)} ms, ${stdout.split('\t')[0] ?? ''} bytes`);
  await bothCountOn(daemon, { ids });
  await removePod(daemon, pod.id);
  const last = (await readFile(join(place, ids[1] ?? '', 'io.kubernetes.cri-o.LogPath'), 'utf8')).split('\n').filter((line) => line.includes(' count ')).length; // prettier-ignore
  return { place, last };
}

export async function sandboxIds(daemon: TestDaemon): Promise<string[]> {
  return (await daemon.runtime.listPodSandbox({})).items.map(({ id }) => id);
}

export function idsOf({ restoredContainers }: RestorePodResponse): string[] {
  return NAMES.map((name) => restoredContainers.find((each) => each.name === name)?.containerId ?? '');
}

/** The state of the freezer of a container, on cgroup v1 and v2. */
export async function freezerOf(pid: number): Promise<string> {
  const line = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n').find((each) => /^\d+:freezer:/.test(each));
  if (line !== undefined) return (await readFile(`/sys/fs/cgroup/freezer${line.split(':')[2] ?? ''}/freezer.state`, 'utf8')).trim();
  const path = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim().split('::')[1] ?? '';
  return (await readFile(`/sys/fs/cgroup${path}/cgroup.freeze`, 'utf8')).trim() === '1' ? 'FROZEN' : 'THAWED';
}
