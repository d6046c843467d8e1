import koffi from 'koffi';
import { bind, check, close, lastErrno } from './libc.ts';
import { accept, listenAt, SOCK_STREAM, socketOver } from './socket-calls.ts';
import { DaemonError } from '../base/errors.ts';
import type { Socket } from 'node:net';

const TIOCSWINSZ = 0x5414;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const CMSG_HEADER_BYTES = 16;
/** Above V8's limit of arrays that it keeps on its heap and moves about. */
const FIXED_BUFFER_BYTES = 256;
const READ_BUFFER_BYTES = 32 * 1024;
const EAGAIN = 11;

const recvmsg = bind<(fd: number, message: Buffer, flags: number) => number>('long recvmsg(int fd, void *msg, int flags)');
const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>('int ioctl(int fd, unsigned long request, void *arg)');
const unlink = bind<(path: string) => number>('int unlink(const char *path)');

/** A terminal's size in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Waits for the terminal that a runtime sends to its `--console-socket`. */
export interface ConsoleSocket {
  readonly path: string;
  /**
   * The master of the pty, a descriptor that is the caller's. Call it when the runtime has ended well: it sends first.
   * @throws {DaemonError} Internal when no terminal was sent.
   */
  receive(): number;
  /** Closes and removes the socket; again is fine. */
  close(): void;
}

/** Listens for a runtime's terminal at `path`, at most 107 bytes long, in a directory that only root may enter. */
export function listenForTerminal(path: string): ConsoleSocket {
  const listener = listenAt(path, SOCK_STREAM);
  let open = true;
  return {
    path,
    receive: () => {
      let connection: number;
      try {
        connection = accept(listener, path);
      } catch (error) {
        throw new DaemonError('Internal', `receive terminal at ${path}: the runtime sent none`, { cause: error });
      }
      try {
        return receiveDescriptor(connection, path);
      } finally {
        close(connection);
      }
    },
    close: () => {
      if (!open) return;
      open = false;
      close(listener);
      unlink(path);
    },
  };
}

/** One descriptor out of an SCM_RIGHTS message: unix(7), cmsg(3). */
function receiveDescriptor(connection: number, path: string): number {
  const data = Buffer.alloc(4096); // runc sends the name of the terminal along
  const control = Buffer.alloc(FIXED_BUFFER_BYTES);
  const iovec = Buffer.alloc(FIXED_BUFFER_BYTES);
  iovec.writeBigUInt64LE(koffi.address(data), 0);
  iovec.writeBigUInt64LE(BigInt(data.length), 8);
  const message = Buffer.alloc(FIXED_BUFFER_BYTES); // struct msghdr of 64-bit Linux
  message.writeBigUInt64LE(koffi.address(iovec), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const received = recvmsg(connection, message, MSG_CMSG_CLOEXEC);
  if (received === -1 && lastErrno() === EAGAIN) throw new DaemonError('Internal', `receive terminal at ${path}: nothing was sent`);
  check(received, 'recvmsg', path);
  const controlLength = Number(message.readBigUInt64LE(40));
  const isDescriptor = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  if (controlLength < CMSG_HEADER_BYTES + 4 || !isDescriptor) {
    throw new DaemonError('Internal', `receive terminal at ${path}: the message carries no descriptor, must carry one`);
  }
  const count = (Number(control.readBigUInt64LE(0)) - CMSG_HEADER_BYTES) / 4;
  for (let index = 1; index < count; index += 1) close(control.readInt32LE(CMSG_HEADER_BYTES + 4 * index));
  return control.readInt32LE(CMSG_HEADER_BYTES);
}

/** A terminal's master as a stream. */
export interface Terminal {
  /** Write to it, resume() it after a pause, destroy() it: then the session's processes get SIGHUP. Never end() it. */
  readonly socket: Socket;
  /** Resolves when no process has the terminal open any more (the kernel says EIO), or after destroy(). */
  readonly closed: Promise<void>;
  /** Sets the size; the foreground processes get SIGWINCH. After the end it does nothing. */
  resize(size: TerminalSize): void;
}

/**
 * Takes over the master of a pty. `onData` gets what the terminal prints, in a buffer that is used again: copy what is
 * kept. false pauses until `socket.resume()`; nothing is lost meanwhile, the writer waits.
 */
export function openTerminal(master: number, onData: (bytes: Buffer) => boolean): Terminal {
  const { socket, fd } = socketOver(master, { onRead: onData, bufferBytes: READ_BUFFER_BYTES });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  return {
    socket,
    closed,
    resize: ({ width, height }) => {
      if (!socket.destroyed) resizeTerminal(fd, { width, height });
    },
  };
}

/** TIOCSWINSZ: ioctl_tty(2). */
export function resizeTerminal(fd: number, size: TerminalSize): void {
  const winsize = Buffer.alloc(8);
  winsize.writeUInt16LE(clamp(size.height), 0);
  winsize.writeUInt16LE(clamp(size.width), 2);
  check(ioctl(fd, TIOCSWINSZ, winsize), 'ioctl TIOCSWINSZ');
}

function clamp(characters: number): number {
  return Math.min(Math.max(Math.trunc(characters), 0), 0xffff);
}
