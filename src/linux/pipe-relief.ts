import { readlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { bind, check, close, O_NONBLOCK, O_RDONLY, open } from './libc.ts';
import { hasErrno } from '../base/errors.ts';

/** ioctl_pipe(2): bytes that wait in the pipe. */
const FIONREAD = 0x541b;
/** pipe(7): a pipe takes 64 KiB, and a writer of more waits. */
const NEARLY_FULL_BYTES = 32 * 1024;

const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>('int ioctl(int fd, unsigned long request, void *arg)');

/** What is read in another's place from a pipe that nobody empties. */
export interface PipeRelief {
  /** The last bytes of it, as many as were asked to be kept. */
  readonly tail: () => Buffer;
  readonly stop: () => void;
}

/**
 * Keeps a pipe from filling up whose reader does not read, so that its writer need not wait: from now on it is emptied
 * whenever it is nearly full. The pipe is the one that descriptor `fd` of a process writes to. It is opened for reading
 * through /proc, as any number of readers may.
 * @returns undefined where the descriptor is no pipe, the pipe has room, or the process is gone.
 */
export async function relievePipe(pid: number, fd: number, keepBytes: number): Promise<PipeRelief | undefined> {
  const path = `/proc/${pid}/fd/${fd}`;
  try {
    if (!(await readlink(path)).startsWith('pipe:')) return undefined;
    const end = open(path, O_RDONLY | O_NONBLOCK);
    if (waitingBytes(end, path) >= NEARLY_FULL_BYTES) return keepTail(end, keepBytes);
    close(end);
    return undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

function waitingBytes(end: number, path: string): number {
  const waiting = Buffer.alloc(4);
  check(ioctl(end, FIONREAD, waiting), 'ioctl FIONREAD', path);
  return waiting.readInt32LE(0);
}

function keepTail(fd: number, keepBytes: number): PipeRelief {
  const socket = new Socket({ fd, readable: true, writable: false });
  let tail = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-keepBytes);
  });
  return {
    tail: () => tail,
    stop: () => {
      socket.destroy();
    },
  };
}
