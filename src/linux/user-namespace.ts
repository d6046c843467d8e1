import { DaemonError } from '../base/errors.ts';
import { bind, check, close, duplicateFrom, errnoError, lastErrno, O_WRONLY, open, pipe } from './libc.ts';
import { startProgram } from './spawn-posix.ts';
import { unshareProgram } from './unshare-program.ts';

/** `length` ids of a user namespace, from `containerId` on, that are those of the node from `hostId` on; user_namespaces(7). */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}

/** The users and groups of a user namespace. */
export interface UserMapping {
  readonly uids: IdMapping;
  readonly gids: IdMapping;
}

/** Whom an id of a user namespace is on the node; the namespace's root where it has no such id. Without a mapping ids are the node's. */
export function hostId(id: number, mapping: IdMapping | undefined): number {
  if (mapping === undefined) return id;
  return mapping.hostId + (isMapped(id, mapping) ? id - mapping.containerId : 0);
}

/** Whether a user namespace has this id. */
export function isMapped(id: number, { containerId, length }: IdMapping): boolean {
  return id >= containerId && id < containerId + length;
}

const CLONE_NEWUSER = 0x10000000;
const EINTR = 4;
const ENOSPC = 28;
const MFD_CLOEXEC = 1;
/** memfd_create(2), Linux 6.3; before it every such file may be executed, and the flag is refused. */
const MFD_EXEC = 0x10;
/** The child's 0, 1 and 2 must not be ours: see spawn-stdio.ts. */
const LEAST_PASSED_FD = 64;

const read = bind<(fd: number, data: Buffer, length: number) => number>('long read(int fd, void *buf, size_t count)');
const write = bind<(fd: number, data: Uint8Array, length: number) => number>('long write(int fd, const void *buf, size_t count)');
const memfdCreate = bind<(name: string, flags: number) => number>('int memfd_create(const char *name, uint32_t flags)');
const waitpid = bind<(pid: number, status: Buffer, options: number) => number>('int waitpid(int pid, void *status, int options)');

let program: number | undefined;

/** The program in a file without a name: nothing of it is on a disk, and no mount option keeps it from running. */
function programFile(): number {
  if (program !== undefined) return program;
  let fd = memfdCreate('podwright-userns', MFD_CLOEXEC | MFD_EXEC);
  if (fd === -1) fd = check(memfdCreate('podwright-userns', MFD_CLOEXEC), 'memfd_create');
  const bytes = unshareProgram(process.arch);
  check(write(fd, bytes, bytes.length), 'write memfd');
  program = fd;
  return fd;
}

/**
 * Makes a user namespace with these ids, and with it new namespaces of the kinds in `flags` (CLONE_NEW*), which belong to it. They
 * are there while `work` runs, and after it where something has taken hold of /proc/PID/ns. It blocks for about a millisecond: not
 * for the event loop. Killed at any point, nothing of it is left: the process that waits in the namespaces ends with us.
 * @param work must be synchronous. @throws FailedPrecondition where the node makes no more of them, the system error of a step.
 */
export function withNewUserNamespace<T>(mapping: UserMapping, flags: number, work: (pid: number) => T): T {
  const input = pipe();
  const output = pipe();
  let pid: number | undefined;
  try {
    const request = Buffer.alloc(8);
    request.writeBigUInt64LE(BigInt(CLONE_NEWUSER | flags));
    check(write(input.writeEnd, request, request.length), 'write');
    pid = start(input.readEnd, output.writeEnd);
    // With ours closed, its end is the end of the answer.
    close(output.writeEnd);
    output.writeEnd = -1;
    checkMade(output.readEnd);
    writeMap(`/proc/${pid}/uid_map`, mapping.uids);
    writeMap(`/proc/${pid}/gid_map`, mapping.gids);
    return work(pid);
  } finally {
    // The end of its input ends it.
    for (const fd of [input.readEnd, input.writeEnd, output.readEnd, output.writeEnd]) if (fd !== -1) close(fd);
    if (pid !== undefined) reap(pid);
  }
}

function start(input: number, output: number): number {
  const passed = [input, output, programFile()].map((fd) => duplicateFrom(fd, LEAST_PASSED_FD));
  try {
    return startProgram('/proc/self/fd/2', { args: [], env: {} }, passed);
  } finally {
    passed.forEach(close);
  }
}

function checkMade(output: number): void {
  const answer = Buffer.alloc(8);
  let length = read(output, answer, answer.length);
  while (length === -1 && lastErrno() === EINTR) length = read(output, answer, answer.length);
  check(length, 'read');
  if (length !== answer.length)
    throw new DaemonError('Internal', 'make a user namespace: the process for it has ended before it had made one');
  const result = Number(answer.readBigInt64LE());
  if (result === 0) return;
  const cause = errnoError('unshare', undefined, -result);
  if (-result !== ENOSPC) throw cause;
  throw new DaemonError(
    'FailedPrecondition',
    'make a user namespace: the node has as many namespaces as it may; user.max_user_namespaces and its neighbours in /proc/sys/user must be higher',
    { cause },
  );
}

/** One line, whole: the kernel takes a map once. */
function writeMap(path: string, { containerId, hostId, length }: IdMapping): void {
  const fd = open(path, O_WRONLY);
  try {
    const line = Buffer.from(`${containerId} ${hostId} ${length}\n`);
    check(write(fd, line, line.length), 'write', path);
  } finally {
    close(fd);
  }
}

function reap(pid: number): void {
  const status = Buffer.alloc(4);
  // ECHILD: the sweep of zombies was faster.
  while (waitpid(pid, status, 0) === -1 && lastErrno() === EINTR);
}
