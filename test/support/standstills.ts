/**
 * Fails a test file where the event loop of a daemon stood still for too long. The daemons' own logs tell it. A thread beside the
 * tests is the control: where it could not run on time either, it was the machine that stood still.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { lastAtEnd } from './at-end.ts';

/** Most that a daemon may stand still by itself, milliseconds. */
const MOST_MS = 250;
/** The control looks this often, and tells a gap from this on, milliseconds. */
const CONTROL = { tickMs: 20, gapMs: 30 };

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LoggedStandstill {
  readonly fromMs: number;
  readonly durationMs: number;
  /** What the daemon could not tell to be the machine's. */
  readonly ownMs: number;
  readonly line: string;
}

const gaps: Span[] = [];
const found: LoggedStandstill[] = [];
let control: Worker | undefined;

/** The event loop's standstills in a daemon's log. */
export function standstillsIn(log: string): LoggedStandstill[] {
  return log
    .split('\n')
    .filter((line) => / WARN +the event loop stood still /.test(line))
    .map((line) => {
      const field = (name: string): string => new RegExp(` ${name}="?([^ "]*)`).exec(line)?.[1] ?? '';
      return { fromMs: Date.parse(field('startedAt')), durationMs: Number(field('durationMs')), ownMs: Number(field('ownMs')), line };
    });
}

/** How much of a span the gaps cover, milliseconds. They do not overlap. */
export function coveredBy(spans: readonly Span[], { fromMs, toMs }: Span): number {
  return spans.reduce((sum, gap) => sum + Math.max(0, Math.min(gap.toMs, toMs) - Math.max(gap.fromMs, fromMs)), 0);
}

/** Keeps what a daemon's log tells of its standstills for the end of the file. */
export async function collectStandstills(logFile: string): Promise<void> {
  found.push(...standstillsIn(await readFile(logFile, 'utf8').catch(() => '')));
}

function ownOf({ fromMs, durationMs, ownMs }: LoggedStandstill): number {
  return Math.max(0, Math.round(ownMs - coveredBy(gaps, { fromMs, toMs: fromMs + durationMs })));
}

function watchControl(): void {
  const { tickMs, gapMs } = CONTROL;
  control = new Worker(
    `const { parentPort } = require('node:worker_threads');
     let due = Date.now() + ${tickMs};
     setInterval(() => {
       const now = Date.now();
       if (now - due > ${gapMs}) parentPort.postMessage({ fromMs: due, toMs: now });
       due = now + ${tickMs};
     }, ${tickMs});`,
    { eval: true },
  );
  control.unref();
  control.on('message', (gap: Span) => gaps.push(gap));
}

// Under the test runner only: scripts start daemons too.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
  watchControl();
  lastAtEnd(async () => {
    await control?.terminate();
    const [longest] = found.toSorted((one, other) => ownOf(other) - ownOf(one));
    if (longest === undefined) return;
    process.stdout.write(`longest standstill: ${ownOf(longest)} ms: ${longest.line}\n`);
    const tooLong = found.filter((each) => ownOf(each) > MOST_MS);
    const told = tooLong.map((each) => `${ownOf(each)} ms: ${each.line}`);
    assert.deepEqual(told, [], `the daemon stood still for over ${MOST_MS} ms that were not the machine's:\n  ${told.join('\n  ')}`);
  });
}
