import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { waitFor } from '../../../src/base/deadline.ts';
import { DaemonError, hasErrno } from '../../../src/base/errors.ts';
import type { AttachStreams, ExecRequest, ExecStreams, StreamingBackend, TerminalSize } from '../../../src/streaming/backend.ts';
import { spawnOnTerminal } from './pty.ts';

/** A backend whose containers are this machine: exec runs a local process, port-forward connects to loopback. */
export class LocalBackend implements StreamingBackend {
  /** How many calls are under way. */
  running = 0;
  /** Joined by every attach to "shell": what is written here comes out of the container. */
  readonly outputs = new Set<AttachStreams>();
  /** What attached clients told of their terminals. */
  readonly sizes: TerminalSize[] = [];
  /** How many attached clients have ended their input. */
  ended = 0;

  async exec(
    request: ExecRequest & { readonly size?: TerminalSize },
    streams: ExecStreams,
    resizes: AsyncIterable<TerminalSize>,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    if (request.containerId === 'gone') throw new DaemonError('NotFound', 'exec in container gone: there is no such container');
    this.running += 1;
    try {
      return await (request.tty ? runOnTerminal(request, streams, resizes, signal) : runOnPipes(request, streams, signal));
    } finally {
      this.running -= 1;
    }
  }

  /** Echoes stdin to stdout; what tests write to `outputs` comes too. "exit" in the input ends it. */
  async attach(
    { size }: { readonly size?: TerminalSize },
    streams: AttachStreams,
    resizes: AsyncIterable<TerminalSize>,
    signal: AbortSignal,
  ): Promise<void> {
    this.running += 1;
    this.outputs.add(streams);
    try {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
      streams.stdin?.on('data', (chunk: Buffer) => {
        if (chunk.includes('exit')) resolve(undefined);
        else streams.stdout?.write(chunk);
      });
      streams.stdin?.on('end', () => (this.ended += 1));
      if (size !== undefined) this.sizes.push(size);
      void this.#follow(resizes);
      await promise;
    } finally {
      this.outputs.delete(streams);
      this.running -= 1;
    }
  }

  async #follow(resizes: AsyncIterable<TerminalSize>): Promise<void> {
    for await (const size of resizes) this.sizes.push(size);
  }

  async portForward(_sandboxId: string, port: number, stream: Duplex, signal: AbortSignal): Promise<void> {
    this.running += 1;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const stop = (): void => {
      socket.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await once(socket, 'connect');
      stream.pipe(socket);
      socket.pipe(stream);
      await waitFor(Promise.all([finished(socket), finished(stream)]), signal);
    } catch (error) {
      if (hasErrno(error, 'ECONNREFUSED')) throw new DaemonError('Unavailable', `connect to 127.0.0.1 port ${port}: connection refused`);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      this.running -= 1;
    }
  }
}

async function runOnPipes(request: ExecRequest, streams: ExecStreams, signal: AbortSignal): Promise<{ exitCode: number }> {
  const [file = '', ...args] = request.command;
  const child = spawn(file, args, { stdio: 'pipe', detached: true });
  const hangUp = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    // A pipe to a stream that is gone waits for ever, and 'close' with it.
    for (const output of [child.stdout, child.stderr]) output.destroy();
  };
  signal.addEventListener('abort', hangUp, { once: true });
  child.stdin.on('error', () => streams.stdin?.destroy());
  if (streams.stdin === undefined) child.stdin.end();
  else streams.stdin.pipe(child.stdin);
  if (streams.stdout === undefined) child.stdout.resume();
  else child.stdout.pipe(streams.stdout, { end: false });
  if (streams.stderr === undefined) child.stderr.resume();
  else child.stderr.pipe(streams.stderr, { end: false });
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { exitCode: code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]) };
  } catch (error) {
    throw new DaemonError('InvalidArgument', `exec ${file}: ${(error as Error).message}`);
  } finally {
    signal.removeEventListener('abort', hangUp);
    child.stdin.destroy();
  }
}

async function runOnTerminal(
  request: ExecRequest & { readonly size?: TerminalSize },
  streams: ExecStreams,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  const { child, master, resize } = spawnOnTerminal(request.command, request.size);
  const follow = async (): Promise<void> => {
    for await (const { width, height } of resizes) if (!master.destroyed) resize(width, height);
  };
  const following = follow();
  const hangUp = (): void => {
    master.destroy();
  };
  signal.addEventListener('abort', hangUp, { once: true });
  master.on('error', () => undefined); // EIO: the last holder of the slave has gone
  const ended = new Promise((resolve) => master.once('close', resolve));
  if (streams.stdout === undefined) master.resume();
  else master.pipe(streams.stdout, { end: false });
  streams.stdin?.on('data', (chunk: Buffer) => {
    if (!master.destroyed) master.write(chunk);
  });
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  await ended;
  signal.removeEventListener('abort', hangUp);
  void following.catch(() => undefined);
  return { exitCode: code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]) };
}
