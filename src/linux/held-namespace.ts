import { open } from 'node:fs/promises';
import { DaemonError, hasErrno } from '../base/errors.ts';
import { isAlive } from './process.ts';
import type { ProcessIdentity } from './process.ts';

/** A namespace held open by a descriptor of ours. */
export interface HeldNamespace {
  /** Leads to it for every process of the node, until it is closed: proc_pid_fd(5). */
  readonly path: string;
  readonly close: () => Promise<void>;
}

/**
 * Opens a namespace of exactly this process. A pid is given again, so /proc/PID/ns, looked at later, may be another's.
 * @throws {DaemonError} FailedPrecondition where the process has ended.
 */
export async function holdNamespace(identity: ProcessIdentity, name: 'pid'): Promise<HeldNamespace> {
  const gone = `join the ${name} namespace of process ${identity.pid}: it has ended, must run`;
  const handle = await open(`/proc/${identity.pid}/ns/${name}`, 'r').catch((error: unknown) => {
    throw hasErrno(error, 'ENOENT', 'ESRCH') ? new DaemonError('FailedPrecondition', gone, { cause: error }) : error;
  });
  try {
    // Looked at after the namespace is open: it is then this process's.
    if (!(await isAlive(identity))) throw new DaemonError('FailedPrecondition', gone);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { path: `/proc/${process.pid}/fd/${handle.fd}`, close: async () => handle.close() };
}
