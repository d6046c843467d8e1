import { readFile } from 'node:fs/promises';
import { settledWithin } from '../base/deadline.ts';
import { escaped } from '../base/escaped.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import { onThread } from './kernel-threads.ts';
import { parseStat } from './proc-stat.ts';
import type { ProcessWait } from './read-waits.ts';
import { meaningOf, stateWords } from './wait-words.ts';

export type { ProcessWait } from './read-waits.ts';

/** What a program waits for. */
export interface WaitDescription {
  /** `cat (process 12, in the kernel, not to be interrupted) waits in openat for the answer of a FUSE file system`. */
  readonly words: string;
  /** The process itself or the descendant that tells most. */
  readonly deepest: ProcessWait;
  /** The process first, then its descendants, at most 32; a child names its parent. */
  readonly processes: readonly ProcessWait[];
}

/** How long the kernel may take to tell; it does so in a millisecond. */
const LOOK_MS = 1_000;

/** One look at a time: where one hangs, those beside it would lose a thread each. */
const looks = new KeyedMutex<'look'>();
/** The look that hangs: another one would lose another thread. */
let hanging: Promise<unknown> | undefined;

/**
 * What a process and its descendants wait for: their states, system calls and stacks in the kernel. A look takes a second at most,
 * one after the other; where the kernel does not answer in it, and until it has, only the process itself is looked at, without its
 * stack. Reads nothing that a process stuck in the kernel holds locked.
 * @returns undefined where the process is gone.
 */
export async function describeWait(pid: number): Promise<WaitDescription | undefined> {
  const processes = (await looks.run('look', async () => look(pid))) ?? (await lookBriefly(pid));
  const deepest = tellingMost(processes);
  return deepest === undefined ? undefined : { words: wordsOf(deepest), deepest, processes };
}

async function look(pid: number): Promise<readonly ProcessWait[] | undefined> {
  if (hanging !== undefined) return undefined;
  const looking = onThread('readWaits', { pid });
  const end = (): void => {
    if (hanging === looking) hanging = undefined;
  };
  if (await settledWithin(looking, LOOK_MS)) return await looking;
  hanging = looking;
  looking.then(end, end);
  return undefined;
}

/** What can be read without any wait. */
async function lookBriefly(pid: number): Promise<ProcessWait[]> {
  const [line, wchan] = await Promise.all(
    ['stat', 'wchan'].map(async (name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => undefined)),
  );
  if (line === undefined) return [];
  const name = line.slice(line.indexOf('(') + 1, line.lastIndexOf(')'));
  const facts = { state: parseStat(line).state, wchan: wchan === '0' ? '' : (wchan ?? ''), stack: [], systemCall: '' };
  const { words: waitsFor, weight } = meaningOf(facts);
  return [{ pid, thread: pid, name, ...facts, waitsFor, weight }];
}

/** Of equals the deepest: a parent waits for its child. */
function tellingMost(processes: readonly ProcessWait[]): ProcessWait | undefined {
  return processes.reduce<ProcessWait | undefined>(
    (best, each) => (best === undefined || each.weight >= best.weight ? each : best),
    undefined,
  );
}

function wordsOf({ pid, name, state, systemCall, waitsFor, wchan, file }: ProcessWait): string {
  const who = `${name} (process ${pid}, ${stateWords(state)})`;
  if (state === 'R') return escaped(`${who} is at work`);
  const where = systemCall === '' ? '' : ` in ${systemCall}`;
  const what = waitsFor ?? (wchan === '' ? 'what the kernel does not tell' : `what the kernel calls ${wchan}`);
  const on = file === undefined || what.includes(file) ? '' : ` (${file})`;
  return escaped(`${who} waits${where} for ${what}${on}`);
}
