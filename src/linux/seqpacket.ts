import { close } from './libc.ts';
import { AF_UNIX, connect, makeSocket, SOCK_SEQPACKET, socketOver, withUnixAddress } from './socket-calls.ts';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';

/** A SOCK_SEQPACKET connection: what is written at once arrives at once. */
export interface PacketConnection {
  /**
   * Sends bytes, in packets of at most 8 KiB, in the order of the calls; resolves when the kernel has them all.
   * @throws {DaemonError} Unavailable when the other side is gone.
   */
  write(data: Uint8Array): Promise<void>;
  /** Tells the other side that nothing more comes, after what was written before. Reading goes on. */
  end(): Promise<void>;
  destroy(): void;
  /**
   * Tells the other side that this is the end, and closes a moment later. What comes until then is read and dropped, so that the
   * other side sees the end before a write of its own fails.
   */
  leave(): void;
  /** Resolves when the other side has closed, or after destroy(). */
  readonly closed: Promise<void>;
}

export interface PacketOptions {
  /**
   * Gets each packet, in a buffer that is used again: copy what is kept. Reading cannot be paused. conmon waits until each of its
   * attach clients has taken what it writes, so one that does not read would stop the container's log.
   */
  readonly onPacket: (packet: Buffer) => void;
  readonly signal?: AbortSignal;
}

/** conmon reads its clients' packets into a buffer of 32 KiB and sends 8 KiB and a byte (conmon, conn_sock.c). */
const WRITE_BYTES = 8 * 1024;
const READ_BUFFER_BYTES = 64 * 1024;
const RETRY_MS = 20;
const LEAVE_MS = 200;

/**
 * Connects to a unix SOCK_SEQPACKET socket, as conmon's `attach`; its path may be longer than a socket address can be.
 * @throws the system error (ENOENT, ECONNREFUSED: no one listens), or the signal's reason.
 */
export async function connectPackets(path: string, options: PacketOptions): Promise<PacketConnection> {
  const fd = await connectedSocket(path, options.signal);
  let hasLeft = false;
  const { socket } = socketOver(fd, {
    bufferBytes: READ_BUFFER_BYTES,
    onRead: (packet) => {
      if (!hasLeft) options.onPacket(packet);
      return true;
    },
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  // The socket is half-open (we may go on writing), but an attach that says nothing more is over.
  socket.once('end', () => {
    socket.destroy();
  });
  const writeOne = (chunk: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      const stopped = (): void => {
        reject(new DaemonError('Unavailable', `write to ${path}: the connection is closed`));
      };
      if (socket.destroyed) {
        stopped();
        return;
      }
      socket.once('close', stopped);
      socket.write(chunk, (error) => {
        socket.off('close', stopped);
        if (error) reject(new DaemonError('Unavailable', `write to ${path}: ${error.message}`, { cause: error }));
        else resolve();
      });
    });
  // One write at a time: libuv would send several that wait as one packet, which conmon refuses (EMSGSIZE) or cuts.
  let last: Promise<void> = Promise.resolve();
  const inOrder = (work: () => Promise<void>): Promise<void> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    closed,
    write: (data) =>
      inOrder(async () => {
        for (let at = 0; at < data.length; at += WRITE_BYTES) await writeOne(data.subarray(at, at + WRITE_BYTES));
      }),
    end: () =>
      inOrder(async () => {
        if (!socket.destroyed) socket.end();
        return Promise.resolve();
      }),
    destroy: () => {
      socket.destroy();
    },
    leave: () => {
      hasLeft = true;
      if (socket.destroyed) return;
      socket.end();
      setTimeout(() => socket.destroy(), LEAVE_MS).unref();
    },
  };
}

async function connectedSocket(path: string, signal: AbortSignal | undefined): Promise<number> {
  const fd = makeSocket(AF_UNIX, SOCK_SEQPACKET);
  try {
    for (;;) {
      if (signal?.aborted === true) throw reasonOf(signal);
      try {
        withUnixAddress(path, (address) => connect(fd, address, path));
        return fd;
      } catch (error) {
        // The listener's backlog is full: unix(7).
        if (!hasErrno(error, 'EAGAIN')) throw error;
      }
      await sleep(RETRY_MS, signal);
    }
  } catch (error) {
    close(fd);
    throw error;
  }
}
