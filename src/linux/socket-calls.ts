import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { bind, check, close, duplicateOver, errnoError, O_DIRECTORY, O_PATH, open, setNonBlocking } from './libc.ts';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
// Always both: a blocking descriptor would stop the event loop, one without CLOEXEC would go to every child.
const SOCK_FLAGS = SOCK_CLOEXEC | 0o4000;
/** Bytes of sockaddr_un's path, with the NUL: unix(7). */
const SUN_PATH_BYTES = 108;
const ENAMETOOLONG = 36;

const socketFunction = bind<(domain: number, type: number, protocol: number) => number>('int socket(int domain, int type, int protocol)');
const socketpair = bind<(domain: number, type: number, protocol: number, fds: Buffer) => number>(
  'int socketpair(int domain, int type, int protocol, void *fds)',
);
const bindFunction = bind<(fd: number, address: Buffer, length: number) => number>('int bind(int fd, void *addr, uint len)');
const listenFunction = bind<(fd: number, backlog: number) => number>('int listen(int fd, int backlog)');
const accept4 = bind<(fd: number, address: null, length: null, flags: number) => number>(
  'int accept4(int fd, void *addr, void *len, int flags)',
);
const connectFunction = bind<(fd: number, address: Buffer, length: number) => number>('int connect(int fd, void *addr, uint len)');
const sendto = bind<(fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number) => number>(
  'long sendto(int fd, void *buf, size_t len, int flags, void *addr, uint addrlen)',
);

/** A socket that is closed on exec and does not block. */
export function makeSocket(family: number, type: number): number {
  return check(socketFunction(family, type | SOCK_FLAGS, 0), 'socket');
}

/**
 * The address of a unix socket; one that starts with @ lies in the abstract name space.
 * @throws ENAMETOOLONG over 107 bytes.
 */
export function unixAddress(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length >= SUN_PATH_BYTES) throw errnoError('unix socket address', path, ENAMETOOLONG);
  const abstract = path.startsWith('@');
  if (abstract) name[0] = 0;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, name, Buffer.alloc(abstract ? 0 : 1)]);
}

/** Gives `use` the address of the socket at `path`, also where the path is too long for one. */
export function withUnixAddress<T>(path: string, use: (address: Buffer) => T): T {
  if (Buffer.byteLength(path) < SUN_PATH_BYTES) return use(unixAddress(path));
  const directory = open(dirname(path), O_PATH | O_DIRECTORY);
  try {
    return use(unixAddress(`/proc/self/fd/${directory}/${basename(path)}`));
  } finally {
    close(directory);
  }
}

export function inetAddress(host: '127.0.0.1' | '::1', port: number): Buffer {
  const six = host === '::1';
  const address = Buffer.alloc(six ? 28 : 16);
  address.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
  address.writeUInt16BE(port, 2);
  if (six) address[23] = 1;
  else address.set([127, 0, 0, 1], 4);
  return address;
}

/** connect(2). @returns whether it is done; false while it is under way (EINPROGRESS). */
export function connect(fd: number, address: Buffer, what: string): boolean {
  if (connectFunction(fd, address, address.length) === 0) return true;
  const error = errnoError('connect', what);
  if (error.code === 'EINPROGRESS') return false;
  throw error;
}

export function listenAt(path: string, type: number): number {
  const fd = makeSocket(AF_UNIX, type);
  try {
    const address = unixAddress(path);
    check(bindFunction(fd, address, address.length), 'bind', path);
    check(listenFunction(fd, 1), 'listen', path);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** accept4(2). @throws EAGAIN when nobody has connected. */
export function accept(fd: number, what: string): number {
  return check(accept4(fd, null, null, SOCK_FLAGS), 'accept', what);
}

export function sendTo(fd: number, data: Buffer, address: Buffer, what: string): void {
  check(sendto(fd, data, data.length, 0, address, address.length), 'sendto', what);
}

/** What a {@link socketOver} does with what it reads. */
export interface OverOptions {
  /** Gets every read by itself, in a buffer that is used again; false pauses. */
  readonly onRead: (bytes: Buffer) => boolean;
  readonly bufferBytes: number;
}

/**
 * A net.Socket on a descriptor that Node does not take. net.Socket refuses a pty and a SOCK_SEQPACKET socket by their type
 * (ERR_INVALID_FD_TYPE). So the socket is made on one end of a socket pair, and `fd` is put in that end's place before the
 * event loop has looked at it. What is read does not go through a Readable's buffer: packets stay apart, and an error drops
 * nothing. `fd` is taken over, also when this throws.
 */
export function socketOver(fd: number, options: OverOptions): { socket: Socket; fd: number } {
  let socket: Socket | undefined;
  let pair: { place: number; other: number } | undefined;
  try {
    setNonBlocking(fd);
    pair = makePair();
    const { place } = pair;
    const onread = {
      buffer: Buffer.alloc(options.bufferBytes),
      callback: (length: number, buffer: Uint8Array): boolean => options.onRead(Buffer.from(buffer.buffer, buffer.byteOffset, length)),
    };
    socket = new Socket({ fd: place, readable: true, writable: true, allowHalfOpen: true, onread });
    socket.on('error', () => undefined);
    duplicateOver(fd, place);
    return { socket, fd: place };
  } catch (error) {
    if (socket !== undefined) socket.destroy();
    else if (pair !== undefined) close(pair.place);
    throw error;
  } finally {
    close(fd);
    if (pair !== undefined) close(pair.other);
  }
}

function makePair(): { place: number; other: number } {
  const { one, other } = pairOf(SOCK_FLAGS);
  return { place: one, other };
}

/** Two connected stream sockets, closed on exec. Both block, as a program expects it of what it is started with; libuv sets its own. */
export function socketPair(): { one: number; other: number } {
  return pairOf(SOCK_CLOEXEC);
}

function pairOf(flags: number): { one: number; other: number } {
  const fds = Buffer.alloc(8);
  check(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, fds), 'socketpair');
  return { one: fds.readInt32LE(0), other: fds.readInt32LE(4) };
}
