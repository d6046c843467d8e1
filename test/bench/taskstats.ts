/**
 * The processor time of every process that ends, however short it lived: the kernel tells it of each thread at its end
 * (Documentation/accounting/taskstats.rst), in nanoseconds. Root.
 */
import { readlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { execa } from 'execa';
import { bind, check, close, lastErrno } from '../../src/linux/libc.ts';
import { withNamespaces } from '../../src/linux/namespaces.ts';
import { statOfProcess } from '../../src/linux/proc-stat.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2000000 | 0o4000; // CLOEXEC, NONBLOCK
const NETLINK_GENERIC = 16;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const BUFFER_BYTES = 32 * 1024 * 1024;
const EAGAIN = 11;
const NLM_F_REQUEST = 1;
/** linux/genetlink.h */
const CTRL = { id: 16, getFamily: 3, familyId: 1, familyName: 2 } as const;
/** linux/taskstats.h: commands, and the attributes of commands and of what is told. */
const TASKSTATS = { get: 1, registerCpus: 3, aggregateOfThread: 4, stats: 3 } as const;
const HEADER_BYTES = 20;
/** Of struct taskstats, from version 12 on. */
const FIELD = { runNs: 72, name: 80, pid: 128, parent: 132, process: 368, least: 372 } as const;
const NAME_BYTES = 32;
const READ_EVERY_MS = 20;

const socket = bind<(domain: number, type: number, protocol: number) => number>('int socket(int domain, int type, int protocol)');
const bindFunction = bind<(fd: number, address: Buffer, length: number) => number>('int bind(int fd, void *addr, uint len)');
const setsockopt = bind<(fd: number, level: number, name: number, value: Buffer, length: number) => number>(
  'int setsockopt(int fd, int level, int name, void *value, uint len)',
);
const send = bind<(fd: number, data: Buffer, size: number, flags: number) => number>('long send(int fd, void *buf, size_t len, int flags)');
const recv = bind<(fd: number, data: Buffer, size: number, flags: number) => number>('long recv(int fd, void *buf, size_t len, int flags)');

/** A process that has ended: all of its threads together. */
export interface EndedProcess {
  readonly pid: number;
  /** Who was waiting for it when it ended. */
  readonly parent: number;
  /** Its name at the end. */
  readonly name: string;
  readonly processorMs: number;
}

/** Hears of ends until it is closed. */
export class TaskStats {
  readonly #fd: number;
  readonly #timer: NodeJS.Timeout;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #ended = new Map<number, { parent: number; name: string; runNs: bigint }>();

  private constructor(network: string) {
    const open = (): number => check(socket(AF_NETLINK, SOCK_RAW | SOCK_FLAGS, NETLINK_GENERIC), 'socket');
    this.#fd = withNamespaces({ net: network }, open);
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK);
    check(bindFunction(this.#fd, address, address.length), 'bind netlink');
    check(setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(BUFFER_BYTES), 4), 'setsockopt SO_RCVBUFFORCE');
    this.#send(message(CTRL.id, CTRL.getFamily, CTRL.familyName, Buffer.from('TASKSTATS\0')));
    const family = this.#family();
    this.#send(message(family, TASKSTATS.get, TASKSTATS.registerCpus, Buffer.from(`0-${availableParallelism() - 1}\0`)));
    this.#timer = setInterval(() => {
      this.#read();
    }, READ_EVERY_MS);
  }

  /** @throws where the kernel does not tell, or not us: shown by a process that ends. */
  static async open(): Promise<TaskStats> {
    const stats = new TaskStats(await firstNetwork());
    try {
      await execa('true');
      if (stats.take().some(({ parent }) => parent === process.pid)) return stats;
      throw new Error('nothing is heard of one that ended just now; it tells in the first network namespace alone');
    } catch (error) {
      stats.close();
      throw error;
    }
  }

  /** What has ended since the last call. */
  take(): readonly EndedProcess[] {
    this.#read();
    const ended = [...this.#ended].map(([pid, { parent, name, runNs }]) => ({ pid, parent, name, processorMs: Number(runNs) / 1e6 }));
    this.#ended = new Map();
    return ended;
  }

  close(): void {
    clearInterval(this.#timer);
    close(this.#fd);
  }

  #send(data: Buffer): void {
    check(send(this.#fd, data, data.length, 0), 'send netlink');
  }

  #family(): number {
    const size = check(recv(this.#fd, this.#buffer, this.#buffer.length, 0), 'recv netlink');
    for (const { type, data } of attributes(this.#buffer.subarray(HEADER_BYTES, size)))
      if (type === CTRL.familyId) return data.readUInt16LE();
    throw new Error('the kernel has no taskstats');
  }

  #read(): void {
    for (;;) {
      const size = recv(this.#fd, this.#buffer, this.#buffer.length, 0);
      if (size < 0 && lastErrno() === EAGAIN) return;
      // ENOBUFS: some are lost, and with them the figure.
      check(size, 'recv netlink');
      for (const { type, data } of attributes(this.#buffer.subarray(HEADER_BYTES, size))) {
        if (type !== TASKSTATS.aggregateOfThread) continue;
        for (const { type: inner, data: stats } of attributes(data)) if (inner === TASKSTATS.stats) this.#add(stats);
      }
    }
  }

  #add(stats: Buffer): void {
    if (stats.length < FIELD.least)
      throw new Error(`taskstats has ${stats.length} bytes, must be ${FIELD.least} or more: Linux 5.19 or later`);
    const pid = stats.readUInt32LE(FIELD.process);
    const before = this.#ended.get(pid);
    const isLeader = stats.readUInt32LE(FIELD.pid) === pid;
    const name = isLeader || before === undefined ? text(stats.subarray(FIELD.name, FIELD.name + NAME_BYTES)) : before.name;
    const runNs = (before?.runNs ?? 0n) + stats.readBigUInt64LE(FIELD.runNs);
    this.#ended.set(pid, { parent: stats.readUInt32LE(FIELD.parent), name, runNs });
  }
}

/** Those that ended below `root`, which lives. */
export function below(root: number, ended: readonly EndedProcess[]): readonly EndedProcess[] {
  const parents = new Map(ended.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number, depth = 0): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && depth < 64 && (parent === root || isBelow(parent, depth + 1));
  };
  return ended.filter(({ pid }) => isBelow(pid));
}

/** The kernel tells it in the network namespace that it began with, only: that of our first ancestor that we may look at. */
async function firstNetwork(): Promise<string> {
  let found = '/proc/self/ns/net';
  for (let pid = process.pid; pid > 0; pid = (await statOfProcess(pid))?.parentPid ?? 0) {
    const path = `/proc/${pid}/ns/net`;
    if (await readlink(path).then(() => true, () => false)) found = path; // prettier-ignore
  }
  return found;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

const text = (bytes: Buffer): string => bytes.toString('utf8', 0, bytes.indexOf(0));

/** netlink(7): a header, the generic header, one attribute. */
function message(type: number, command: number, attribute: number, data: Buffer): Buffer {
  const padded = (HEADER_BYTES + 4 + data.length + 3) & ~3;
  const bytes = Buffer.alloc(padded);
  bytes.writeUInt32LE(padded, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST, 6);
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt8(command, 16);
  bytes.writeUInt8(1, 17);
  bytes.writeUInt16LE(4 + data.length, 20);
  bytes.writeUInt16LE(attribute, 22);
  data.copy(bytes, 24);
  return bytes;
}

function* attributes(bytes: Buffer): Generator<{ readonly type: number; readonly data: Buffer }, void> {
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < 4) return;
    yield { type: bytes.readUInt16LE(at + 2) & 0x3fff, data: bytes.subarray(at + 4, at + length) };
    at += (length + 3) & ~3;
  }
}
