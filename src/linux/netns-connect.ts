import { Socket } from 'node:net';
import { bind, check, close, errnoError } from './libc.ts';
import { withNamespaces } from './namespaces.ts';
import { AF_INET, AF_INET6, connect, inetAddress, makeSocket, SOCK_STREAM } from './socket-calls.ts';
import { reasonOf, sleep } from '../base/deadline.ts';
import { hasErrno } from '../base/errors.ts';

const POLLOUT = 4;
const SOL_SOCKET = 1;
const SO_ERROR = 4;

const poll = bind<(fds: Buffer, count: number, timeoutMs: number) => number>('int poll(void *fds, unsigned long nfds, int timeout)');
const getsockopt = bind<(fd: number, level: number, option: number, value: Buffer, length: Buffer) => number>(
  'int getsockopt(int fd, int level, int optname, void *optval, void *optlen)',
);

/**
 * Connects by TCP to a port of a pod's own loopback, 127.0.0.1 first, then ::1. Only the socket is made inside the
 * namespace; it stays there for good, while this program's threads do not. The socket is half-open.
 * @param netnsPath the pod's network namespace; undefined for one that uses the node's.
 * @throws the system error of the last try, as ECONNREFUSED; or the signal's reason.
 */
export async function connectInNamespace(netnsPath: string | undefined, port: number, signal: AbortSignal): Promise<Socket> {
  try {
    return await connectTo(netnsPath, '127.0.0.1', port, signal);
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal);
    // No IPv6 in there, or nobody there either: the first failure says more.
    return connectTo(netnsPath, '::1', port, signal).catch((second: unknown) => {
      throw hasErrno(second, 'ECONNREFUSED', 'EAFNOSUPPORT', 'EADDRNOTAVAIL', 'ENETUNREACH') ? error : second;
    });
  }
}

async function connectTo(netnsPath: string | undefined, host: '127.0.0.1' | '::1', port: number, signal: AbortSignal): Promise<Socket> {
  const family = host === '::1' ? AF_INET6 : AF_INET;
  const make = (): number => makeSocket(family, SOCK_STREAM);
  const fd = netnsPath === undefined ? make() : withNamespaces({ net: netnsPath }, make);
  try {
    const what = `${host} port ${port}`;
    if (!connect(fd, inetAddress(host, port), what)) await connected(fd, what, signal);
  } catch (error) {
    close(fd);
    throw error;
  }
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

/** Waits until a connect that is under way is done. Over loopback it is at the first look, or nearly so. */
async function connected(fd: number, what: string, signal: AbortSignal): Promise<void> {
  const request = Buffer.alloc(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(POLLOUT, 4);
  for (let waitMs = 1; check(poll(request, 1, 0), 'poll') === 0; waitMs = Math.min(waitMs * 2, 100)) {
    if (signal.aborted) throw reasonOf(signal);
    await sleep(waitMs, signal);
  }
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(4);
  check(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length), 'getsockopt SO_ERROR');
  const errno = value.readInt32LE(0);
  if (errno !== 0) throw errnoError('connect', what, errno);
}
