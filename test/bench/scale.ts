/** Many pods: how long they take to come and go, what that costs, how much memory they take, and how long a start with them takes. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMetrics } from '../support/metrics.ts';
import { CALL, CriPod } from './pod-life.ts';
import { inParallel } from './lists.ts';
import { descendantsOf, processorTimeOf, programOf, pssOf } from './runtime-process.ts';
import type { Target } from './targets.ts';

const AT_ONCE = 10;
const REST_MS = 3000;
/** After the first answer, for what a start does behind it. */
const SETTLE_MS = 3000;
const MONITOR = /^(conmon|containerd-shim)/;

/** Processor time of the whole machine, the kernel's own threads too, seconds: proc_stat(5). */
async function machineSeconds(): Promise<number> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.trim().split(/\s+/).slice(1).map(Number); // prettier-ignore
  return (user + nice + system + irq + softirq) / 100;
}

/** `pods` of one target, ten at a time, and away again; with `restores`, as many that it finds again after `kill -9`. */
export async function measureScale(target: Target, pods: number): Promise<void> {
  const { times } = target;
  const rest = target.pid === undefined ? undefined : await pssOf(target.pid);
  if (rest !== undefined) times.add('PSS of the daemon, without a pod, MiB', rest);
  const words = `${pods} pods, ${AT_ONCE} at a time`;
  const [made] = await costOf(target, words, async () => makePods(target, pods));
  await sleep(REST_MS);
  await tellMemory(target, pods);
  await tellLag(target);
  await costOf(target, `taking down ${words}`, async () => removePods(made));
  await target.tidy();
}

async function costOf<T>({ times }: Target, what: string, work: () => Promise<T>): Promise<readonly [T]> {
  const [before, begun] = [await machineSeconds(), performance.now()];
  const result = await work();
  times.add(`${what}, s`, (performance.now() - begun) / 1000);
  times.add(`${what}, machine's processor s`, (await machineSeconds()) - before);
  return [result];
}

/** With a container each, ten at a time. */
export async function makePods(target: Target, count: number): Promise<CriPod[]> {
  const made: CriPod[] = [];
  await inParallel(count, AT_ONCE, async () => {
    const pod = await CriPod.run(target);
    made.push(pod);
    await pod.startContainer();
  });
  return made;
}

export async function removePods(pods: readonly CriPod[]): Promise<void> {
  await inParallel(pods.length, AT_ONCE, async (index) => {
    await pods[index]?.removeContainer();
    await pods[index]?.remove();
  });
}

/** That of all programs that stay with a container, MiB. */
export async function monitorsPss({ rootPid }: Target): Promise<number> {
  let monitors = 0;
  for (const each of rootPid === undefined ? [] : await descendantsOf(rootPid)) {
    if (MONITOR.test(await programOf(each))) monitors += await pssOf(each).catch(() => 0);
  }
  return monitors;
}

async function tellMemory(target: Target, pods: number): Promise<void> {
  const { pid, rootPid, times } = target;
  if (pid === undefined || rootPid === undefined) return;
  const [daemon, monitors] = [await pssOf(pid), await monitorsPss(target)];
  times.add(`PSS of the daemon, ${pods} pods, MiB`, daemon);
  times.add(`PSS of the monitors, ${pods} pods, MiB`, monitors);
  times.add(`PSS of both, ${pods} pods, MiB`, daemon + monitors);
}

/** How late our event loop came to its timers until now: podwright_event_loop_lag_seconds. */
async function tellLag({ daemon, times }: Target): Promise<void> {
  if (daemon === undefined) return;
  const text = await readMetrics(daemon);
  const buckets = [...text.matchAll(/^podwright_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)];
  const all = Number(buckets.at(-1)?.[2]);
  const p99 = buckets.find(([, , count]) => Number(count) >= 0.99 * all)?.[1];
  times.add('event-loop lag since the start, p99 at most, ms', Number(p99) * 1000);
  const longest = /^podwright_event_loop_longest_lag_seconds (\S+)$/m.exec(text)?.[1];
  times.add('event-loop lag, longest, ms', Number(longest) * 1000);
}

/** A start after `kill -9`, with this many pods. */
export async function measureRestore(target: Target, pods: number): Promise<void> {
  const { restart, times } = target;
  if (restart === undefined) return;
  const made = await makePods(target, pods);
  try {
    await times.measure(`start with ${pods} pods, first answer`, restart);
    const { containers } = await target.client.runtime.listContainers({ filter: { state: { state: 1 } } }, CALL);
    if (containers.length < pods) throw new Error(`${target.name} has ${containers.length} containers after its start, must be ${pods}`);
    await sleep(SETTLE_MS);
    if (target.pid !== undefined) times.add(`start with ${pods} pods, its processor ms`, (await processorTimeOf(target.pid)).own);
    if (target.pid !== undefined) times.add(`start with ${pods} pods, PSS after it, MiB`, await pssOf(target.pid));
  } finally {
    await removePods(made);
    await target.tidy();
  }
}
