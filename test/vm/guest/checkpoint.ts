/** Checkpoints on cgroup v2 alone, with Debian 13's CRIU, under each of its runtimes: of a container, and of a pod. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { ContainerState, SecurityProfileProfileType } from '../../../api/cri/enums.ts';
import type { ContainerConfig, Init } from '../../../api/cri/runtime.ts';
import {
  containerConfig,
  containerStatus,
  execSync,
  failureOf,
  outputOf,
  podConfig,
  removePod,
  shell,
  until,
  waitForOutput,
} from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import { cgroupFile, cgroupOf, output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { step, tell } from './steps.ts';

/** Counts in its memory alone. Every process is dear here. */
const COUNT = shell('i=0; while :; do i=$((i+1)); echo count $i; sleep 1; done');
const NAMES = ['one', 'two'] as const;
const LIMIT = { timeoutMs: 2 * PATIENCE_MS };
const PLACE = '/var/lib/vm-test/checkpoints';

export async function checkpointCases(node: GuestNode, image: string): Promise<void> {
  tell({ kind: 'note', text: `${await output('criu', '--version')}; criu check: ${await output('criu', 'check').catch(String)}` });
  const before = await node.inventory();
  await mkdir(PLACE, { recursive: true });
  for (const runtime of ['runc', 'crun']) {
    const { driver } = node;
    await step(`${driver}, ${runtime}: a container counts on after its checkpoint, and in another pod, with its profile`, async () => ofContainer(node, image, runtime)); // prettier-ignore
    await step(`${driver}, ${runtime}: what was not confined is not restored in a pod whose containers are`, async () => ofUnconfined(node, image, runtime)); // prettier-ignore
    await step(`${driver}, ${runtime}: the containers of a pod are frozen together, count on, and in another pod`, async () => ofPod(node, image, runtime)); // prettier-ignore
  }
  await step(`${node.driver}: nothing is left of checkpoints`, async () => node.assertNothingNew(before));
}

interface GuestPod extends Pod {
  readonly cgroup: string;
}

async function configOf(node: GuestNode): Promise<{ config: GuestPod['config']; cgroup: string }> {
  const uid = randomUUID();
  const cgroup = await node.makePodCgroup(uid);
  const base = podConfig(node, { uid });
  return { config: { ...base, linux: { ...base.linux, cgroupParent: cgroup } }, cgroup };
}

async function withPods(node: GuestNode, work: (newPod: (runtime: string) => Promise<GuestPod>, take: (pod: GuestPod) => void) => Promise<void>): Promise<void> {
  const pods: GuestPod[] = [];
  const newPod = async (runtime: string): Promise<GuestPod> => {
    const { config, cgroup } = await configOf(node);
    const { podSandboxId } = await node.runtime.runPodSandbox({ config, runtimeHandler: runtime });
    const pod = { id: podSandboxId, config, cgroup };
    pods.push(pod);
    return pod;
  };
  try {
    await work(newPod, (pod) => pods.push(pod));
  } finally {
    for (const { id, cgroup } of pods) {
      await removePod(node, id);
      await node.removePodCgroup(cgroup);
    }
    await remove(PLACE);
    await mkdir(PLACE);
  }
} // prettier-ignore

async function run(node: GuestNode, pod: Pod, config: Init<ContainerConfig>): Promise<string> {
  const { containerId } = await node.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await node.runtime.startContainer({ containerId }, LIMIT);
  return containerId;
}

async function counts(node: GuestNode, id: string): Promise<number[]> {
  return (await outputOf(node, id)).flatMap((line) => (line.startsWith('count ') ? [Number(line.slice(6))] : []));
}

async function countsOn(node: GuestNode, id: string, from: number): Promise<void> {
  await until(`container ${id} counts on`, async () => (await counts(node, id)).length > from + 2, PATIENCE_MS);
  const seen = await counts(node, id);
  assert.deepEqual(
    seen,
    seen.map((_, index) => index + 1),
  );
}

async function ofContainer(node: GuestNode, image: string, runtime: string): Promise<void> {
  await withPods(node, async (newPod) => {
    const pod = await newPod(runtime);
    const id = await run(node, pod, await containerConfig(pod, COUNT, { image }));
    await waitForOutput(node, id, 'count 2', PATIENCE_MS);
    const location = join(PLACE, 'one.tar');
    await node.runtime.checkpointContainer({ containerId: id, location, timeout: BigInt(PATIENCE_MS / 1000) }, LIMIT);
    assert.equal(await cgroupFile(await cgroupOf(await node.pidOf(id)), 'cgroup.freeze'), '0');
    const last = (await counts(node, id)).length;
    await countsOn(node, id, last);
    const other = await newPod(runtime);
    const restored = await run(node, other, await containerConfig(other, ['x'], { image: location }));
    await countsOn(node, restored, last);
    assert.equal((await readFile(`/proc/${await node.pidOf(restored)}/attr/current`, 'utf8')).trim(), 'podwright-default (enforce)');
    const { stdout } = await execSync(node, restored, ['hostname'], PATIENCE_MS / 1000);
    assert.equal(Buffer.from(stdout).toString().trim(), other.config.hostname);
  });
}

/** CRIU restores a process without a profile as it was: it must not go on in a pod whose containers are confined. */
async function ofUnconfined(node: GuestNode, image: string, runtime: string): Promise<void> {
  await withPods(node, async (newPod) => {
    const pod = await newPod(runtime);
    const id = await run(node, pod, unconfined(await containerConfig(pod, COUNT, { image })));
    await waitForOutput(node, id, 'count 2', PATIENCE_MS);
    const location = join(PLACE, 'unconfined.tar');
    await node.runtime.checkpointContainer({ containerId: id, location, timeout: BigInt(PATIENCE_MS / 1000) }, LIMIT);
    const other = await newPod(runtime);
    const config = await containerConfig(other, ['x'], { image: location });
    const { containerId } = await node.runtime.createContainer({ podSandboxId: other.id, config, sandboxConfig: other.config });
    const { code, message } = await failureOf(node.runtime.startContainer({ containerId }, LIMIT));
    assert.match(
      `${code}: ${message}`,
      /FAILED_PRECONDITION: .*AppArmor profile unconfined, as in the checkpoint, must have podwright-default/,
    );
    const nothing = async (): Promise<boolean> =>
      (await output('sh', '-c', `cat /proc/[0-9]*/cgroup 2>/dev/null | grep -c ${containerId} || true`)) === '0';
    await until('nothing of it goes on', nothing, PATIENCE_MS);
    assert.equal((await containerStatus(node, containerId)).state, ContainerState.CONTAINER_EXITED);
  });
}

function unconfined(config: Init<ContainerConfig>): Init<ContainerConfig> {
  const apparmor = { profileType: SecurityProfileProfileType.Unconfined, localhostRef: '' };
  return { ...config, linux: { ...config.linux, securityContext: { ...config.linux?.securityContext, apparmor } } };
}

async function ofPod(node: GuestNode, image: string, runtime: string): Promise<void> {
  await withPods(node, async (newPod, take) => {
    const pod = await newPod(runtime);
    const ids: string[] = [];
    for (const name of NAMES) ids.push(await run(node, pod, await containerConfig(pod, COUNT, { image, name })));
    for (const id of ids) await waitForOutput(node, id, 'count 2', PATIENCE_MS);
    await node.runtime.checkpointPod({ podSandboxId: pod.id, outputPath: PLACE, containerIds: ids }, LIMIT);
    const last: number[] = [];
    for (const id of ids) {
      assert.equal(await cgroupFile(await cgroupOf(await node.pidOf(id)), 'cgroup.freeze'), '0');
      last.push((await counts(node, id)).length);
    }
    for (const [index, id] of ids.entries()) await countsOn(node, id, last[index] ?? 0);
    assert.equal((await readdir(PLACE)).length, NAMES.length + 1);

    const { config, cgroup } = await configOf(node);
    const containerConfigs = [];
    for (const name of NAMES) containerConfigs.push(await containerConfig({ id: '', config }, COUNT, { image, name }));
    const answer = await node.runtime.restorePod({ checkpointPath: PLACE, config, runtimeHandler: runtime, containerConfigs }, LIMIT);
    take({ id: answer.podSandboxId, config, cgroup });
    for (const { containerId } of answer.restoredContainers) await node.runtime.startContainer({ containerId }, LIMIT);
    for (const [index, { containerId }] of answer.restoredContainers.entries()) await countsOn(node, containerId, last[index] ?? 0);
  });
}
