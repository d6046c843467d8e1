import { runAllInOrder } from '../base/settle.ts';
import { exitOf, findProcessesByEnvironment, SIGKILL, signalProcess } from '../linux/process.ts';
import { OWNER_VARIABLE } from './spawn-monitor.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { CgroupPlacement } from './placement.ts';

/** How long a killed monitor or runtime process may take to go, milliseconds. */
const KILL_WAIT_MS = 5_000;

export interface SweepRequest {
  readonly runtime: OciRuntime;
  readonly placement: CgroupPlacement;
  readonly cgroupParent: string;
  /** Its linux.cgroupsPath; missing for one in our own naming. */
  readonly cgroupsPath?: string | undefined;
  readonly containerId: string;
  /** Whether the creation got so far that its processes are known and need not be searched for. */
  readonly monitorKnown: boolean;
  /** Whether the runtime may have been restoring it. */
  readonly isRestored?: boolean;
}

/**
 * Removes everything of one container outside the file system: a monitor and a runtime that may still be creating it, the
 * runtime's state, its cgroups with all processes in them. Idempotent. @throws the first failure, when all was tried.
 */
export async function sweepContainer(request: SweepRequest): Promise<void> {
  const { runtime, placement, containerId } = request;
  // A runtime that hangs must not keep the cgroups, and with them the processes, alive.
  await runAllInOrder([
    async () => (request.monitorKnown ? undefined : killCreators(containerId)),
    async () => (request.isRestored === true ? runtime.deleteRestored(containerId) : runtime.delete(containerId)),
    async () => placement.removeContainer(request.cgroupParent, containerId, request.cgroupsPath),
  ]);
}

/**
 * Kills the processes that make a container. They carry its id in their environment (a conmon that loses its daemon goes on
 * by itself: the end of file on its start pipe lets it run), so the search is repeated until it finds none.
 */
export async function killCreators(containerId: string): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const found = await findProcessesByEnvironment(OWNER_VARIABLE, containerId);
    if (found.length === 0) return;
    await Promise.all(
      found.map(async (process) => {
        await signalProcess(process, SIGKILL);
        await exitOf(process, AbortSignal.timeout(KILL_WAIT_MS)).catch(() => undefined);
      }),
    );
  }
}
