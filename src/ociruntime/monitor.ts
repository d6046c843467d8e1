import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { settledWithin, sleep, waitFor, waitOrDiscard, withTimeout } from '../base/deadline.ts';
import { DaemonError, messageOf, unlessMissing } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import { step, stepIs } from '../base/steps.ts';
import type { ExitStatus } from '../linux/children.ts';
import type { PipeEnds, PipeReading } from '../linux/pipes.ts';
import { closeAll, makePipes, readText, writeAndClose } from '../linux/pipes.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import { identify } from '../linux/process.ts';
import type { Child } from '../linux/spawn.ts';
import { timeProgram } from '../linux/slow-programs.ts';
import { killGroup, spawnBeside } from '../linux/spawn.ts';
import { readAnswer, readSyncMessage } from './answers.ts';
import { CreatorWatch } from './creator-watch.ts';
import type { MonitoredBundle } from './monitored-bundle.ts';
import type { OciRuntime } from './oci-runtime.ts';
import { runtimeWords } from './runtime-words.ts';

/** A checkpoint that the runtime restores in the place of creating anew; the container's processes then run at once. */
export interface RestoreRequest {
  /** CRIU's images. */
  readonly images: string;
  /** A directory for its log. */
  readonly work: string;
  /** As Criu.environment() gives it. */
  readonly environment: Readonly<Record<string, string>>;
  /** The AppArmor profile in place of the one that the processes had; that one where it is left out. */
  readonly apparmorProfile?: string | undefined;
}

/** One container to be created under a monitor of its own. */
export interface MonitorRequest {
  readonly containerId: string;
  /** The name in conmon's own log lines. */
  readonly name: string;
  readonly bundle: MonitoredBundle;
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** Puts the monitor's pid into a cgroup of its own, before it starts anything. */
  readonly placeMonitor: (pid: number) => Promise<void>;
  /** Most the runtime may take for the creation, milliseconds. */
  readonly timeoutMs: number;
  readonly restore?: RestoreRequest | undefined;
  /** Ends the creation early, with its reason. */
  readonly signal?: AbortSignal;
}

/** A container that is created and waits for its start. */
export interface MonitoredContainer {
  readonly monitor: ProcessIdentity;
  /** Resolves when the monitor has ended: the exit file is then written. */
  readonly monitorExit: Promise<ExitStatus>;
  /** The container's first process, as the host sees it. */
  readonly process: ProcessIdentity;
}

export interface MonitorOptions {
  readonly conmonPath: string;
  /** Where conmon writes one exit file per container. */
  readonly exitDirectory: string;
  /** Most bytes a container's log may take before it is truncated; -1 for no limit. */
  readonly logSizeMaxBytes: number;
}

/**
 * conmon (2.1.6 to 2.2.1, conn_sock.c) reads an attach client's memory once more after freeing it, if a write to the client
 * fails before conmon has seen its end. Where glibc has given the top of the heap back to the kernel by then, this ends the
 * monitor by SIGSEGV, and the container with it. Bytes; mallopt(3).
 */
const KEEP_HEAP = { MALLOC_TRIM_THRESHOLD_: String(2 ** 30) };

/** conmon's option parser takes only text of its locale. In the C locale, a path or name that is not ASCII ends it without a word. */
const ANY_TEXT = { LC_ALL: 'C.UTF-8' } as const;
/**
 * conmon makes a terminal's socket in the directory for temporary files (conn_sock.c, setup_console_socket), where it would stay if conmon were killed. Its own working
 * directory is the bundle, and goes with the container. By this name, since a socket's path may have 107 bytes.
 */
const TERMINAL_IN_BUNDLE = { TMPDIR: '.' } as const;
/** The environment variable that names, on conmon and what it starts, the container it works for; see restore. */
export const OWNER_VARIABLE = 'PODWRIGHT_CONTAINER';

/** A monitor of its own for one container, which waits in its cgroup. */
export interface PreparedMonitor {
  /**
   * Has it create the container, and waits for the runtime's answer on the sync pipe (conmon src/parent_pipe_fd.c).
   * @throws Internal with the runtime's words, DeadlineExceeded after the timeout, the signal's reason. The monitor is then
   * killed; the caller removes what the runtime may have made.
   */
  readonly create: () => Promise<MonitoredContainer>;
  /** Ends it, where it has not been told to create the container. */
  readonly discard: () => Promise<void>;
}

/** Creates a container under conmon, see {@link PreparedMonitor.create}. */
export async function createMonitored(options: MonitorOptions, runtime: OciRuntime, request: MonitorRequest): Promise<MonitoredContainer> {
  return prepareMonitor(options, runtime, request, Promise.resolve()).create();
}

/**
 * Starts conmon and moves it to its cgroup, beside the caller's work: it takes a while, and neither needs the spec.
 * @param place what it needs first: its bundle's directory, and its cgroup.
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
    create: async () => {
      isUsed = true;
      return step('create by monitor', async () => createBy(await starting, creation), `${runtime.name} ${verb} under conmon`);
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
      await unlessEnded(request, waiting, signal, async () => request.placeMonitor(child.pid));
      stage('monitor.placed');
      return { ...waiting, identity };
    } catch (error) {
      end(waiting);
      throw error;
    }
  } finally {
    clear();
  }
}

/** Ends a monitor together with what it has started. */
function end({ child, hasEnded, startEnd, words, answer }: Omit<WaitingMonitor, 'identity'>): void {
  // A pid that was reaped may be another process's by now.
  if (!hasEnded()) killGroup(child.pid);
  startEnd.close();
  words.stop();
  answer.stop();
}

/** A monitor that is there only after the signal. Its start pipe was held until now: closed, it would let the monitor go on. */
function discardSpawned({ child, startEnd, syncEnd, stderrEnd }: SpawnedMonitor): void {
  killGroup(child.pid);
  startEnd.close();
  closeAll([syncEnd, stderrEnd]);
}

async function createBy(waiting: WaitingMonitor, { options, runtime, request, what }: Creation): Promise<MonitoredContainer> {
  const { child, identity: monitor, startEnd, words, answer } = waiting;
  stepIs({ pid: child.pid });
  const watch = new CreatorWatch(child.pid, WORDS_BYTES);
  const stopTiming = timeProgram(child.pid, basename(options.conmonPath), () => what);
  const { signal, clear } = withTimeout(request.signal, request.timeoutMs, what);
  try {
    await unlessEnded(request, waiting, signal, () => {
      writeAndClose(startEnd.take(), '\0');
    });
    const text = await waitFor(Promise.race([answer.text, watch.start()]), signal);
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
    words.stop();
    answer.stop();
    return { monitor, monitorExit: child.exit, process };
  } catch (error) {
    end(waiting);
    throw error;
  } finally {
    stopTiming();
    clear();
    watch.stop();
  }
}

interface SpawnedMonitor {
  readonly child: Child;
  readonly syncEnd: number;
  readonly stderrEnd: number;
  readonly startEnd: OwnedFd;
}

class OwnedFd {
  #fd: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  take(): number {
    const fd = this.#fd;
    if (fd === undefined) throw new Error('descriptor was taken already');
    this.#fd = undefined;
    return fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeAll([this.take()]);
  }
}

async function spawnMonitor(options: MonitorOptions, runtime: OciRuntime, request: MonitorRequest): Promise<SpawnedMonitor> {
  const [sync, start, stderr] = makePipes(3) as [PipeEnds, PipeEnds, PipeEnds];
  try {
    const child = await spawnBeside(options.conmonPath, {
      args: conmonArgs(options, runtime, request),
      env: {
        ...(request.restore?.environment ?? runtime.environment),
        ...KEEP_HEAP,
        ...ANY_TEXT,
        ...(request.terminal ? TERMINAL_IN_BUNDLE : {}),
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        [OWNER_VARIABLE]: request.containerId,
      },
      cwd: request.bundle.directory,
      stdio: ['ignore', 'ignore', stderr.writeEnd, sync.writeEnd, start.readEnd],
      newSession: true,
    });
    return { child, syncEnd: sync.readEnd, stderrEnd: stderr.readEnd, startEnd: new OwnedFd(start.writeEnd) };
  } catch (error) {
    closeAll([sync.readEnd, start.writeEnd, stderr.readEnd]);
    throw new DaemonError('Internal', `container ${request.containerId}: cannot run ${options.conmonPath}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    closeAll([sync.writeEnd, start.readEnd, stderr.writeEnd]);
  }
}

function conmonArgs(options: MonitorOptions, runtime: OciRuntime, request: MonitorRequest): string[] {
  const { bundle } = request;
  const args = [
    // The flush of the log would hold up the exit code, on a busy disk by seconds.
    '--sync', '--no-sync-log', '--full-attach', '--cid', request.containerId, '--cuuid', request.containerId, '--name', request.name,
    '--bundle', bundle.directory, '--container-pidfile', bundle.pidFile,
    '--persist-dir', bundle.persistDirectory, '--exit-dir', options.exitDirectory,
    '--log-path', request.logPath, '--log-level', 'warning', '--runtime', runtime.path,
    '--socket-dir-path', options.exitDirectory,
  ]; // prettier-ignore
  for (const arg of runtime.globalArgs) args.push(`--runtime-arg=${arg}`);
  args.push(...runtime.createOptions);
  if (runtime.systemdCgroup) args.push('--systemd-cgroup');
  if (options.logSizeMaxBytes >= 0) args.push('--log-size-max', String(options.logSizeMaxBytes));
  if (request.terminal) args.push('--terminal');
  else if (request.stdin) args.push('--stdin');
  if (request.stdin && !request.stdinOnce) args.push('--leave-stdin-open');
  if (request.restore !== undefined) {
    const { images, work, apparmorProfile } = request.restore;
    args.push('--restore', images);
    const options = ['--work-path', work, '--file-locks'];
    if (apparmorProfile !== undefined) options.push('--lsm-profile', `apparmor:${apparmorProfile}`);
    for (const option of options) args.push(`--runtime-opt=${option}`);
  }
  return args;
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
  const text = await unlessMissing(readFile(pidFile, 'utf8'), undefined);
  const pid = Number(text);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
