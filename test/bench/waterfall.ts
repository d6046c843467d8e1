/** In which steps the time of a pod's life goes, by our own instrument: what `podwright explain` tells of many lives, in the median. */
import type { ExplainedOperation, Explanation } from '../../src/base/explanation.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { CriPod } from './pod-life.ts';
import type { Target } from './targets.ts';
import { median } from './times.ts';

/** For what a call leaves to be done behind its answer. */
const REST_MS = 200;
const BAR_WIDTH = 40;

/** A step of an operation, or the operation itself. */
export interface WaterfallRow {
  readonly operation: string;
  /** Its name, and which program or plugin; empty: the operation. */
  readonly step: string;
  readonly depth: number;
  /** Medians, milliseconds since the operation began. */
  readonly startMs: number;
  readonly durationMs: number;
}

type Seen = { depth: number; starts: number[]; durations: number[] };

export async function measureWaterfall(target: Target, daemon: TestDaemon, lives: number): Promise<readonly WaterfallRow[]> {
  const seen = new Map<string, Map<string, Seen>>();
  for (let n = 0; n < lives; n += 1) {
    const pod = await CriPod.run(target);
    await pod.startContainer();
    await pod.exec();
    await pod.removeContainer();
    await pod.remove();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const { object, containers } = JSON.parse(await daemon.cli('explain', pod.id, '--json')) as Explanation;
    for (const operation of [object, ...containers].flatMap(({ operations }) => operations)) collect(seen, operation);
  }
  return [...seen].flatMap(([operation, steps]) =>
    [...steps].map(([key, { depth, starts, durations }]) => ({
      operation,
      step: key.replace(/#\d+$/, ''),
      depth,
      startMs: median(starts),
      durationMs: median(durations),
    })),
  );
}

function collect(all: Map<string, Map<string, Seen>>, { what, durationMs, steps }: ExplainedOperation): void {
  const seen = all.get(what) ?? new Map<string, Seen>();
  all.set(what, seen);
  const add = (key: string, depth: number, start: number, duration: number): void => {
    const row = seen.get(key) ?? { depth, starts: [], durations: [] };
    seen.set(key, row);
    row.starts.push(start);
    row.durations.push(duration);
  };
  add('', 0, 0, durationMs);
  const depths: number[] = [];
  const counts = new Map<string, number>();
  for (const { name, detail, parent, startedMs, durationMs: duration } of steps) {
    const depth = (depths[parent] ?? 0) + 1;
    depths.push(depth);
    // What it is about differs from pod to pod, which program it is does not.
    const step = detail === '' ? name : `${name} (${detail.replaceAll(/[0-9a-f]{12,}|\bnet-\w+\b/g, '...')})`;
    const count = (counts.get(step) ?? 0) + 1;
    counts.set(step, count);
    add(`${step}#${count}`, depth, startedMs, duration);
  }
}

/** Text: each step a line, with a bar where it lies in its operation. */
export function waterfallText(rows: readonly WaterfallRow[]): string {
  const lines: string[] = [];
  for (const operation of new Set(rows.map((row) => row.operation))) {
    const own = rows.filter((row) => row.operation === operation);
    const all = own.find(({ step }) => step === '')?.durationMs ?? 1;
    for (const { step, depth, startMs, durationMs } of own.toSorted((a, b) => a.startMs - b.startMs || a.depth - b.depth)) {
      const from = Math.min(BAR_WIDTH - 1, Math.floor((BAR_WIDTH * startMs) / all));
      const bar = '#'.repeat(Math.max(1, Math.min(BAR_WIDTH - from, Math.round((BAR_WIDTH * durationMs) / all))));
      const name = step === '' ? operation : `${'  '.repeat(depth)}${step}`;
      lines.push(
        `${name.padEnd(52)} ${startMs.toFixed(1).padStart(6)} ${durationMs.toFixed(1).padStart(6)} |${`${' '.repeat(from)}${bar}`.padEnd(BAR_WIDTH)}|`,
      );
    }
    lines.push('');
  }
  return lines.join('\n');
}
