import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { hasErrno } from '../base/errors.ts';
import { close, pipe } from './libc.ts';

export { close, pipe };

/** The two ends of a pipe. */
export type PipeEnds = ReturnType<typeof pipe>;

/** Several pipes, or none: where the descriptors run out, those already made are closed. @throws EMFILE. */
export function makePipes(count: number): PipeEnds[] {
  const made: PipeEnds[] = [];
  try {
    while (made.length < count) made.push(pipe());
    return made;
  } catch (error) {
    closeAll(made.flatMap(({ readEnd, writeEnd }) => [readEnd, writeEnd]));
    throw error;
  }
}

/** What is being read from a pipe. */
export interface PipeReading {
  /** What was read until the end, the first line, or the limit. Never rejects. */
  readonly text: Promise<string>;
  /** What has been read by now. */
  readonly soFar: () => string;
  /** Ends the reading and closes our end. Idempotent. */
  readonly stop: () => void;
}

/** Reads a pipe's read end until its end of file, or until the first newline; the descriptor is ours from now on. */
export function readText(fd: number, limitBytes: number, firstLineOnly = false): PipeReading {
  const socket = new Socket({ fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  let size = 0;
  const soFar = (): string => Buffer.concat(chunks).toString().slice(0, limitBytes);
  const text = new Promise<string>((resolve) => {
    const finish = (): void => {
      resolve(soFar());
    };
    socket.on('data', (chunk: Buffer) => {
      if (size < limitBytes) chunks.push(chunk);
      size += chunk.length;
      if (firstLineOnly && chunk.includes(10)) finish();
    });
    socket.on('error', finish);
    socket.on('end', finish);
    socket.on('close', finish);
  });
  return {
    text,
    soFar,
    stop: () => {
      socket.destroy();
    },
  };
}

/** Resolves when a pipe's reader has had everything: its end of file, or that it was destroyed. */
export async function ended(socket: Socket): Promise<void> {
  // One that had nothing to say has ended before anybody listened.
  if (socket.readableEnded || socket.destroyed) return;
  await new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', resolve);
  });
}

/** Closes descriptors; for ends that the child has now, or that nobody will use. */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) close(fd);
}

/** Writes a few bytes to a pipe that nobody has written to yet, and closes it. That its reader has gone is no error. */
export function writeAndClose(fd: number, bytes: string): void {
  try {
    // eslint-disable-next-line no-restricted-syntax -- a pipe takes its first 4 KiB without blocking (pipe(7), PIPE_BUF)
    writeSync(fd, bytes);
  } catch (error) {
    if (!hasErrno(error, 'EPIPE')) throw error;
  } finally {
    close(fd);
  }
}
