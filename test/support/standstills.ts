/**
 * Fails a test file where the event loop of a daemon stood still for too long. The daemons' own logs tell it. A thread beside the
 * tests is the control: where it could not run on time either, it was the machine that stood still. So it was where the loop waited
 * for a thread of its daemon, such as one that ends, and that thread had no processor: a daemon cannot see this of its own threads.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { lastAtEnd } from './at-end.ts';

/** Most that a daemon may stand still by itself, milliseconds. */
const MOST_MS = 250;
const CONTROL = new URL('../fixtures/standstill-control.ts', import.meta.url);

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When the machine let the control not run; of the process `pid`, a thread that its first one waited for. */
export type ControlMessage = Span & { readonly pid?: number };

interface CollectedStandstill extends LoggedStandstill {
  /** Of the daemons that have written the log. */
  readonly pids: readonly number[];
}

export interface LoggedStandstill {
  readonly fromMs: number;
  readonly durationMs: number;
  /** What the daemon could not tell to be the machine's. */
  readonly ownMs: number;
  readonly line: string;
}

const told: ControlMessage[] = [];
const found: CollectedStandstill[] = [];
/** The daemons that have written each log. */
const writers = new Map<string, number[]>();
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

/** Has the control look at a daemon that has been started and writes this log. */
export function watchThreads(pid: number, logFile: string): void {
  writers.set(logFile, [...(writers.get(logFile) ?? []), pid]);
  control?.postMessage(pid);
}

/** Keeps what a daemon's log tells of its standstills for the end of the file. */
export async function collectStandstills(logFile: string): Promise<void> {
  const standstills = standstillsIn(await readFile(logFile, 'utf8').catch(() => ''));
  found.push(...standstills.map((each) => ({ ...each, pids: writers.get(logFile) ?? [] })));
}

function ownOf({ fromMs, durationMs, ownMs, pids }: CollectedStandstill): number {
  const ofMachine = told.filter(({ pid }) => pid === undefined || pids.includes(pid));
  return Math.max(0, Math.round(ownMs - coveredBy(ofMachine, { fromMs, toMs: fromMs + durationMs })));
}

function watchControl(): void {
  control = new Worker(CONTROL);
  control.unref();
  control.on('message', (message: ControlMessage) => told.push(message));
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
    const lines = tooLong.map((each) => `${ownOf(each)} ms: ${each.line}`);
    assert.deepEqual(lines, [], `the daemon stood still for over ${MOST_MS} ms that were not the machine's:\n  ${lines.join('\n  ')}`);
  });
}
