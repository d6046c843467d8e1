import { basename } from 'node:path';
import { settledWithin, sleep, waitFor, waitOrDiscard, withTimeout } from '../base/deadline.ts';
import { DaemonError, unlessMissing } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { step, stepIs } from '../base/steps.ts';
import type { ExitStatus } from '../linux/children.ts';
import { readSmallFile } from '../linux/memory-files.ts';
import type { PipeReading } from '../linux/pipes.ts';
import { readText, writeAndClose } from '../linux/pipes.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import { identify } from '../linux/process.ts';
import type { Child } from '../linux/spawn.ts';
import { timeProgram } from '../linux/slow-programs.ts';
import { killGroup } from '../linux/spawn.ts';
import { readAnswer, readSyncMessage } from './answers.ts';
import { CreatorWatch } from './creator-watch.ts';
import type { MonitoredBundle } from './monitored-bundle.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { runtimeWords } from './runtime-words.ts';
import type { MonitorOptions, MonitorRequest, OwnedFd } from './spawn-monitor.ts';
import { discardSpawned, spawnMonitor } from './spawn-monitor.ts';

/** A container that is created and waits for its start. */
export interface MonitoredContainer {
  readonly monitor: ProcessIdentity;
  /** Resolves when the monitor has ended: the exit file is then written. */
  readonly monitorExit: Promise<ExitStatus>;
  /** The container's first process, as the host sees it. */
  readonly process: ProcessIdentity;
}

/** How a monitor is told to create its container. */
export interface CreationOrder {
  /** The runtime starts more than the container (an OCI hook, a process of its own), which stays where the monitor is: that is to be in its place first. */
  readonly isPlacedFirst: boolean;
}

/** A monitor of its own for one container, which waits to be told. */
export interface PreparedMonitor {
  /**
   * Has it create the container, and waits for the runtime's answer on the sync pipe (conmon src/parent_pipe_fd.c).
   * @throws Internal with the runtime's words, DeadlineExceeded after the timeout, the signal's reason. The monitor is then
   * killed; the caller removes what the runtime may have made.
   */
  readonly create: (order: CreationOrder) => Promise<MonitoredContainer>;
  /** Ends it, where it has not been told to create the container. */
  readonly discard: () => Promise<void>;
}

/** Creates a container under conmon, see {@link PreparedMonitor.create}. */
export async function createMonitored(
  options: MonitorOptions,
  runtime: OciRuntime,
  request: MonitorRequest,
  order: CreationOrder,
): Promise<MonitoredContainer> {
  return prepareMonitor(options, runtime, request, Promise.resolve()).create(order);
}

/**
 * Starts conmon and moves it to its cgroup, beside the caller's work: it takes a while, and neither needs the spec. Nor does the runtime need
 * the move, which may wait for a grace period of RCU or for systemd: it puts what it makes into cgroups by itself, from wherever it was started.
 * @param place what it needs first: the directories of its bundle and its log.
 */
export function prepareMonitor(
  options: MonitorOptions,
  runtime: OciRuntime,
  request: MonitorRequest,
  place: Promise<unknown>,
): PreparedMonitor {
  const givenUp = new AbortController();
  const creation = { options, runtime, request, what: `create container ${request.containerId}: ${runtime.name} under conmon` };
  const start = async (): Promise<WaitingMonitor> => {
    await place;
    return startMonitor(creation, AbortSignal.any([givenUp.signal, ...(request.signal === undefined ? [] : [request.signal])]));
  };
  const starting = step('start monitor', start, 'conmon');
  starting.catch(() => undefined); // told by create
  let isUsed = false;
  const verb = request.restore === undefined ? 'create' : 'restore';
  return {
    create: async (order) => {
      isUsed = true;
      return step('create by monitor', async () => createBy(await starting, creation, order), `${runtime.name} ${verb} under conmon`);
    },
    discard: async () => {
      if (isUsed) return;
      givenUp.abort();
      await starting.then(end, () => undefined);
    },
  };
}

interface Creation {
  readonly options: MonitorOptions;
  readonly runtime: OciRuntime;
  readonly request: MonitorRequest;
  /** In words. */
  readonly what: string;
}

/** A monitor that waits to be told to have the container created. */
interface WaitingMonitor {
  readonly child: Child;
  readonly identity: ProcessIdentity;
  /** Closing it without writing would let conmon go on as if it were told to start, so conmon is killed first. */
  readonly startEnd: OwnedFd;
  readonly words: PipeReading;
  readonly answer: PipeReading;
  readonly hasEnded: () => boolean;
  /** It is in its cgroup. */
  readonly placed: Promise<void>;
}

async function startMonitor({ options, runtime, request, what }: Creation, outer: AbortSignal): Promise<WaitingMonitor> {
  const { signal, clear } = withTimeout(outer, request.timeoutMs, what);
  try {
    const { child, syncEnd, startEnd, stderrEnd } = await waitOrDiscard(spawnMonitor(options, runtime, request), signal, discardSpawned);
    const life = { hasEnded: false };
    const ended = (): void => {
      life.hasEnded = true;
    };
    child.exit.then(ended, ended);
    stage('monitor.spawned');
    const pipes = { startEnd, words: readText(stderrEnd, WORDS_BYTES), answer: readText(syncEnd, 65_536, true) };
    const waiting = { child, ...pipes, hasEnded: () => life.hasEnded };
    try {
      const identity = await identify(child.pid);
      if (identity === undefined) throw await earlyEnd(request, child.exit, pipes.words, signal);
      const placed = step('place monitor', async () => {
        await request.placeMonitor(child.pid);
        stage('monitor.placed');
      });
      placed.catch(() => undefined); // told by createBy
      return { ...waiting, identity, placed };
    } catch (error) {
      await end({ ...waiting, placed: Promise.resolve() });
      throw error;
    }
  } finally {
    clear();
  }
}

/** Ends a monitor together with what it has started. Nothing more is done to its cgroup afterwards: the caller may remove that. */
async function end({ child, hasEnded, startEnd, words, answer, placed }: Omit<WaitingMonitor, 'identity'>): Promise<void> {
  // A pid that was reaped may be another process's by now.
  if (!hasEnded()) killGroup(child.pid);
  startEnd.close();
  words.stop();
  answer.stop();
  await placed.catch(() => undefined);
}

async function createBy(
  waiting: WaitingMonitor,
  { options, runtime, request, what }: Creation,
  { isPlacedFirst }: CreationOrder,
): Promise<MonitoredContainer> {
  const { child, identity: monitor, startEnd, words, answer } = waiting;
  stepIs({ pid: child.pid });
  const watch = new CreatorWatch(child.pid, WORDS_BYTES);
  const stopTiming = timeProgram(child.pid, basename(options.conmonPath), () => what);
  const { signal, clear } = withTimeout(request.signal, request.timeoutMs, what);
  const inPlace = async (): Promise<void> => unlessEnded(request, waiting, signal, async () => waitFor(waiting.placed, signal));
  try {
    if (isPlacedFirst) await inPlace();
    await unlessEnded(request, waiting, signal, () => {
      writeAndClose(startEnd.take(), '\0');
    });
    const text = await waitFor(Promise.race([answer.text, watch.start(), misplaced(waiting)]), signal);
    if (text === undefined) throw silentEnd(request, runtime, watch);
    const line = text.trim();
    const message = line === '' ? undefined : readAnswer(`create container ${request.containerId}: conmon's answer`, line, readSyncMessage);
    stage('monitor.answered');
    if (message === undefined && watch.words.length > 0) throw silentEnd(request, runtime, watch);
    if (message === undefined) throw await earlyEnd(request, child.exit, words, signal);
    const { pid } = message;
    if (pid <= 0) throw new DaemonError('Internal', `create container ${request.containerId}: ${await refusal(message.message, watch)}`);
    const process = await identify(pid);
    if (process === undefined)
      throw new DaemonError('Internal', `create container ${request.containerId}: its process ${pid} is gone already`);
    await inPlace();
    words.stop();
    answer.stop();
    return { monitor, monitorExit: child.exit, process };
  } catch (error) {
    await end(waiting);
    throw error;
  } finally {
    stopTiming();
    clear();
    watch.stop();
  }
}

/** Rejects when a monitor that lives cannot be put in its place; one that has ended tells why by its answer. Else it settles never. */
async function misplaced({ placed, child }: WaitingMonitor): Promise<never> {
  await placed.catch(async (error: unknown) => {
    if (!(await settledWithin(child.exit, END_MS))) throw error;
  });
  return Promise.withResolvers<never>().promise;
}

/** A runtime that floods its stderr: how long the rest is read, milliseconds, and how much of a line is told, characters. */
const FLOOD_REST_MS = 200;
const FLOOD_LINE = 500;

/** The runtime's words. Of a flood the monitor and the watch have read a piece each, and either may have the last line. */
async function refusal(message: string, watch: CreatorWatch): Promise<string> {
  if (watch.words.length === 0) return runtimeWords(message) || 'no reason given';
  await sleep(FLOOD_REST_MS);
  return [message, watch.words.toString()].map((words) => runtimeWords(words).slice(-FLOOD_LINE)).join('; ');
}

/** The runtime has ended, and the monitor does not say how: its words are those that were read in the monitor's place. */
function silentEnd(request: MonitorRequest, runtime: OciRuntime, watch: CreatorWatch): DaemonError {
  const said = runtimeWords(watch.words);
  const why = said === '' ? 'it gave no reason' : said;
  return new DaemonError(
    'Internal',
    `create container ${request.containerId}: ${runtime.name} has ended, and conmon does not tell how: ${why}`,
  );
}

/** Most that is kept of what a monitor or its runtime says, bytes. */
const WORDS_BYTES = 8192;

/** A monitor that cannot be put into its cgroup, or be told to go on, may have ended: how long its end is waited for, milliseconds. */
const END_MS = 200;

/** Does something to the monitor. Where it has ended meanwhile, the error has the monitor's own words, and not the kernel's about its pid. */
async function unlessEnded(
  request: MonitorRequest,
  { child, words }: Pick<WaitingMonitor, 'child' | 'words'>,
  signal: AbortSignal,
  work: () => Promise<void> | void,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (await settledWithin(child.exit, END_MS)) throw await earlyEnd(request, child.exit, words, signal);
    throw error;
  }
}

/** How long the last words of a monitor that has ended are waited for: others may hold its stderr open, milliseconds. */
const WORDS_MS = 1_000;

async function earlyEnd(request: MonitorRequest, exit: Promise<ExitStatus>, words: PipeReading, signal: AbortSignal): Promise<DaemonError> {
  const status = await waitFor(exit, signal);
  await settledWithin(words.text, WORDS_MS);
  const ended = status.code === undefined ? `was killed by signal ${status.signal}` : `ended with ${status.code}`;
  return new DaemonError(
    'Internal',
    `create container ${request.containerId}: conmon ${ended} before it answered: ${words.soFar().trim()}`,
  );
}

/** The pid that the runtime wrote for this container, if it got so far. */
export async function readContainerPid({ pidFile }: MonitoredBundle): Promise<number | undefined> {
  const text = await unlessMissing(readSmallFile(pidFile), undefined);
  const pid = Number(text);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
