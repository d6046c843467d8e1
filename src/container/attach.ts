import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { waitFor } from '../base/deadline.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';
import type { TerminalSize } from '../linux/console.ts';
import { connectPackets, type PacketConnection } from '../linux/seqpacket.ts';
import type { Bundle } from './bundle.ts';
import { isAliveState, requireState, type Container } from './container.ts';
import type { Containers } from './containers.ts';

export interface AttachStreamRequest {
  readonly containerId: string;
  readonly tty: boolean;
  readonly size?: TerminalSize;
}

interface OutputSink {
  write(chunk: Uint8Array): void;
}

export interface AttachIo {
  readonly stdin?: Readable;
  readonly stdout?: OutputSink;
  readonly stderr?: OutputSink;
}

/** The first byte of conmon's packets (conmon, conn_sock.c). */
const STDOUT = 2;
const STDERR = 3;

/**
 * Joins a running container's terminal or pipes, over its monitor's socket, until the container ends. The output is always
 * read: conmon writes to its clients from the loop that keeps the log.
 */
export async function attach(
  containers: Containers,
  request: AttachStreamRequest,
  io: AttachIo,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<void> {
  const container = containers.get(request.containerId);
  requireState(container, 'attach');
  const bundle = containers.bundleOf(container.record.id);
  const connection = await connect(containers, container, io, signal);
  const ended = new AbortController();
  try {
    // A size that cannot be set is no reason to end the session.
    if (request.tty) followSizes(bundle, request.size, resizes, ended.signal).catch(() => undefined);
    const input = io.stdin === undefined ? Promise.resolve() : copyIn(io.stdin, connection, container.record.config.stdinOnce);
    input.catch(() => undefined);
    await waitFor(connection.closed, signal);
  } finally {
    ended.abort();
    // conmon must see our end before it fails to write to us: see KEEP_HEAP in ociruntime/spawn-monitor.ts.
    connection.leave();
  }
}

async function connect(containers: Containers, { record }: Container, io: AttachIo, signal: AbortSignal): Promise<PacketConnection> {
  try {
    return await connectPackets(containers.bundleOf(record.id).attachSocket, {
      signal,
      onPacket: (packet) => {
        const output = packet[0] === STDOUT ? io.stdout : packet[0] === STDERR ? io.stderr : undefined;
        // The buffer is used again for the next packet.
        output?.write(Buffer.from(packet.subarray(1)));
      },
    });
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ECONNREFUSED')) throw error;
    // As a rule the container has ended since it was looked at, and its monitor with it.
    await containers.exits.check(record.id);
    const state = containers.store.get(record.id)?.state;
    const why = state !== undefined && isAliveState(state) ? 'its monitor does not listen' : 'it has ended';
    throw new DaemonError('FailedPrecondition', `attach container ${record.id}: ${why}`, { cause: error });
  }
}

/** The client's input, packet by packet; its end reaches the container only where its stdin is for one client. */
async function copyIn(stdin: Readable, connection: PacketConnection, stdinOnce: boolean): Promise<void> {
  for await (const chunk of stdin) await connection.write(chunk as Uint8Array);
  if (stdinOnce) await connection.end();
}

/** conmon's control line for a size: `1 HEIGHT WIDTH`. */
async function followSizes(
  bundle: Bundle,
  first: TerminalSize | undefined,
  resizes: AsyncIterable<TerminalSize>,
  signal: AbortSignal,
): Promise<void> {
  const tell = async ({ width, height }: TerminalSize): Promise<void> => {
    try {
      const control = await open(bundle.controlFifo, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        await control.writeFile(`1 ${height} ${width}\n`);
      } finally {
        await control.close();
      }
    } catch (error) {
      if (!hasErrno(error, 'ENXIO', 'ENOENT', 'EPIPE')) throw error;
    }
  };
  if (first !== undefined) await tell(first);
  for await (const size of resizes) {
    if (signal.aborted) return;
    await tell(size);
  }
}
