import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { ContainerId } from '../base/ids.ts';
import { stage } from '../base/stage.ts';
import { operation, operationHas, outsideOfRequests, step } from '../base/steps.ts';
import { nowNs } from '../base/time.ts';
import { adoptOrphan, exitCodeOf, type ExitStatus } from '../linux/children.ts';
import { bootId, isAlive, SIGKILL, signalProcess, type ProcessIdentity } from '../linux/process.ts';
import { isNodeShuttingDown } from '../linux/system-state.ts';
import { readExit, removeExitFile, type ContainerExit } from '../ociruntime/exit-directory.ts';
import type { Container, ContainerRecord, ContainerState, ExitedFields, ExitReason } from './container.ts';
import { awaitsRestore, isAliveState } from './container.ts';
import { bundleOf, type ContainerParts } from './parts.ts';
import { releaseContainer } from './remove.ts';
import type { OomKills } from './oom-kills.ts';
import { reportOom } from './oom-report.ts';
import { madeOf } from './start.ts';
import { subjectOfContainer } from './subject.ts';
import { endedBeforeBoot, unseenEnd } from './unseen-end.ts';

/** How often a process whose monitor is dead is looked at, milliseconds. */
const ORPHAN_POLL_MS = 1_000;
/**
 * The same for a process whose monitor lives but is not our child. The exit file tells its end, so only the monitor's own death
 * has to be seen.
 */
const MONITORED_POLL_MS = 5_000;

export interface ExitsOptions {
  /** Runs a transition of one container. */
  readonly locked: (id: string, work: () => Promise<void>) => Promise<void>;
  readonly oomKills: OomKills;
  /** Whether a caller has asked for the container's end. */
  readonly isBeingStopped: (id: string) => boolean;
}

/** Learns that containers have ended, records how, and gives back what they held. */
export class Exits {
  readonly #parts: ContainerParts;
  readonly #options: ExitsOptions;
  readonly #waiters = new Map<string, { promise: Promise<void>; resolve: () => void }>();
  /** Those whose end is going on record. */
  readonly #recording = new Set<string>();
  readonly #watched = new Set<string>();
  readonly #released = new Set<string>();
  /** Processes that outlived their monitors and are our children; how they ended, once they have. */
  readonly #orphans = new Map<string, ExitStatus | undefined>();

  constructor(parts: ContainerParts, options: ExitsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Resolves when the end of the container is on record, or it is gone. */
  async waitFor(id: ContainerId): Promise<void> {
    const state = this.#parts.store.get(id)?.state;
    if (state === undefined || !isAliveState(state)) return;
    let waiter = this.#waiters.get(id);
    if (waiter === undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      waiter = {
        promise,
        resolve: () => {
          resolve(undefined);
        },
      };
      this.#waiters.set(id, waiter);
    }
    await waiter.promise;
  }

  /** Follows a monitor that is our child: its end means that the exit file is written. As a rule that is seen by itself, a little earlier. */
  watchMonitor(id: ContainerId, exit: Promise<unknown>): void {
    const ended = async (): Promise<void> => {
      if (!this.#recording.has(id)) await this.check(id);
    };
    outsideOfRequests(() => void exit.then(ended, ended));
  }

  /** Follows a container whose monitor is not our child (it outlived an earlier daemon), or has died. */
  watchOrphan(id: ContainerId): void {
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    const look = async (): Promise<void> => {
      for (let pauseMs = ORPHAN_POLL_MS; ;) {
        const container = this.#parts.store.get(id);
        if (container === undefined || !isAliveState(container.state) || awaitsRestore(container)) break;
        const { state } = container;
        await this.check(id);
        await sleep(pauseMs);
        const hasMonitor = await isAlive(state.monitor).catch(() => true);
        pauseMs = hasMonitor ? Math.min(pauseMs * 2, MONITORED_POLL_MS) : ORPHAN_POLL_MS;
      }
      this.#watched.delete(id);
    };
    outsideOfRequests(() => void look());
  }

  /** An exit file has appeared: conmon has written all there is, and ends. */
  async exitFileSeen(id: ContainerId): Promise<void> {
    await this.check(id);
  }

  /** Looks whether the container has ended, and if so records how. Never rejects. */
  async check(id: ContainerId): Promise<void> {
    try {
      await this.#options.locked(id, async () => this.#checkLocked(id));
    } catch (error) {
      this.#parts.log.error('recording the end of a container failed; tried again', { containerId: id, error: messageOf(error) });
      this.watchOrphan(id);
    }
  }

  /** Ends a container that its runtime could not start: it stays as Exited with the runtime's words. The lock is held. */
  async endFailedStart(container: Container, message: string): Promise<void> {
    const { record } = container;
    await signalProcess(container.state.process, SIGKILL);
    const state = this.#parts.store.get(record.id)?.state ?? container.state;
    await this.#record(record, state, { finishedAtNs: nowNs(), exitCode: 128, reason: 'ContainerCannotRun', message });
  }

  /** Ends a container whose processes were to be restored. The lock is held. */
  async endUnstarted({ record, state }: Container): Promise<void> {
    await this.#record(record, state, { finishedAtNs: nowNs(), exitCode: 137, reason: 'Error', message: '' });
  }

  /** Records an end that is known from elsewhere: after a reboot. The lock is not held. */
  async endLost(container: Container): Promise<void> {
    await this.#options.locked(container.record.id, async () => {
      await this.#record(container.record, container.state, await this.#howItEnded(container, undefined));
    });
  }

  /** Whether an ended container is known to hold nothing outside the file system any more. */
  isReleased(id: ContainerId): boolean {
    return this.#released.has(id);
  }

  /** The container is gone. */
  forget(id: ContainerId): void {
    this.#released.delete(id);
    this.#orphans.delete(id);
    this.#wake(id);
  }

  #wake(id: ContainerId): void {
    this.#waiters.get(id)?.resolve();
    this.#waiters.delete(id);
  }

  async #checkLocked(id: ContainerId): Promise<void> {
    const { store } = this.#parts;
    const container = store.get(id);
    if (container === undefined || !isAliveState(container.state)) {
      await removeExitFile(this.#parts.monitor.exitDirectory, id);
      return;
    }
    if (awaitsRestore(container)) return;
    const { record, state } = container;
    const exit = await readExit(bundleOf(this.#parts, id).persistDirectory);
    if (exit === undefined && (await isAlive(state.monitor))) return;
    if (exit === undefined) {
      if (state.process.pid !== 0) await this.#adopt(id, state.process);
      if (await isAlive(state.process)) {
        this.watchOrphan(id);
        return;
      }
    }
    await this.#record(record, state, await this.#howItEnded(container, exit));
  }

  /** Without its monitor the process is ours, as the subreaper: we are the only one that can still learn how it ends. */
  async #adopt(id: ContainerId, process: ProcessIdentity): Promise<void> {
    if (this.#orphans.has(id)) return;
    const orphan = await adoptOrphan(process);
    if (orphan === undefined) return;
    this.#orphans.set(id, undefined);
    const ended = (status: ExitStatus): void => void this.#orphans.set(id, status);
    // The end of a zombie is told before anybody can look at /proc; any other end is looked at when it comes.
    outsideOfRequests(() => void orphan.exit.then(ended, () => undefined).then(async () => this.check(id)));
  }

  /** @param read what conmon has told; where that was nothing, it may have done so since. */
  async #howItEnded(container: Container, read: ContainerExit | undefined): Promise<Omit<ExitedFields, 'startedAtNs'>> {
    const { oomKills } = this.#options;
    const { record } = container;
    const exit = read ?? (await readExit(bundleOf(this.#parts, record.id).persistDirectory));
    const status = this.#orphans.get(record.id);
    const { exitCode, finishedAtNs, oomSeen } = exit ?? { exitCode: status && exitCodeOf(status), finishedAtNs: nowNs(), oomSeen: false };
    const boot = await bootId();
    if (exitCode === undefined) return unseenEnd(record, container.state, boot);
    const oom = await oomKills.wereIn(container, exitCode, oomSeen);
    const message = record.bootId === boot ? await this.#whyItEnded(container, exitCode, oom) : endedBeforeBoot(record);
    return { exitCode, finishedAtNs, reason: exitReason(exitCode, oom), message };
  }

  /** Words for an end that nobody has asked for: systemd ends the containers of a node that goes down, and the kubelet is gone by then. */
  async #whyItEnded(container: Container, exitCode: number, oom: boolean): Promise<string> {
    const { record } = container;
    if (oom) return this.#tellOom(container);
    if (exitCode === 0 || this.#options.isBeingStopped(record.id) || !(await isNodeShuttingDown())) return '';
    return 'it ended while the node was being shut down';
  }

  async #tellOom(container: Container): Promise<string> {
    const { id: containerId, sandboxId } = container.record;
    const { level, message } = await reportOom(this.#parts, container);
    this.#parts.countOom(level);
    this.#parts.log.info(message, { containerId, sandboxId });
    return message;
  }

  async #record(record: ContainerRecord, state: ContainerState, ended: Omit<ExitedFields, 'startedAtNs'>): Promise<void> {
    this.#recording.add(record.id);
    await operation('container exit', subjectOfContainer(record, this.#parts), async () => this.#recordEnd(record, state, ended)).finally(
      () => this.#recording.delete(record.id),
    );
  }

  async #recordEnd(record: ContainerRecord, state: ContainerState, ended: Omit<ExitedFields, 'startedAtNs'>): Promise<void> {
    const { store, log, lifecycle } = this.#parts;
    const { exitCode, reason, message } = ended;
    operationHas({ exitCode, reason, ...(message === '' ? {} : { message }) });
    const startedAtNs = 'startedAtNs' in state ? state.startedAtNs : undefined;
    stage('container.ended');
    let released = Promise.resolve();
    await lifecycle.end({ record, state }, async () => {
      const exited: ContainerState = { is: 'Exited', ...madeOf(state), ...ended, startedAtNs };
      const saved = step('write record', async () => store.saveThenShow(record.id, exited));
      // The release takes longer than the record. It takes away the count of OOM kills: one that had some must be on record before.
      if (reason === 'OOMKilled') await saved;
      released = this.release(record);
      const { shown } = await saved;
      const container = await step('flush record', async () => shown);
      log.info('container has ended', { containerId: record.id, exitCode, reason });
      this.#wake(record.id);
      stage('container.end-recorded');
      return container;
    });
    stage('container.end-told');
    await released;
    await removeExitFile(this.#parts.monitor.exitDirectory, record.id);
  }

  /** Gives back what an ended container holds. A failure is only logged: RemoveContainer does the same again. */
  async release(record: ContainerRecord): Promise<void> {
    try {
      await releaseContainer(this.#parts, record, record.checkpoint === undefined);
      this.#released.add(record.id);
    } catch (error) {
      this.#parts.log.warn('an ended container still holds something; removing it tries again', {
        containerId: record.id,
        error: messageOf(error),
      });
    }
  }
}

function exitReason(exitCode: number, oom: boolean): ExitReason {
  if (oom) return 'OOMKilled';
  return exitCode === 0 ? 'Completed' : 'Error';
}
