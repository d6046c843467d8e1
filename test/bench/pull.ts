/**
 * Compares CRI runtimes by how they pull: `npm run bench:pull -- NAME=SOCKET,PID... --registry HOST:PORT [--prefix NAME] [--images
 * four,one,sixty,small] [--rounds N] [--blocks FILE]`. The first socket is ours; ratios are to the fastest other. All are measured
 * in turns. Images that the registry does not have are made of this machine's /usr and pushed to it; the runtimes must find them
 * under `PREFIX/bench/NAME:1` (default: the registry's address). `--blocks` is the file that test/fixtures/event-loop-blocks.ts
 * writes in our daemon. A table goes to standard error, JSON to standard output.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { connect } from '../../src/cli/cri-client.ts';
import { BENCH_IMAGES, pushBenchImage, warm } from './pull-images.ts';
import type { BenchImage } from './pull-images.ts';
import { forgetPeak, peakOf, processorMsOf } from './runtime-process.ts';

interface Target {
  readonly name: string;
  readonly socket: string;
  readonly pid: number;
}

interface Pull {
  readonly image: string;
  readonly runtime: string;
  readonly round: number;
  readonly kind: 'cold' | 'warm';
  readonly ms: number;
  readonly processorMs: number;
  readonly peakMib: number;
  /** The longest that the event loop of ours was at work in one go. */
  readonly blockMs?: number;
}

const OPTIONS = { timeoutMs: 900_000 };
/** For what one leaves to the kernel: files to remove, memory to free. */
const PAUSE_MS = 3000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    registry: { type: 'string' },
    prefix: { type: 'string' },
    images: { type: 'string', default: BENCH_IMAGES.map(({ name }) => name).join() },
    rounds: { type: 'string', default: '3' },
    blocks: { type: 'string' },
  },
});

async function longestBlock(sinceBytes: number): Promise<number | undefined> {
  if (values.blocks === undefined) return undefined;
  const lines = (await readFile(values.blocks, 'utf8')).slice(sinceBytes).split('\n');
  return Math.max(0, ...lines.map((line) => Number(line.split(' ')[1] ?? 0)));
}

async function blocksSoFar(): Promise<number> {
  return values.blocks === undefined ? 0 : (await readFile(values.blocks, 'utf8').catch(() => '')).length;
}

async function pull(target: Target, image: string, round: number, kind: 'cold' | 'warm'): Promise<Pull> {
  const { name, socket, pid } = target;
  const client = connect(socket);
  try {
    await forgetPeak(pid);
    const [before, since] = [await processorMsOf(pid), await blocksSoFar()];
    const started = performance.now();
    await client.image.pullImage({ image: { image: nameOf(image) } }, OPTIONS);
    const ms = performance.now() - started;
    const blockMs = name === targets[0]?.name ? await longestBlock(since) : undefined;
    const used = { processorMs: (await processorMsOf(pid)) - before, peakMib: await peakOf(pid) };
    return { image, runtime: name, round, kind, ms, ...used, ...(blockMs === undefined ? {} : { blockMs }) };
  } finally {
    client.close();
  }
}

function nameOf(image: string): string {
  return `${values.prefix ?? values.registry ?? ''}/bench/${image}:1`;
}

async function remove({ socket }: Target, image: string): Promise<void> {
  const client = connect(socket);
  try {
    await client.image.removeImage({ image: { image: nameOf(image) } }, OPTIONS);
  } finally {
    client.close();
  }
  await execa('sync');
  await sleep(PAUSE_MS);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function report(images: readonly BenchImage[], pulls: readonly Pull[]): void {
  const line = (...cells: readonly string[]): void => {
    process.stderr.write(`| ${cells.join(' | ')} |\n`);
  };
  line('image', 'pull', 'runtime', 'seconds (median)', 'all rounds', 'processor s', 'peak MiB', 'block ms', 'to the fastest other');
  line(...Array.from({ length: 9 }, () => '---'));
  for (const { name } of images) {
    for (const kind of ['cold', 'warm'] as const) {
      const of = (runtime: string): readonly Pull[] =>
        pulls.filter((each) => each.image === name && each.kind === kind && each.runtime === runtime);
      const medians = targets.map((target) => median(of(target.name).map(({ ms }) => ms)));
      for (const [index, { name: runtime }] of targets.entries()) {
        const mine = of(runtime);
        const ratio = index === 0 && targets.length > 1 ? ((medians[0] ?? 0) / Math.min(...medians.slice(1))).toFixed(2) : '';
        const blocks = mine.flatMap(({ blockMs }) => blockMs ?? []);
        line(
          name,
          kind,
          runtime,
          ((medians[index] ?? 0) / 1000).toFixed(2),
          mine.map(({ ms }) => (ms / 1000).toFixed(2)).join(' '),
          (median(mine.map(({ processorMs }) => processorMs)) / 1000).toFixed(2),
          Math.max(...mine.map(({ peakMib }) => peakMib)).toFixed(0),
          blocks.length === 0 ? '' : Math.max(...blocks).toFixed(1),
          ratio,
        );
      }
    }
  }
}

async function main(): Promise<void> {
  const { registry } = values;
  if (registry === undefined || targets.length === 0) throw new Error('usage: bench:pull NAME=SOCKET,PID... --registry HOST:PORT');
  const images = BENCH_IMAGES.filter(({ name }) => values.images.split(',').includes(name));
  const sizes = new Map<string, number>();
  for (const image of images) sizes.set(image.name, (await warm(registry, image)) || (await pushBenchImage(image, registry)));
  const pulls: Pull[] = [];
  for (const { name } of images) {
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        for (const kind of ['cold', 'warm'] as const) {
          const done = await pull(target, name, round, kind);
          pulls.push(done);
          process.stderr.write(`${JSON.stringify(done)}\n`);
        }
        await remove(target, name);
      }
    }
  }
  report(images, pulls);
  process.stdout.write(`${JSON.stringify({ images: Object.fromEntries(sizes), pulls }, undefined, 2)}\n`);
}

const targets: readonly Target[] = positionals.map((each) => {
  const [, name = '', socket = '', pid = ''] = /^([^=]+)=(.+),(\d+)$/.exec(each) ?? [];
  if (pid === '') throw new Error(`${each} is not NAME=SOCKET,PID`);
  return { name, socket, pid: Number(pid) };
});
await main();
