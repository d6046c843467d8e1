import { chmod, lchown, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DaemonError, unlessMissing } from './errors.ts';
import { removeStaleSocket } from './stale-socket.ts';

/** Longest path of a unix socket, bytes: sun_path less its final zero, unix(7). */
const PATH_LIMIT_BYTES = 107;

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
  const folder = `${path}.new`;
  const bindPath = `${folder}/s`;
  const bytes = Buffer.byteLength(bindPath);
  if (bytes > PATH_LIMIT_BYTES) {
    const most = PATH_LIMIT_BYTES - (bytes - Buffer.byteLength(path));
    throw new DaemonError('InvalidArgument', `listen on ${path}: the path has ${Buffer.byteLength(path)} bytes, must have at most ${most}`);
  }
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
