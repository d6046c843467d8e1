/**
 * Asks a lane to run a test file. node's runner waits for the end of the file's process, and its time limit is one of each test:
 * a file that has left a child or a connection open never ends there, and one that spins neither. The limits of a file are kept
 * here, in a process that has nothing else to do.
 */
import type { ChildProcess } from 'node:child_process';
import { relative } from 'node:path';
import { laneProcesses } from './lane-processes.ts';
import { REPOSITORY } from './test-files.ts';
import type { FilesResult, Outcome, RunOptions } from './test-files.ts';

export interface LaneRequest {
  readonly file: string;
  readonly options: RunOptions;
}

/** One of these at a time: what the lane tells of the file that it runs. The last word is the standstill. */
export interface LaneWord {
  /** What is to be printed. */
  readonly text?: string;
  readonly outcome?: Outcome;
  /** Whether a test of the file is under way, or waits for its turn. */
  readonly isBusy?: boolean;
  readonly standstill?: FilesResult['standstill'];
}

export interface LaneAnswer {
  /** What the file has printed. */
  readonly text: string;
  readonly result: FilesResult;
}

/** Most a file may take, milliseconds. */
const FILE_TIMEOUT_MS = 15 * 60_000;
/** What a file has over where the limit of each test is set by hand: to start and to clean up. */
const FILE_GRACE_MS = 60_000;
/** How often a file that is not at its end is told of, milliseconds: it prints nothing before. */
const STILL_MS = 120_000;
/** How long the process of a file may live when its last test has ended: to clean up. */
const END_TIMEOUT_MS = 60_000;

/** The answer of a lane. One that ends without, or is too late and is ended, is the failure of its file, after what came before. */
export async function askLane(lane: ChildProcess, { file, options }: LaneRequest, say: (text: string) => void): Promise<LaneAnswer> {
  const { promise, resolve } = Promise.withResolvers<LaneAnswer>();
  const outcomes: Outcome[] = [];
  let text = '';
  let why = '';
  let idle: NodeJS.Timeout | undefined;
  const end = async (reason: string): Promise<void> => {
    why = reason;
    why = await killLane(lane, reason);
  };
  const limitMs = options.timeoutMs === undefined ? FILE_TIMEOUT_MS : options.timeoutMs + FILE_GRACE_MS;
  const late = setTimeout(() => void end(`the file has not ended after ${limitMs / 1000} s`), limitMs);
  const name = relative(REPOSITORY, file);
  const begun = performance.now();
  const still = setInterval(() => {
    const last = outcomes.at(-1)?.name ?? 'none';
    say(`note ${name} runs for ${Math.round((performance.now() - begun) / 1000)} s, its last test that ended: ${last}\n`);
  }, STILL_MS);
  const hear = (word: LaneWord): void => {
    text += word.text ?? '';
    if (word.outcome !== undefined) outcomes.push(word.outcome);
    if (word.isBusy !== undefined) {
      clearTimeout(idle);
      const reason = `its process has not ended ${END_TIMEOUT_MS / 1000} s after its last test`;
      idle = word.isBusy ? undefined : setTimeout(() => void end(reason), END_TIMEOUT_MS);
    }
    if (word.standstill !== undefined) resolve({ text, result: { outcomes, standstill: word.standstill } });
  };
  const ended = (code: number | null, signal: string | null): void => {
    const failure = why === '' ? `its lane ended with ${signal ?? String(code)}` : why;
    const outcome = { file: name, name: '(the file itself)', durationMs: 0, failure };
    text += `FAIL ${outcome.file}: ${failure}\n`;
    resolve({ text, result: { outcomes: [...outcomes, outcome], standstill: { ms: 0, line: '' } } });
  };
  lane.on('message', hear).once('exit', ended);
  lane.send({ file, options } satisfies LaneRequest, (error) => {
    if (error !== null) ended(lane.exitCode, lane.signalCode); // before it could be asked
  });
  try {
    return await promise;
  } finally {
    for (const timer of [late, idle, still]) clearTimeout(timer);
    lane.off('message', hear).off('exit', ended);
  }
}

/** Ends all processes of a lane, and tells which they were. */
export async function killLane(lane: ChildProcess, why: string): Promise<string> {
  const processes = lane.pid === undefined ? [] : await laneProcesses(lane.pid);
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  lane.kill('SIGKILL');
  return [`${why}; its processes are killed:`, ...processes.map(({ text }) => `  ${text}`), ''].join('\n');
}
