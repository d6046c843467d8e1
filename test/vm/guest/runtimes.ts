/** Which runtime "auto" chooses on cgroup v2, and how the two compare there. */
import assert from 'node:assert/strict';
import { pathExists } from 'fs-extra/esm';
import { containerConfig, execSync, removePod } from '../../support/pods.ts';
import { withConfiguration } from './lab.ts';
import { PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { runPod } from './oom.ts';
import { step, tell } from './steps.ts';

const ROUNDS = 7;
const RUNTIMES = ['crun', 'runc'];

export async function runtimeCases(node: GuestNode, image: string): Promise<void> {
  const before = await node.inventory();
  await withConfiguration(node, 'auto', '[runtime]\ndefault = "auto"', async () => {
    await step(`${node.driver}: "auto" is crun here, for the node and for a container that names no handler`, async () =>
      chosen(node, image),
    );
    await step(`${node.driver}: crun and runc in turn`, async () => compare(node, image));
  });
  await step(`${node.driver}: nothing is left of those pods`, async () => node.assertNothingNew(before));
}

async function inPod(
  node: GuestNode,
  runtime: string,
  image: string,
  work: (create: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const { pod, podCgroup } = await runPod(node, runtime);
  try {
    await work(async () => {
      const config = await containerConfig(pod, ['sleep', '3600'], { image });
      const { containerId } = await node.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
      await node.runtime.startContainer({ containerId });
      return containerId;
    });
  } finally {
    await removePod(node, pod.id);
    await node.removePodCgroup(podCgroup);
  }
}

async function chosen(node: GuestNode, image: string): Promise<void> {
  assert.equal((await node.admin.status()).defaultRuntime, 'crun');
  await inPod(node, '', image, async (create) => {
    const id = await create();
    // Where each handler's runtime keeps what it knows of its containers.
    assert.deepEqual(await Promise.all(RUNTIMES.map(async (runtime) => pathExists(`${node.runDir}/runtime/${runtime}/${id}`))), [
      true,
      false,
    ]);
  });
}

/** In turn, so that what else the machine does falls on both. */
async function compare(node: GuestNode, image: string): Promise<void> {
  const took: Record<string, { start: number[]; exec: number[] }> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const runtime of RUNTIMES) {
      const { start, exec } = (took[runtime] ??= { start: [], exec: [] });
      await inPod(node, runtime, image, async (create) => {
        let begun = performance.now();
        const id = await create();
        start.push(performance.now() - begun);
        begun = performance.now();
        assert.equal((await execSync(node, id, ['true'], PATIENCE_MS / 1000)).exitCode, 0);
        exec.push(performance.now() - begun);
      });
    }
  }
  const of = (runtime: string, what: 'start' | 'exec'): number => Math.round(median(took[runtime]?.[what] ?? []));
  for (const what of ['start', 'exec'] as const) {
    const [crun, runc] = [of('crun', what), of('runc', what)];
    tell({
      kind: 'note',
      text: `${what === 'start' ? 'Create+Start' : 'ExecSync'}: crun ${crun} ms, runc ${runc} ms, ratio ${(crun / runc).toFixed(2)}`,
    });
    // "auto" prefers it for its speed; the machine is emulated and shared, so only much is wrong.
    assert.ok(crun < runc * 1.2, `${what}: crun ${crun} ms, runc ${runc} ms`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
