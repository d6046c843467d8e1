/** What one pod's life costs the machine: processor time by who spent it, programs started, flushes to the disk. */
import { setTimeout as sleep } from 'node:timers/promises';
import { podLife } from './pod-life.ts';
import type { PodMaker } from './pod-life.ts';
import { processorTimeOf } from './runtime-process.ts';
import type { Target } from './targets.ts';
import { below } from './taskstats.ts';
import type { EndedProcess, TaskStats } from './taskstats.ts';
import { Times } from './times.ts';
import { countCalls } from './trace-calls.ts';

const TRACED_LIVES = 3;
/** For what ends a moment after the last call: monitors, and what the kernel tells of them. */
const REST_MS = 1000;
const MONITOR = /^(conmon|containerd-shim)/;
/** And what it becomes: `true` and `sleep` were the runtime's own process until their start. */
const RUNTIME = /^(runc|crun|exe$|true$|sleep$|\d$)/;
const PLUGIN = /^(bridge|host-local|portmap|loopback)$/;

type Share = 'monitors' | 'runtime and container' | 'plugins' | 'other programs';
const SHARES: readonly Share[] = ['monitors', 'runtime and container', 'plugins', 'other programs'];

/** Processor time per life, in the mean of `lives`. */
export async function measureProcessor(target: Target, lives: number, stats: TaskStats): Promise<void> {
  const { pid, rootPid, times } = target;
  if (pid === undefined || rootPid === undefined) return;
  stats.take();
  const before = await processorTimeOf(pid);
  for (let n = 0; n < lives; n += 1) await podLife(target, new Times());
  await sleep(REST_MS);
  const own = (await processorTimeOf(pid)).own - before.own;
  const ended = below(rootPid, stats.take());
  const shares = sharesOf(ended);
  const all = own + [...shares.values()].reduce((sum, ms) => sum + ms, 0);
  times.add('processor per pod life: all, ms', all / lives);
  times.add('processor per pod life: daemon, ms', own / lives);
  for (const share of SHARES) times.add(`processor per pod life: ${share}, ms`, (shares.get(share) ?? 0) / lives);
  await target.tidy();
}

/** The same of the parts alone, which this process starts itself. */
export async function measureFloorsProcessor(floor: PodMaker, times: Times, lives: number, stats: TaskStats): Promise<void> {
  stats.take();
  for (let n = 0; n < lives; n += 1) await podLife(floor, new Times());
  await sleep(REST_MS);
  const shares = sharesOf(below(process.pid, stats.take()));
  times.add('processor per pod life: all, ms', [...shares.values()].reduce((sum, ms) => sum + ms, 0) / lives);
  for (const share of SHARES) times.add(`processor per pod life: ${share}, ms`, (shares.get(share) ?? 0) / lives);
}

function sharesOf(ended: readonly EndedProcess[]): Map<Share, number> {
  const byPid = new Map(ended.map((each) => [each.pid, each]));
  const isOfPlugin = (each: EndedProcess | undefined, depth = 0): boolean =>
    each !== undefined && depth < 16 && (PLUGIN.test(each.name) || isOfPlugin(byPid.get(each.parent), depth + 1));
  const shares = new Map<Share, number>();
  for (const each of ended) {
    const share: Share = MONITOR.test(each.name)
      ? 'monitors'
      : RUNTIME.test(each.name)
        ? 'runtime and container'
        : isOfPlugin(each)
          ? 'plugins'
          : 'other programs';
    shares.set(share, (shares.get(share) ?? 0) + each.processorMs);
  }
  return shares;
}

/** Programs and flushes per life. */
export async function measureCalls(target: Target): Promise<void> {
  const { pid, rootPid, times } = target;
  if (pid === undefined || rootPid === undefined) return;
  const { programs, flushes } = await countCalls([...new Set([pid, rootPid])], async () => {
    for (let n = 0; n < TRACED_LIVES; n += 1) await podLife(target, new Times());
  });
  times.add('programs started per pod life', programs / TRACED_LIVES);
  times.add('flushes to the disk per pod life', flushes / TRACED_LIVES);
  await target.tidy();
}
