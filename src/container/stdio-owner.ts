import { chown, readlink } from 'node:fs/promises';
import { hasErrno } from '../base/errors.ts';
import { changeOwner } from '../linux/at-calls.ts';
import { hostId, type UserMapping } from '../linux/user-namespace.ts';
import type { SandboxRecord } from '../podsandbox/sandbox.ts';

/** A user and group of the node. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Who a user of a container is on the node. */
export function ownerOnNode({ uid, gid }: Owner, user: UserMapping | undefined): Owner {
  return { uid: hostId(uid, user?.uids), gid: hostId(gid, user?.gids) };
}

/**
 * Gives the pipes of a created container to its user, so that /dev/stdout can be opened again (nginx logs there). In a pod without a
 * user namespace the runtime does it; in one with, the pipes belong to somebody whom the namespace does not have, and nobody in it
 * may give them away.
 */
export async function giveStdioOf(pid: number, sandbox: Pick<SandboxRecord, 'namespaces'>, user: Owner): Promise<void> {
  const { user: mapping } = sandbox.namespaces;
  if (mapping === undefined) return;
  const { uid, gid } = ownerOnNode(user, mapping);
  for (const fd of [0, 1, 2]) {
    const path = `/proc/${pid}/fd/${fd}`;
    try {
      // A terminal is of the container's own devpts, /dev/null is everybody's.
      if (/^(pipe|socket):/.test(await readlink(path))) await chown(path, uid, gid);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error; // it has ended; its start will say so
    }
  }
}

/** The same with pipes of ours, for an exec: either end gives both. */
export function givePipes(ends: readonly number[], owner: Owner | undefined): void {
  if (owner !== undefined) for (const fd of ends) changeOwner(fd, owner.uid, owner.gid);
}
