// alone: it measures the daemon under as much load as the machine bears.
import assert from 'node:assert/strict';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { removePod, runContainer, runPod } from '../support/pods.ts';

const PODS = 50;
const AT_ONCE = 10;
/** The kubelet's relist comes every second; an answer slower than this is felt by every pod. */
const LIST_P99_MS = 500;

async function inParallel<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Asks for both lists again and again; how long each answer took, milliseconds. */
function keepListing(daemon: TestDaemon): { stop: () => Promise<number[]> } {
  const tookMs: number[] = [];
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) {
      for (const list of [daemon.runtime.listPodSandbox, daemon.runtime.listContainers]) {
        const begin = performance.now();
        await list({});
        tookMs.push(performance.now() - begin);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const running = loop();
  return {
    stop: async () => {
      stopped = true;
      await running;
      return tookMs.sort((a, b) => a - b);
    },
  };
}

e2eTest(
  `${PODS} pods with a container each, ${AT_ONCE} at a time: all run, lists answer throughout, all is removed`,
  async (daemon, context) => {
    const listing = keepListing(daemon);
    const begin = performance.now();
    const pods = await inParallel(Array.from({ length: PODS }), async () => {
      const pod = await runPod(daemon);
      await runContainer(daemon, pod, ['sleep', '3600']);
      return pod.id;
    });
    const madeS = (performance.now() - begin) / 1000;
    const { items } = await daemon.runtime.listPodSandbox({ filter: { state: { state: PodSandboxState.SANDBOX_READY } } });
    assert.equal(items.length, PODS);
    const { containers } = await daemon.runtime.listContainers({ filter: { state: { state: ContainerState.CONTAINER_RUNNING } } });
    assert.equal(containers.length, PODS);
    const addresses = await inParallel(
      pods,
      async (podSandboxId) => (await daemon.runtime.podSandboxStatus({ podSandboxId })).status?.network?.ip,
    );
    assert.equal(new Set(addresses).size, PODS, 'two pods have the same address');

    const removing = performance.now();
    await inParallel(containers, async ({ id }) => daemon.runtime.stopContainer({ containerId: id, timeout: 0n }));
    await inParallel(pods, async (id) => removePod(daemon, id));
    const removedS = (performance.now() - removing) / 1000;
    const tookMs = await listing.stop();
    const percentile = (share: number): number => tookMs[Math.floor(tookMs.length * share)] ?? 0;
    context.diagnostic(
      `made in ${madeS.toFixed(1)} s, removed in ${removedS.toFixed(1)} s; ${tookMs.length} lists: ` +
        `p50 ${percentile(0.5).toFixed(1)} ms, p99 ${percentile(0.99).toFixed(1)} ms, slowest ${(tookMs.at(-1) ?? 0).toFixed(1)} ms`,
    );
    assert.ok(percentile(0.99) < LIST_P99_MS, `p99 of the lists is ${percentile(0.99).toFixed(0)} ms, must be below ${LIST_P99_MS}`);
  },
  { timeoutMs: 300_000 },
);
