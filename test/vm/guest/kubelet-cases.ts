/** A kubelet on the node. It takes the node for its own and ends pods that it does not know, so that there may be no others. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathExists } from 'fs-extra/esm';
import { removePod, until } from '../../support/pods.ts';
import { GuestKubelet } from './kubelet.ts';
import { withConfiguration } from './lab.ts';
import { PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { skip, step } from './steps.ts';

export async function kubeletCases(node: GuestNode, image: string): Promise<void> {
  const { driver } = node;
  if (!(await GuestKubelet.isThere())) {
    skip(`${driver}: a kubelet with default settings`, 'npm run test:kubelet has built none yet');
    return;
  }
  const before = await node.inventory();
  await withConfiguration(node, 'kubelet', '[cadvisor]\ncrio_compat = true', async () => {
    await step(`${driver}: a kubelet with default settings has names and networks in /metrics/cadvisor`, async () =>
      byKubelet(node, image),
    );
  });
  await step(`${driver}: nothing is left of the kubelet and its pod`, async () => node.assertNothingNew(before));
}

/** The cgroups of pods, and those between, deepest first. */
async function cgroupsOfPods({ cgroup }: GuestNode): Promise<string[]> {
  const found = await readdir(join('/sys/fs/cgroup', cgroup), { recursive: true, withFileTypes: true });
  const paths = found
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice('/sys/fs/cgroup'.length));
  return paths.sort((a, b) => b.length - a.length);
}

async function byKubelet(node: GuestNode, image: string): Promise<void> {
  assert.deepEqual((await node.runtime.listPodSandbox({})).items, []);
  const before = new Set(await cgroupsOfPods(node));
  const kubelet = await GuestKubelet.start(node);
  try {
    await kubelet.apply('named', image);
    const lacks = { words: ['an answer'] };
    const isWhole = async (): Promise<boolean> => {
      lacks.words = await kubelet.lacks('named', image).catch((error: unknown) => [String(error)]);
      return lacks.words.length === 0;
    };
    await until('/metrics/cadvisor is whole', isWhole, 2 * PATIENCE_MS).catch(async (error: unknown) => {
      throw new Error(`/metrics/cadvisor lacks ${lacks.words.join(', ')}\n${await kubelet.logTail()}`, { cause: error });
    });
    await kubelet.remove('named');
  } finally {
    await kubelet.stop();
    // It ends before its last pod is taken down, and leaves its own cgroups.
    const { items } = await node.runtime.listPodSandbox({
      filter: { labelSelector: { 'io.kubernetes.pod.name': kubelet.podName('named') } },
    });
    for (const { id } of items) await removePod(node, id);
    for (const path of (await cgroupsOfPods(node)).filter((each) => !before.has(each)))
      if (await pathExists(join('/sys/fs/cgroup', path))) await node.removePodCgroup(path);
  }
}
