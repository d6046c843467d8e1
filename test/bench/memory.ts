/** What memory a runtime takes, and what it keeps: without a pod, with pods, after many lives, after a large pull. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inParallel } from './lists.ts';
import { podLife } from './pod-life.ts';
import { blobsOf, pushBenchImage } from './pull-images.ts';
import type { BenchImage } from './pull-images.ts';
import { privateOf, pssOf, residentOf } from './runtime-process.ts';
import { makePods, monitorsPss, removePods } from './scale.ts';
import type { Target } from './targets.ts';
import { Times } from './times.ts';

const LIVES_AT_ONCE = 5;
/** After a burst; what a runtime gives back by itself is given back by then. */
const REST_MS = 65_000;
const PULL = { timeoutMs: 900_000 };

export interface MemoryPlan {
  readonly pods: readonly number[];
  readonly lives: number;
  readonly image: BenchImage | undefined;
  readonly registry: string | undefined;
  readonly restMs?: number;
}

export async function measureMemory(
  targets: readonly Target[],
  { pods, lives, image, registry, restMs = REST_MS }: MemoryPlan,
): Promise<void> {
  const each = async (work: (target: Target) => Promise<void>): Promise<void> => {
    for (const target of targets) if (target.pid !== undefined) await work(target);
  };
  const tellAll = async (when: string): Promise<void> => {
    await sleep(restMs);
    await each(async (target) => tell(target, when));
  };
  await tellAll('without a pod');
  for (const count of pods) {
    const made = new Map<Target, Awaited<ReturnType<typeof makePods>>>();
    await each(async (target) => {
      made.set(target, await makePods(target, count));
    });
    await tellAll(`${count} pods`);
    await each(async (target) => {
      target.times.add(`memory, ${count} pods, the monitors' PSS, MiB`, await monitorsPss(target));
      await removePods(made.get(target) ?? []);
      await target.tidy();
    });
  }
  await each(async (target) => {
    await inParallel(lives, LIVES_AT_ONCE, async () => podLife(target, new Times()));
    await target.tidy();
  });
  await tellAll(`after ${lives} lives`);
  if (image === undefined || registry === undefined) return;
  if ((await blobsOf(registry, image, '1')).length === 0) await pushBenchImage(image, registry);
  await each(async ({ client }) => {
    await client.image.pullImage({ image: { image: `${registry}/bench/${image.name}:1` } }, PULL);
  });
  await tellAll(`after a pull of ${image.words}`);
}

async function tell({ pid = 0, times }: Target, when: string): Promise<void> {
  times.add(`memory, ${when}, PSS, MiB`, await pssOf(pid));
  times.add(`memory, ${when}, private, MiB`, await privateOf(pid));
  times.add(`memory, ${when}, resident, MiB`, await residentOf(pid));
}
