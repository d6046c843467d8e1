/** What the kubelet asks again and again, with many containers: lists, states and figures, in one message and as a stream. */
import { CriPod } from './pod-life.ts';
import type { Target } from './targets.ts';
import { CALL } from './pod-life.ts';
import { inTurn } from './turns.ts';

const PER_POD = 10;
const AT_ONCE = 5;
const ROUNDS = 6;
const LISTS_PER_ROUND = 40;
const STATS_PER_ROUND = 2;

type Question = readonly [what: string, times: number, ask: (target: Target, containerId: string) => Promise<unknown>];

async function all(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const QUESTIONS: readonly Question[] = [
  ['ListContainers', LISTS_PER_ROUND, async ({ client }) => client.runtime.listContainers({}, CALL)],
  ['StreamContainers', LISTS_PER_ROUND, async ({ client }) => all(client.runtime.streamContainers({}, CALL))],
  ['ListPodSandbox', LISTS_PER_ROUND, async ({ client }) => client.runtime.listPodSandbox({}, CALL)],
  ['ContainerStatus', LISTS_PER_ROUND, async ({ client }, containerId) => client.runtime.containerStatus({ containerId }, CALL)],
  ['ListContainerStats', STATS_PER_ROUND, async ({ client }) => client.runtime.listContainerStats({}, CALL)],
  ['StreamContainerStats', STATS_PER_ROUND, async ({ client }) => all(client.runtime.streamContainerStats({}, CALL))],
  ['ListPodSandboxStats', STATS_PER_ROUND, async ({ client }) => client.runtime.listPodSandboxStats({}, CALL)],
];

/** Runs `containers` of each target, ten in a pod, and asks all in turn. */
export async function measureLists(targets: readonly Target[], containers: number): Promise<void> {
  const pods = new Map<Target, CriPod[]>();
  try {
    for (const target of targets) {
      const made: CriPod[] = [];
      pods.set(target, made);
      await inParallel(Math.ceil(containers / PER_POD), AT_ONCE, async () => {
        const pod = await CriPod.run(target);
        made.push(pod);
        for (let n = 0; n < Math.min(PER_POD, containers); n += 1) await pod.startContainer(`c${n}`);
      });
    }
    // One round uncounted: the code of this client is compiled in it, which would be charged to whoever is asked first.
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const target of inTurn(targets, round)) await ask(target, containers, pods.get(target) ?? [], round > 0);
    }
  } finally {
    for (const [target, made] of pods) {
      await inParallel(made.length, AT_ONCE, async (index) => made[index]?.removeAll());
      await target.tidy();
    }
  }
}

async function ask(target: Target, containers: number, pods: readonly CriPod[], isCounted: boolean): Promise<void> {
  for (const [what, times, question] of QUESTIONS) {
    const name = `${what}, ${containers} containers`;
    for (let n = 0; n < times; n += 1) {
      // A runtime may not have all of them.
      const asked = async (): Promise<unknown> => question(target, pods[n % pods.length]?.containerId ?? '');
      const isAnswered = await (isCounted ? target.times.measure(name, asked) : asked()).then(
        () => true,
        () => false,
      );
      if (!isAnswered) break;
    }
  }
}

export async function inParallel(count: number, atOnce: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
