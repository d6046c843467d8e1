import type { ContainerConfig, LinuxContainerResources, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { waitFor, withTimeout } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { ContainerId, SandboxId } from '../base/ids.ts';
import { JoinedObjects, type Making } from '../base/joined-objects.ts';
import type { ImageRecord } from '../image/store.ts';
import { silentLog } from '../base/log.ts';
import { Slots } from '../base/slots.ts';
import { operation, operationIsAbout, step, type Subject } from '../base/steps.ts';
import { readOomKills } from '../linux/kernel-log.ts';
import type { TreeUsage } from '../linux/measure-tree.ts';
import { SIGKILL } from '../linux/process.ts';
import type { OciRuntime } from '../ociruntime/oci-runtime.ts';
import { isBeingRestored, requireReady, type Sandbox } from '../podsandbox/sandbox.ts';
import { subjectOfPod } from '../podsandbox/subject.ts';
import type { Bundle } from './bundle.ts';
import { takeBackCheckpoint } from './checkpoint-capture.ts';
import { writePodCheckpoint } from './checkpoint-pod.ts';
import { writeCheckpoint } from './checkpoint.ts';
import type { CheckpointOrigin, Container, ContainerRecord, ContainerState } from './container.ts';
import { awaitsRestore, cgroupOf, imagesOf, isAliveState, requireState } from './container.ts';
import { createContainer } from './create.ts';
import type { ContainerRequest } from './create-request.ts';
import { ExecFiles } from './exec-files.ts';
import { Exits } from './exits.ts';
import { OomKills } from './oom-kills.ts';
import type { ResourceChange } from './lifecycle.ts';
import type { ContainerParts } from './parts.ts';
import { bundleOf, runtimeOf } from './parts.ts';
import { containerName, planContainer } from './plan.ts';
import { planPodRestore, type PodRestorePlan, type PodRestoreRequest } from './plan-pod-restore.ts';
import { removeContainer, removeUnfinishedContainer } from './remove.ts';
import { startContainer, type StartLife } from './start.ts';
import { ownerOnNode, type Owner } from './stdio-owner.ts';
import { StopLoops } from './stop-loops.ts';
import { subjectOfContainer, subjectOfRequest } from './subject.ts';
import { checkUpdate, updateContainer, type UntilKilled } from './update.ts';

/** How many containers are adjusted at a time. */
const MOST_ADJUSTING = 4;

export interface ContainersOptions {
  /** Most a CreateContainer may take on its own, milliseconds. */
  readonly createBudgetMs: number;
  /** How long a container whose caller left is kept for the retry, milliseconds. */
  readonly parkMs: number;
}

/** All containers of the node: their records, their transitions, and who may do what when. */
export class Containers extends JoinedObjects<ContainerRecord, ContainerState> {
  readonly exits: Exits;
  readonly #parts: ContainerParts;
  readonly #createsBySandbox = new Map<string, Map<AbortController, Promise<unknown>>>();
  readonly #stops: StopLoops;
  /** Runtime commands that run under the lock of a container. */
  readonly #commands = new Map<string, AbortController>();
  readonly #oomKills: OomKills;
  /** A plugin may change all containers at once, and each is a process of the runtime. */
  readonly #adjusting = new Slots(() => MOST_ADJUSTING);

  constructor(parts: ContainerParts, { createBudgetMs, parkMs }: ContainersOptions) {
    const { store, log } = parts;
    super({
      store,
      kind: 'container',
      noun: 'container',
      action: 'create container',
      made: 'Created',
      isAlive: isAliveState,
      isHidden: ({ record }) => isBeingRestored(parts.sandboxes.store.get(record.sandboxId)?.state),
      requestOf: ({ config }) => config,
      budgetMs: createBudgetMs,
      parkMs,
      log,
    });
    this.#parts = parts;
    this.#stops = new StopLoops(log);
    this.#oomKills = new OomKills(parts, { readKernelLog: readOomKills });
    this.exits = new Exits(parts, {
      locked: async (id, work) => this.locked(id, work),
      oomKills: this.#oomKills,
      isBeingStopped: (id) => this.#stops.isStopping(id),
    });
  }

  /** Every container of a pod, also those that callers may not see. */
  ofSandbox(sandboxId: string): Container[] {
    return this.store.list().filter((container) => container.record.sandboxId === sandboxId);
  }

  /** Whether a stop has come to SIGKILL: no new process may be started in it. */
  isBeingKilled(id: string): boolean {
    return this.#stops.isKilling(id);
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
    return this.#make({ name: containerName(config, sandbox), sandbox, config, sandboxConfig }, call);
  }

  /** As {@link create}, from a part of a pod's checkpoint. */
  async createFrom(from: CheckpointOrigin, sandbox: Sandbox, config: ContainerConfig, call: Call): Promise<Container> {
    return this.#make({ name: containerName(config, sandbox), sandbox, config, sandboxConfig: undefined, from }, call);
  }

  async #make(asked: ContainerRequest, call: Call): Promise<Container> {
    requireReady(asked.sandbox, 'create container');
    return this.make(asked.name, asked.config, call, async (making) =>
      operation('create container', subjectOfRequest(asked.sandbox, asked.config), async () => this.#create(asked, making, call)),
    );
  }

  async start(id: ContainerId): Promise<void> {
    await operation('start container', this.subjectOf(id), async () => this.#start(id));
  }

  async #start(id: ContainerId): Promise<void> {
    await this.locked(id, async () => {
      const container = this.known(id);
      const life: StartLife = {
        untilKilled: async (command) => this.untilKilled(id, 'start', command),
        isBeingKilled: () => this.isBeingKilled(id),
        watchMonitor: (exit) => {
          this.exits.watchMonitor(id, exit);
        },
        endFailed: async (message) => this.exits.endFailedStart(container, message),
      };
      await startContainer(this.#parts, container, life);
    });
  }

  /**
   * Changes the limits of a container that is there, all of them or none. What the request leaves at zero or empty stays.
   * @throws FailedPrecondition where the memory limit would be below what is in use: the kernel would kill instead.
   */
  async update(id: ContainerId, change: LinuxContainerResources): Promise<void> {
    const steps = {
      check: async (): Promise<void> => {
        const container = this.known(id);
        requireState(container, 'update');
        await checkUpdate(this.#parts, container, change);
      },
      apply: async (adjusted: ResourceChange): Promise<void> =>
        this.#update(id, 'update', adjusted, async (command) => this.untilKilled(id, 'update', command)),
    };
    await operation('update container', this.subjectOf(id), async () => this.#parts.lifecycle.update(this.known(id), change, steps));
  }

  /** As {@link update}, for one who takes part in its life: nobody else is asked. @throws FailedPrecondition where it has ended. */
  async adjust(id: ContainerId, change: ResourceChange): Promise<void> {
    await this.#update(id, 'adjust', change, async (command) => {
      await this.untilKilled(id, 'update', async (signal) => {
        const release = await this.#adjusting.acquire(signal);
        await command(signal).finally(release);
      });
    });
  }

  async #update(id: ContainerId, action: 'update' | 'adjust', change: ResourceChange, run: UntilKilled): Promise<void> {
    await this.locked(id, async () => {
      const container = this.known(id);
      requireState(container, action);
      await updateContainer(this.#parts, container, change, run);
    });
  }

  /**
   * Writes the state of a running container into an archive, as writeCheckpoint() says. The container goes on.
   * @param timeoutMs 0 for that of the configuration.
   */
  async checkpoint(id: ContainerId, location: string, timeoutMs: number, call: Call): Promise<void> {
    await operation('checkpoint container', this.subjectOf(id), async () => this.#checkpoint(id, location, timeoutMs, call));
  }

  async #checkpoint(id: ContainerId, location: string, timeoutMs: number, { signal }: Call): Promise<void> {
    const parts = this.#parts;
    const { timeoutMs: usualMs } = parts.checkpoints;
    const deadline = withTimeout(signal, timeoutMs === 0 ? usualMs : timeoutMs, `checkpoint container ${id}`);
    const write = async (): Promise<void> => {
      const container = this.known(id);
      await this.untilKilled(id, 'checkpoint', async (killed) => {
        const work = AbortSignal.any([deadline.signal, killed]);
        await writeCheckpoint(parts, container, this.imageOf(container.record), { location, signal: work });
      });
    };
    await this.locked(id, write).finally(() => {
      deadline.clear();
    });
  }

  /** Writes the states of running containers of one pod into a directory, as writePodCheckpoint() says. All go on. */
  async checkpointPod(sandbox: Sandbox, ids: readonly ContainerId[], directory: string, { signal }: Call): Promise<void> {
    const write = async (work: AbortSignal): Promise<void> => {
      requireReady(this.#parts.sandboxes.get(sandbox.record.id), 'checkpoint pod');
      const containers = ids.map((id) => this.known(id));
      await writePodCheckpoint(this.#parts, sandbox, containers, { directory, signal: work });
    };
    await operation('checkpoint pod', subjectOfPod(sandbox.record), async () => this.#lockedAll([...ids].sort(), signal, write));
  }

  /** Runs a command on several containers under the locks of all. They are taken in one order, so nobody waits for ever. */
  async #lockedAll(ids: readonly ContainerId[], signal: AbortSignal, command: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const [id, ...others] = ids;
    if (id === undefined) return command(signal);
    await this.locked(id, async () =>
      this.untilKilled(id, 'checkpoint', async (killed) => this.#lockedAll(others, AbortSignal.any([signal, killed]), command)),
    );
  }

  /** What a pod is restored from, once its request has passed the checks that need nothing of it to be there. */
  async planPodRestore(request: PodRestoreRequest, signal: AbortSignal): Promise<PodRestorePlan> {
    return planPodRestore(this.#parts, request, signal);
  }

  /** @throws where {@link createFrom} would refuse the container before it makes anything of it. */
  async checkFrom(from: CheckpointOrigin, sandbox: Sandbox, config: ContainerConfig): Promise<void> {
    const parts = { ...this.#parts, log: silentLog };
    await planContainer(parts, this, { name: containerName(config, sandbox), sandbox, config, sandboxConfig: undefined, from });
  }

  /** What may be done with checkpoints, and for each runtime handler why it cannot; true where it can. */
  async describeCheckpoints(): Promise<Readonly<Record<string, unknown>>> {
    const { checkpoints, runtimes } = this.#parts;
    const { level, criu } = checkpoints;
    const handlers: Record<string, true | string> = {};
    for (const name of runtimes.names)
      handlers[name] = runtimes.lacksForCheckpoints(name) ?? (await criu.lacks(criu.environment(runtimes.get(name).environment))) ?? true;
    return { allowed: level, handlers };
  }

  /** Takes back a checkpoint that an earlier daemon was writing: the container goes on. */
  async endCheckpoint({ id }: ContainerRecord): Promise<void> {
    await this.locked(id, async () => {
      const container = this.store.get(id);
      if (container !== undefined) await takeBackCheckpoint(this.#parts, container.record);
    });
  }

  /**
   * Stops a container: its stop signal, SIGKILL after the timeout (milliseconds, 0 is at once). Returns when its end is on
   * record; a caller that leaves does not end the stop. One that has ended already, or is not there, is stopped.
   */
  async stop(id: ContainerId, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const container = this.store.get(id);
    if (container === undefined || !isAliveState(container.state)) return this.#parts.lifecycle.settled(id);
    // Until its end, whatever becomes of the caller.
    const stopped = operation('stop container', this.subjectOf(id), async () => this.#stop(container, timeoutMs));
    await (signal === undefined ? stopped : waitFor(stopped, signal));
  }

  async #stop(container: Container, timeoutMs: number): Promise<void> {
    const { id } = container.record;
    if (awaitsRestore(container)) {
      await this.locked(id, async () => {
        const now = this.store.get(id);
        if (now !== undefined && awaitsRestore(now)) await this.exits.endUnstarted(now);
      });
      return this.stop(id, timeoutMs);
    }
    const { record, state } = container;
    await this.#stops.stop(
      {
        containerId: id,
        process: state.process,
        monitor: state.monitor,
        stopSignal: record.stopSignal,
        exited: this.exits.waitFor(id),
        onKill: () => this.#commands.get(id)?.abort(),
        lookForEnd: async () => this.exits.check(id),
        killAll: async () => this.runtimeOf(record).killAll(id, SIGKILL),
        started: state.is === 'Running' || state.is === 'Starting',
      },
      timeoutMs,
    );
    await this.#parts.lifecycle.settled(id);
  }

  /** Removes a container, by force in every state, and forgets it. Idempotent. */
  async remove(id: ContainerId): Promise<void> {
    await operation('remove container', this.subjectOf(id), async () => {
      this.endParking(id);
      await this.stop(id, 0);
      await this.locked(id, async () => {
        const container = this.store.get(id);
        if (container === undefined) return;
        await removeContainer(this.#parts, container, this.exits.isReleased(id));
        await this.#oomKills.forget(container.record.cgroupParent);
      });
      this.exits.forget(id);
    });
  }

  /** Ends all creations under way in a sandbox and waits until they have been taken back. */
  async abortCreates(sandboxId: SandboxId): Promise<void> {
    const creates = [...(this.#createsBySandbox.get(sandboxId) ?? [])];
    for (const [controller] of creates)
      controller.abort(new DaemonError('FailedPrecondition', `create container: pod sandbox ${sandboxId} is being stopped`));
    await Promise.allSettled(creates.map(([, done]) => done));
  }

  /** The cgroup of the container's processes, below every hierarchy's root. */
  cgroupOf(container: Container): string {
    return cgroupOf(this.#parts.placement, container);
  }

  /** The image it was made from; undefined where it is gone. */
  imageOf({ imageId }: ContainerRecord): ImageRecord | undefined {
    return this.#parts.images.resolve(imageId);
  }

  /** What the container has written to its own layer. */
  async writableLayerUsage({ id }: ContainerRecord): Promise<TreeUsage> {
    return this.#parts.rootfs.usage(id);
  }

  /** What a piece of work on it is about. */
  subjectOf(id: ContainerId): Subject {
    return subjectOfContainer(this.store.get(id)?.record ?? id, this.#parts);
  }

  runtimeOf(record: ContainerRecord): OciRuntime {
    return runtimeOf(this.#parts, record);
  }

  /** Who the user of a container is on the node, in a pod with a user namespace; in another the runtime sees to it. */
  ownerOf({ id, sandboxId }: ContainerRecord): Owner | undefined {
    const user = this.store.get(id)?.state.user;
    const mapping = this.#parts.sandboxes.store.get(sandboxId)?.record.namespaces.user;
    return mapping === undefined || user === undefined ? undefined : ownerOnNode(user, mapping);
  }

  /** The places of the files of a new exec, which the runtime is to put into the container's cgroup. */
  newExecFiles(): ExecFiles {
    this.#parts.cgroups.expectMove();
    return ExecFiles.in(this.#parts.execDirectory);
  }

  /** Holds the images of every container on record, so that they stay. */
  holdImages(): void {
    for (const { record } of this.store.list()) for (const id of imagesOf(record)) this.#parts.images.hold(id, record.id);
  }

  bundleOf(id: string): Bundle {
    return bundleOf(this.#parts, id);
  }

  async #create(asked: ContainerRequest, { signal, makeWay }: Making, { log }: Call): Promise<ContainerId> {
    const parts = { ...this.#parts, log };
    const sandboxId = asked.sandbox.record.id;
    const controller = new AbortController();
    const done = (async (): Promise<ContainerId> => {
      const request = await step('check request', async () => planContainer(parts, this, asked));
      operationIsAbout({ containerId: request.record.id });
      await makeWay();
      await this.#oomKills.expect(request.record.cgroupParent);
      const made = await createContainer(parts, request, AbortSignal.any([signal, controller.signal]));
      if (made !== undefined) this.exits.watchMonitor(request.record.id, made.monitorExit);
      return request.record.id;
    })();
    const creates = this.#createsBySandbox.get(sandboxId) ?? new Map<AbortController, Promise<unknown>>();
    this.#createsBySandbox.set(sandboxId, creates);
    creates.set(controller, done);
    return done.finally(() => {
      creates.delete(controller);
      if (creates.size === 0) this.#createsBySandbox.delete(sandboxId);
    });
  }

  protected async removeParked(container: Container): Promise<void> {
    const { id, cgroupParent } = container.record;
    await removeContainer(this.#parts, container, false);
    await this.#oomKills.forget(cgroupParent);
    this.exits.forget(id);
  }

  protected async removeCreating(record: ContainerRecord): Promise<void> {
    await removeUnfinishedContainer(this.#parts, record);
  }
}
