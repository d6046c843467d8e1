import { chmod, lchown, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { DaemonError, hasErrno, unlessMissing } from './errors.ts';

/** Where a socket is bound before it is at its path, behind that. */
const BOUND_AT = '.new/s';
/** Longest path that a socket can be bound to, bytes: sun_path less its closing zero, unix(7). */
export const SOCKET_PATH_LIMIT_BYTES = 107;
/** Longest path that {@link prepareSocket} takes, bytes. */
export const PREPARED_PATH_LIMIT_BYTES = SOCKET_PATH_LIMIT_BYTES - BOUND_AT.length;

/** A socket that appears at its final path only when it is bound and has its mode and owner. */
export interface SocketPlace {
  /** Where to bind: in a directory that nobody else may enter. */
  readonly bindPath: string;
  /** Gives the bound socket its mode and owner and moves it to its path. */
  publish(): Promise<void>;
  /** Takes the directory away; for when binding failed. */
  discard(): Promise<void>;
  /** Removes the socket, if it is still the one that was published. */
  remove(): Promise<void>;
}

export interface SocketOptions {
  readonly path: string;
  /** Permissions of the socket. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Prepares a unix socket that never has wider permissions than asked for, whatever the umask: it is bound in a private
 * directory beside its path (`PATH.new`) and moved when it is ready.
 * @throws {DaemonError} FailedPrecondition where another process listens there, or where the path is no socket.
 */
export async function prepareSocket(options: SocketOptions): Promise<SocketPlace> {
  const { path, mode, uid, gid } = options;
  const bytes = Buffer.byteLength(path);
  if (bytes > PREPARED_PATH_LIMIT_BYTES) {
    throw new DaemonError(
      'InvalidArgument',
      `listen on ${path}: the path has ${bytes} bytes, must have at most ${PREPARED_PATH_LIMIT_BYTES}`,
    );
  }
  const bindPath = `${path}${BOUND_AT}`;
  const folder = dirname(bindPath);
  await removeStaleSocket(path);
  await mkdir(dirname(path), { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  let inode: number | undefined;
  return {
    bindPath,
    publish: async () => {
      await lchown(bindPath, uid, gid);
      await chmod(bindPath, mode);
      inode = (await lstat(bindPath)).ino;
      await rename(bindPath, path);
      await rm(folder, { recursive: true, force: true });
    },
    discard: () => rm(folder, { recursive: true, force: true }),
    remove: async () => {
      const stats = await unlessMissing(lstat(path), undefined);
      if (stats !== undefined && stats.ino === inode) await rm(path, { force: true });
    },
  };
}

/**
 * Makes way for a unix socket at `path`: one that nobody listens on is removed.
 * @throws {DaemonError} FailedPrecondition when a process answers there.
 */
async function removeStaleSocket(path: string): Promise<void> {
  const present = await unlessMissing(lstat(path), undefined);
  if (present === undefined) return;
  if (!present.isSocket())
    throw new DaemonError('FailedPrecondition', `listen on ${path}: a file that is no socket is there, must be none`);
  if (await answers(path)) throw new DaemonError('FailedPrecondition', `listen on ${path}: a process listens there already, must be none`);
  await rm(path, { force: true });
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      // EAGAIN: there is a listener, and its backlog is full.
      if (hasErrno(error, 'ECONNREFUSED', 'ENOENT')) resolve(false);
      else if (hasErrno(error, 'EAGAIN')) resolve(true);
      else reject(new DaemonError('FailedPrecondition', `listen on ${path}: ${error.message}`, { cause: error }));
    });
  });
}
