import { connect } from 'node:net';
import type { ThreadReport } from '../base/thread-report.ts';
import { peerPid } from '../linux/peer.ts';
import { openFilesLimit } from '../linux/process-counters.ts';
import { readChildren, readThreads } from '../linux/thread-stacks.ts';

const CONNECT_MS = 2_000;

/**
 * The process that listens on a unix socket: the kernel tells it at once, also where that process does not answer.
 * @returns undefined where nobody listens.
 */
export async function listenerOf(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (): void => {
      const pid = peerPid(socket);
      socket.destroy();
      resolve(pid);
    };
    socket.setTimeout(CONNECT_MS, end);
    socket.once('connect', end);
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}

/** What the kernel says of the process that listens on a socket; undefined where nobody does. */
export async function stacksOfListener(
  path: string,
): Promise<{ pid: number; threads: ThreadReport[]; children: ThreadReport[] } | undefined> {
  const pid = await listenerOf(path);
  if (pid === undefined) return undefined;
  const [threads, children] = await Promise.all([readThreads(pid), readChildren(pid)]);
  return { pid, threads, children };
}

/** How many files a process may open; undefined where there is no limit, or no such process. */
export async function openFilesOf(pid: number): Promise<number | undefined> {
  const limit = await openFilesLimit(pid);
  return limit === undefined ? undefined : Number(limit);
}
