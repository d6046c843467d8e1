import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { settledWithin } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { operation } from '../base/steps.ts';
import { exitCodeOf } from '../linux/children.ts';
import { listenForTerminal, openTerminal, type Terminal, type TerminalSize } from '../linux/console.ts';
import { closeAll, ended, pipe, readText } from '../linux/pipes.ts';
import { describeExit } from '../ociruntime/oci-runtime.ts';
import { runtimeWords } from '../ociruntime/runtime-words.ts';
import type { ContainerRecord } from './container.ts';
import type { Containers } from './containers.ts';
import type { ExecFiles } from './exec-files.ts';
import { adoptFromFile, removeExecFiles, requireExecutable, startExec, writeExecFiles, type ExecProcess } from './exec-process.ts';
import { commandEnd } from './exec-sync.ts';
import { WORDS_MS } from './shared-stderr.ts';

export interface ExecStreamRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly size?: TerminalSize;
}

export interface ExecStreamIo {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/**
 * How long output is still read after the exit while a background child holds it open: the milliseconds between two looks, and
 * how many quiet looks end it.
 */
const DRAIN_POLL_MS = 100;
const QUIET_POLLS = 10;

/**
 * Runs a command in a container with a client's streams, until it has ended and its output is handed over. A slow client
 * slows the command down. When the signal aborts, a terminal is hung up, and pipes are closed.
 */
export async function execStream(
  containers: Containers,
  request: ExecStreamRequest,
  io: ExecStreamIo,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  const record = requireExecutable(containers, request.containerId, request.command);
  return operation('exec', containers.subjectOf(record.id), async () => runCommand(containers, record, request, io, resizes, signal));
}

async function runCommand(
  containers: Containers,
  record: ContainerRecord,
  request: ExecStreamRequest,
  io: ExecStreamIo,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  if (request.tty) return execOnTerminal(containers, record, request, io, resizes, signal);
  const process = await startExec(containers, record, request.command, io.stdin !== undefined);
  const outputs = [new ClientOutput(io.stdout), new ClientOutput(io.stderr)] as const;
  const copied = [copyOut(process.stdout, outputs[0]), copyOut(process.stderr, outputs[1])];
  if (io.stdin !== undefined && process.stdin !== undefined) io.stdin.pipe(process.stdin);
  try {
    const exit = await commandEnd(process, request.command, signal);
    await drained(copied, outputs, signal);
    return { exitCode: exitCodeOf(exit) };
  } finally {
    io.stdin?.unpipe();
    for (const socket of [process.stdin, process.stdout, process.stderr]) socket?.destroy();
  }
}

/** Hands a command's output on to its client, at the client's pace. A client without that stream gets nothing. */
class ClientOutput {
  readonly #target: Writable | undefined;
  #hasMoved = false;
  #waits = false;
  #resume: () => void = () => undefined;

  constructor(target: Writable | undefined) {
    this.#target = target;
    target?.on('drain', () => {
      this.#waits = false;
      this.#hasMoved = true;
      this.#resume();
    });
  }

  /** Whether nothing has moved since the last look. While the client keeps us waiting, it is not quiet. */
  look(): boolean {
    const isQuiet = !this.#waits && !this.#hasMoved;
    this.#hasMoved = false;
    return isQuiet;
  }

  /** Whether more may be read now; if not, `resume` is called when it may. */
  take(chunk: Uint8Array, resume: () => void): boolean {
    this.#hasMoved = true;
    if (this.#target === undefined || this.#target.write(chunk)) return true;
    this.#waits = true;
    this.#resume = resume;
    return false;
  }
}

/** Copies until the source ends. */
function copyOut(source: Socket, output: ClientOutput): Promise<void> {
  source.on('data', (chunk: Buffer) => {
    if (!output.take(chunk, () => source.resume())) source.pause();
  });
  return ended(source);
}

/**
 * Waits for the end of the output. Only looks at which nothing has moved count, since a slow client is not a background child.
 * Looks are counted and not time, which goes on while the event loop is held up and reads nothing.
 */
async function drained(copied: readonly Promise<unknown>[], outputs: readonly ClientOutput[], signal: AbortSignal): Promise<void> {
  const all = Promise.all(copied);
  for (let quietPolls = 0; !signal.aborted && quietPolls < QUIET_POLLS;) {
    if (await settledWithin(all, DRAIN_POLL_MS)) return;
    const areQuiet = outputs.map((output) => output.look());
    quietPolls = areQuiet.includes(false) ? 0 : quietPolls + 1;
  }
}

async function execOnTerminal(
  containers: Containers,
  record: ContainerRecord,
  request: ExecStreamRequest,
  io: ExecStreamIo,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  const what = `exec container ${record.id}`;
  const files = await writeExecFiles(containers, record, {
    command: request.command,
    tty: true,
    ...(request.size === undefined ? {} : { size: request.size }),
  });
  const output = new ClientOutput(io.stdout);
  const { terminal, process } = await startOnTerminal(containers, record, request, files, output).finally(() => {
    removeExecFiles(files);
  });
  const follow = new AbortController();
  try {
    if (io.stdin !== undefined) io.stdin.pipe(terminal.socket, { end: false });
    // A size that cannot be set is no reason to end the session.
    followSizes(terminal, resizes, follow.signal).catch(() => undefined);
    const status = await commandEnd(process, request.command, signal);
    follow.abort();
    await drained([terminal.closed], [output], signal);
    return { exitCode: exitCodeOf(status) };
  } catch (error) {
    throw error instanceof DaemonError ? error : new DaemonError('Internal', `${what}: ${String(error)}`, { cause: error });
  } finally {
    follow.abort();
    io.stdin?.unpipe();
    terminal.socket.destroy();
  }
}

async function startOnTerminal(
  containers: Containers,
  record: ContainerRecord,
  request: ExecStreamRequest,
  files: ExecFiles,
  output: ClientOutput,
): Promise<{ terminal: Terminal; process: Pick<ExecProcess, 'pid' | 'exit'> }> {
  const what = `exec container ${record.id}`;
  const socket = listenForTerminal(files.consoleSocket);
  try {
    await runOnTerminal(containers, record, request, files, socket.path);
    // The terminal's buffer is used again for the next read, so the client gets a copy.
    const terminal: Terminal = openTerminal(socket.receive(), (bytes) => output.take(Buffer.from(bytes), () => terminal.socket.resume()));
    terminal.socket.on('error', () => undefined);
    try {
      return { terminal, process: await adoptFromFile(files, what) };
    } catch (error) {
      terminal.socket.destroy();
      throw error;
    }
  } finally {
    socket.close();
  }
}

/** Runs the runtime's exec to its end. @throws FailedPrecondition with the runtime's words where the command cannot start. */
async function runOnTerminal(
  containers: Containers,
  record: ContainerRecord,
  { command }: ExecStreamRequest,
  files: ExecFiles,
  consoleSocket: string,
): Promise<void> {
  const errors = pipe();
  const words = readText(errors.readEnd, 8192);
  try {
    const exit = await containers
      .runtimeOf(record)
      .exec({
        containerId: record.id,
        pidFile: files.pidFile,
        processFile: files.processFile,
        stdio: ['ignore', 'ignore', errors.writeEnd],
        consoleSocket,
      })
      .finally(() => {
        closeAll([errors.writeEnd]);
      });
    if (exit.code === 0) return;
    await settledWithin(words.text, WORDS_MS);
    const said = runtimeWords(words.soFar());
    throw new DaemonError(
      'FailedPrecondition',
      `exec container ${record.id}: ${JSON.stringify(command[0])} cannot start (${describeExit(exit)}): ${said}`,
    );
  } finally {
    words.stop();
  }
}

async function followSizes(terminal: Terminal, resizes: AsyncIterable<TerminalSize>, signal: AbortSignal): Promise<void> {
  for await (const size of resizes) {
    if (signal.aborted) return;
    terminal.resize(size);
  }
}
