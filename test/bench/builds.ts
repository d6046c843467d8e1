/**
 * Compares builds of ours by what a pod costs: `npm run bench:builds -- NAME=DIST[+everything]... [--rounds N] [--lives N] [--pods N]
 * [--memory-rounds N]`. `DIST` is a directory that scripts/build.ts has made, of any commit. With `+everything` its daemon is scraped every
 * ten seconds, traces to a receiver that is not there, and stands in for CRI-O before cAdvisor. All are measured in turns: a round of pod
 * lives of each, one after the other, then the memory of a fresh daemon of each with pods. A table, then JSON. Root.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { configureCadvisor } from '../support/cadvisor.ts';
import { TestDaemon } from '../support/daemon.ts';
import { readMetrics } from '../support/metrics.ts';
import { execSync, removePod, runContainer, runPod } from '../support/pods.ts';
import { removeCgroups } from '../support/sweep.ts';
import { processorTimeOf, pssOf } from './runtime-process.ts';
import { median, Times } from './times.ts';

const SCRAPE_EVERY_MS = 10_000;
const AT_ONCE = 10;
const REST_MS = 5_000;
const SLEEP = ['sleep', '3600'];
/** Nobody listens there: the worst that can be configured. */
const TRACING = '[tracing]\nendpoint = "http://127.0.0.1:9"\nsampling_rate_per_million = 1000000\n';
const USAGE = 'usage: bench:builds NAME=DIST[+everything]... [--rounds N] [--lives N] [--pods N] [--memory-rounds N]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    lives: { type: 'string', default: '20' },
    pods: { type: 'string', default: '50' },
    'memory-rounds': { type: 'string', default: '3' },
  },
});

interface Build {
  readonly name: string;
  readonly dist: string;
  readonly everything: boolean;
  readonly times: Times;
}

/** A daemon of a build, with what looks at it. */
interface Running {
  readonly build: Build;
  readonly daemon: TestDaemon;
  readonly end: () => Promise<void>;
}

async function start(build: Build): Promise<Running> {
  const daemon = await TestDaemon.start({
    args: ['--log-level', 'info'],
    env: { PODWRIGHT_DIST: build.dist },
    isHeldUp: true,
    ...(build.everything && { config: TRACING }),
  });
  if (!build.everything) return { build, daemon, end: async () => daemon.destroy() };
  await configureCadvisor(daemon, true);
  await daemon.restart();
  const timer = setInterval(() => void readMetrics(daemon).catch(() => undefined), SCRAPE_EVERY_MS);
  return {
    build,
    daemon,
    end: async () => {
      clearInterval(timer);
      await daemon.destroy();
    },
  };
}

async function life(daemon: TestDaemon, times: Times): Promise<void> {
  const { runtime } = daemon;
  const begun = performance.now();
  const pod = await times.measure('RunPodSandbox, ms', async () => runPod(daemon));
  const id = await times.measure('Create + Start, ms', async () => runContainer(daemon, pod, SLEEP));
  await times.measure('ExecSync true, ms', async () => execSync(daemon, id, ['true']));
  await times.measure('Stop + Remove container, ms', async () => {
    await runtime.stopContainer({ containerId: id, timeout: 0n });
    await runtime.removeContainer({ containerId: id });
  });
  await times.measure('StopPod + RemovePod, ms', async () => removePod(daemon, pod.id));
  times.add('a pod life, ms', performance.now() - begun);
}

async function livesOf({ build: { times }, daemon }: Running, count: number): Promise<void> {
  const before = await processorTimeOf(daemon.pid);
  for (let n = 0; n < count; n += 1) await life(daemon, times);
  const after = await processorTimeOf(daemon.pid);
  times.add('processor of the daemon per life, ms', (after.own - before.own) / count);
  times.add('processor of its programs per life, ms', (after.children - before.children) / count);
  await removeCgroups(daemon.cgroup);
}

async function memoryOf({ build: { times }, daemon }: Running): Promise<void> {
  await sleep(REST_MS);
  times.add('PSS without a pod, MiB', await pssOf(daemon.pid));
  let left = Number(values.pods);
  const begun = performance.now();
  const worker = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1;
      await runContainer(daemon, await runPod(daemon), SLEEP);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  times.add(`${values.pods} pods, ten at once, s`, (performance.now() - begun) / 1000);
  // One scrape at least.
  const before = await processorTimeOf(daemon.pid);
  await sleep(REST_MS + SCRAPE_EVERY_MS);
  const after = await processorTimeOf(daemon.pid);
  times.add(`processor at rest with ${values.pods} pods, %`, (100 * (after.own - before.own)) / (REST_MS + SCRAPE_EVERY_MS));
  times.add(`PSS with ${values.pods} pods, MiB`, await pssOf(daemon.pid));
}

function report(builds: readonly Build[]): void {
  const names = [...new Set(builds.flatMap(({ times }) => times.names))];
  const cell = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
  const row = (...cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);
  row('median', ...builds.map(({ name }) => name), ...builds.slice(1).map(({ name }) => `${name} to ${builds[0]?.name ?? ''}`));
  row(...Array.from({ length: 2 * builds.length }, () => '---'));
  for (const name of names) {
    const medians = builds.map(({ times }) => median(times.of(name)));
    const ratios = medians.slice(1).map((value) => (value / (medians[0] ?? Number.NaN)).toFixed(2));
    row(name, ...medians.map(cell), ...ratios);
  }
  process.stdout.write(`${JSON.stringify(Object.fromEntries(builds.map(({ name, times }) => [name, times])))}\n`);
}

async function main(): Promise<void> {
  // The command that loads the image is of this one.
  process.env['PODWRIGHT_DIST'] ??= join(import.meta.dirname, '../../dist');
  const builds = positionals.map((each): Build => {
    const [, name = '', dist = '', everything] = /^([^=]+)=(.+?)(\+everything)?$/.exec(each) ?? [];
    if (dist === '') throw new Error(`${each} is not NAME=DIST. ${USAGE}`);
    return { name, dist, everything: everything !== undefined, times: new Times() };
  });
  if (builds.length === 0) throw new Error(USAGE);
  const inTurn = <T>(all: readonly T[], round: number): readonly T[] => (round % 2 === 0 ? all : all.toReversed());
  const running: Running[] = [];
  try {
    for (const build of builds) running.push(await start(build));
    // The first pods of a daemon load code and make the bridge.
    for (const { daemon } of running) for (let n = 0; n < 3; n += 1) await life(daemon, new Times());
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const each of inTurn(running, round)) await livesOf(each, Number(values.lives));
    }
  } finally {
    for (const each of running) await each.end();
  }
  for (let round = 0; round < Number(values['memory-rounds']); round += 1) {
    for (const build of inTurn(builds, round)) {
      const fresh = await start(build);
      try {
        await memoryOf(fresh);
      } finally {
        await fresh.end();
      }
    }
  }
  report(builds);
}

await main();
