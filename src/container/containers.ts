import type { ContainerConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { waitFor } from '../base/deadline.ts';
import { DaemonError, fail } from '../base/errors.ts';
import type { ContainerId, SandboxId } from '../base/ids.ts';
import { JoinedWork } from '../base/joined-work.ts';
import { canonicalJson } from '../base/json.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { ObjectStore, resolveId } from '../base/object-store.ts';
import { Parking } from '../base/parking.ts';
import { RecordStore } from '../base/record-store.ts';
import { readOomKills } from '../linux/kernel-log.ts';
import { SIGKILL } from '../linux/process.ts';
import { requireReady, type Sandbox } from '../podsandbox/sandbox.ts';
import type { Container, ContainerRecord, ContainerState } from './container.ts';
import { isAliveState, isContainerRecord, isContainerState } from './container.ts';
import { bundleOf, createContainer } from './create.ts';
import { Exits } from './exits.ts';
import { OomKills } from './oom-kills.ts';
import type { ContainerParts } from './parts.ts';
import { runtimeOf } from './parts.ts';
import { containerName, planContainer } from './plan.ts';
import { removeContainer, removeUnfinishedContainer } from './remove.ts';
import { startContainer, type StartLife } from './start.ts';
import { StopLoops } from './stop-loops.ts';

const RECORD_VERSION = 1;

export interface ContainersOptions {
  readonly directory: string;
  readonly badDirectory: string;
  readonly parts: ContainerParts;
  /** Most a CreateContainer may take on its own, milliseconds. */
  readonly createBudgetMs: number;
  /** How long a container whose caller left is kept for the retry, milliseconds. */
  readonly parkMs: number;
  readonly log: Log;
}

/** All containers of the node: their records, their transitions, and who may do what when. */
export class Containers {
  readonly store: ObjectStore<ContainerRecord, ContainerState>;
  readonly exits: Exits;
  readonly parts: ContainerParts;
  readonly #options: ContainersOptions;
  readonly #creates = new JoinedWork<ContainerId>();
  readonly #createsBySandbox = new Map<string, Map<AbortController, Promise<unknown>>>();
  readonly #locks = new KeyedMutex<string>();
  readonly #stops: StopLoops;
  /** Runtime commands that run under the lock of a container. */
  readonly #commands = new Map<string, AbortController>();
  readonly #oomKills: OomKills;
  readonly #parking: Parking;

  constructor(options: ContainersOptions) {
    this.#options = options;
    this.#parking = new Parking({ kind: 'container', parkMs: options.parkMs, log: options.log });
    this.parts = options.parts;
    this.#stops = new StopLoops(options.log);
    this.store = new ObjectStore(
      new RecordStore({
        directory: options.directory,
        badDirectory: options.badDirectory,
        kind: 'container',
        version: RECORD_VERSION,
        isRecord: isContainerRecord,
        isState: isContainerState,
        log: options.log,
      }),
    );
    this.#oomKills = new OomKills({ parts: options.parts, store: this.store, readKernelLog: readOomKills, log: options.log });
    this.exits = new Exits({ parts: options.parts, store: this.store, locks: this.#locks, oomKills: this.#oomKills, log: options.log });
  }

  list(): Container[] {
    return this.store.list().filter((container) => container.state.is !== 'Parked');
  }

  ofSandbox(sandboxId: string): Container[] {
    return this.store.list().filter((container) => container.record.sandboxId === sandboxId);
  }

  /** The container an id or a unique prefix names. @throws NotFound. */
  get(idOrPrefix: string): Container {
    const visible = this.store.idsWithPrefix(idOrPrefix).filter((id) => this.store.get(id)?.state.is !== 'Parked');
    const id = resolveId(visible, idOrPrefix, 'container');
    return this.store.get(id) ?? fail('NotFound', `container ${idOrPrefix}: not found`);
  }

  find(idOrPrefix: string): Container | undefined {
    try {
      return this.get(idOrPrefix);
    } catch (error) {
      if (error instanceof DaemonError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  /** Whether a stop has come to SIGKILL: from then on no new process may be started in it. */
  isBeingKilled(id: string): boolean {
    return this.#stops.isKilling(id);
  }

  async locked<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(id, work);
  }

  /**
   * Runs a command of the runtime on a container whose lock the caller holds. It is ended where a stop comes to SIGKILL: the
   * record of the container's end needs the lock, and must not wait for a runtime that hangs.
   * @throws FailedPrecondition where the container is being killed.
   */
  async untilKilled<T>(id: string, what: string, command: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const killed = (): DaemonError => new DaemonError('FailedPrecondition', `${what} container ${id}: it is being killed`);
    if (this.isBeingKilled(id)) throw killed();
    const controller = new AbortController();
    this.#commands.set(id, controller);
    try {
      return await command(controller.signal);
    } catch (error) {
      throw this.isBeingKilled(id) ? killed() : error;
    } finally {
      this.#commands.delete(id);
    }
  }

  /** Makes a container up to Created. The same request again joins the work under way, or gets the container that is there. */
  async create(sandbox: Sandbox, config: ContainerConfig, sandboxConfig: PodSandboxConfig | undefined, call: Call): Promise<Container> {
    requireReady(sandbox, 'create container');
    const name = containerName(config, sandbox);
    const id = await this.#creates.run(
      name,
      call.signal,
      {
        budgetMs: this.#options.createBudgetMs,
        what: `create container ${name}`,
        endsWithLastWaiter: false,
        request: config,
        unclaimed: async (made) => this.#park(made),
      },
      async (work) => this.#createOrFind(name, sandbox, config, sandboxConfig, work, call.log),
    );
    return this.#claim(id);
  }

  async start(id: ContainerId): Promise<void> {
    await this.locked(id, async () => {
      const container = this.store.get(id) ?? fail('NotFound', `container ${id}: not found`);
      const life: StartLife = {
        untilKilled: async (command) => this.untilKilled(id, 'start', command),
        isBeingKilled: () => this.isBeingKilled(id),
        endFailed: async (message) => this.exits.endFailedStart(container, message),
      };
      await startContainer(this.parts, this.store, container, life, this.#options.log);
    });
  }

  /**
   * Stops a container: its stop signal, SIGKILL after the timeout (milliseconds, 0 is at once). Returns when its end is on
   * record; a caller that leaves does not end the stop. One that has ended already, or is not there, is stopped.
   */
  async stop(id: ContainerId, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const container = this.store.get(id);
    if (container === undefined || !isAliveState(container.state)) return;
    const { record, state } = container;
    const stopped = this.#stops.stop(
      {
        containerId: id,
        process: state.process,
        monitor: state.monitor,
        stopSignal: record.stopSignal,
        exited: this.exits.waitFor(id),
        onKill: () => this.#commands.get(id)?.abort(),
        lookForEnd: async () => this.exits.check(id),
        killAll: async () => runtimeOf(this.parts, record).killAll(id, SIGKILL),
        started: state.is === 'Running' || state.is === 'Starting',
      },
      timeoutMs,
    );
    await (signal === undefined ? stopped : waitFor(stopped, signal));
  }

  /** Removes a container, by force in every state, and forgets it. Idempotent. */
  async remove(id: ContainerId): Promise<void> {
    this.#parking.end(id);
    await this.stop(id, 0);
    await this.locked(id, async () => {
      const container = this.store.get(id);
      if (container === undefined) return;
      await removeContainer(this.parts, this.store, container, this.exits.isReleased(id));
      await this.#oomKills.forget(container.record.cgroupParent);
    });
    this.exits.forget(id);
  }

  /** Removes what a crash left of a container that was never finished. Idempotent. */
  async removeUnfinished(record: ContainerRecord): Promise<void> {
    await this.locked(record.id, async () => {
      if (this.store.claims(record.id)) await removeUnfinishedContainer(this.parts, this.store, record);
    });
  }

  /** Ends all creations under way in a sandbox and waits until they have been taken back. */
  async abortCreates(sandboxId: SandboxId): Promise<void> {
    const creates = [...(this.#createsBySandbox.get(sandboxId) ?? [])];
    for (const [controller] of creates)
      controller.abort(new DaemonError('FailedPrecondition', `create container: pod sandbox ${sandboxId} is being stopped`));
    await Promise.allSettled(creates.map(([, done]) => done));
  }

  /** Waits for all creations under way, for a graceful stop of the daemon. */
  async settled(): Promise<void> {
    await this.#creates.settled();
    this.#parking.close();
  }

  bundleOf(record: ContainerRecord): string {
    return bundleOf(this.parts, record.id);
  }

  async #createOrFind(
    name: string,
    sandbox: Sandbox,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig | undefined,
    work: AbortSignal,
    log: Log,
  ): Promise<ContainerId> {
    const existing = this.store.byName(name);
    if (existing !== undefined && !(await this.#makesWay(existing, config))) return existingId(existing);
    // One creation a name, so this is what an earlier one could not take back: the name must not be lost with it.
    const left = this.store.creatingByName(name);
    if (left !== undefined) await this.removeUnfinished(left);
    const controller = new AbortController();
    const done = (async (): Promise<ContainerId> => {
      const request = await planContainer(this.parts, this, { name, sandbox, config, sandboxConfig, log });
      await this.#oomKills.expect(request.record.cgroupParent);
      const made = await createContainer(this.parts, this.store, request, AbortSignal.any([work, controller.signal]), log);
      this.exits.watchMonitor(request.record.id, made.monitorExit);
      return request.record.id;
    })();
    const creates = this.#createsBySandbox.get(sandbox.record.id) ?? new Map<AbortController, Promise<unknown>>();
    this.#createsBySandbox.set(sandbox.record.id, creates);
    creates.set(controller, done);
    try {
      return await done;
    } finally {
      creates.delete(controller);
      if (creates.size === 0) this.#createsBySandbox.delete(sandbox.record.id);
    }
  }

  /** As for sandboxes: only the same request gets the container that has its name. @throws AlreadyExists. */
  async #makesWay({ record, state }: Container, config: ContainerConfig): Promise<boolean> {
    if (!isAliveState(state) || canonicalJson(record.config) === canonicalJson(config)) return false;
    if (state.is !== 'Parked') {
      fail(
        'AlreadyExists',
        `create container ${record.name}: container ${record.id} has this name and attempt and another configuration; remove it, or ask with a higher attempt`,
      );
    }
    this.#parking.end(record.id);
    await this.#expire(record.id);
    return this.store.get(record.id) === undefined;
  }

  /** Hands a made container to a caller: from now on everyone may see it. */
  async #claim(id: ContainerId): Promise<Container> {
    return this.locked(id, async () => {
      const container = this.store.get(id);
      if (container === undefined || !isAliveState(container.state)) {
        fail('Unavailable', `create container: ${id} was stopped or removed meanwhile; ask again`);
      }
      if (container.state.is !== 'Parked') return container;
      this.#parking.end(id);
      return this.store.save(id, { ...container.state, is: 'Created' });
    });
  }

  async #park(id: ContainerId): Promise<void> {
    const parked = await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state?.is !== 'Created') return false;
      await this.store.save(id, { ...state, is: 'Parked' }, { durable: false });
      return true;
    });
    if (parked) this.#parking.start(id, async () => this.#expire(id));
  }

  async #expire(id: ContainerId): Promise<void> {
    // Looked at under the lock: a retry that has come just now has it.
    await this.locked(id, async () => {
      const container = this.store.get(id);
      if (container?.state.is !== 'Parked') return;
      this.#options.log.info('nobody came back for the parked container; removing it', { containerId: id });
      await removeContainer(this.parts, this.store, container, false);
      await this.#oomKills.forget(container.record.cgroupParent);
      this.exits.forget(id);
    });
  }
}

function existingId(existing: Container): ContainerId {
  const { record, state } = existing;
  if (isAliveState(state)) return record.id;
  throw new DaemonError(
    'AlreadyExists',
    `create container ${record.name}: container ${record.id} has this name and attempt and is ${state.is}; remove it, or ask with a higher attempt`,
  );
}
