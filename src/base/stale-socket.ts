import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { DaemonError, hasErrno, unlessMissing } from './errors.ts';

/**
 * Makes way for a unix socket at `path`: one that nobody listens on is removed.
 * @throws {DaemonError} FailedPrecondition when a process answers there.
 */
export async function removeStaleSocket(path: string): Promise<void> {
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
