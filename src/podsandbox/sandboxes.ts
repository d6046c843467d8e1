import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { present } from '../base/field.ts';
import type { SandboxId } from '../base/ids.ts';
import { JoinedObjects } from '../base/joined-objects.ts';
import { stage } from '../base/stage.ts';
import { operation } from '../base/steps.ts';
import { nowNs } from '../base/time.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { namespaceOfSysctl } from '../linux/namespaces.ts';
import { bootId } from '../linux/process.ts';
import { podSysctls } from '../ocispec/sysctls.ts';
import { planSandbox } from './plan.ts';
import type { SandboxPlan } from './plan.ts';
import { removeSandbox, removeUnfinishedSandbox } from './remove.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { runSandbox } from './run.ts';
import { sandboxRuntimeSpec } from './runtime-spec.ts';
import { checkPodLabels, chooseLabels } from './selinux.ts';
import type { SandboxPaths } from './sandbox-paths.ts';
import {
  isBeingRestored,
  requireReady,
  sandboxName,
  type PodResources,
  type Sandbox,
  type SandboxRecord,
  type SandboxState,
} from './sandbox.ts';
import { stopSandbox } from './stop.ts';
import { podTitle, subjectOfPod } from './subject.ts';

export interface SandboxesOptions {
  /** Most a RunPodSandbox may take on its own, milliseconds. */
  readonly runBudgetMs: number;
  /** How long a sandbox whose caller left is kept for the retry, milliseconds. */
  readonly parkMs: number;
}

/** All sandboxes of the node: their records, their transitions, and who may do what when. */
export class Sandboxes extends JoinedObjects<SandboxRecord, SandboxState> {
  readonly #parts: SandboxParts;
  readonly #stops = new Map<string, Promise<void>>();

  constructor(parts: SandboxParts, { runBudgetMs, parkMs }: SandboxesOptions) {
    super({
      store: parts.store,
      kind: 'sandbox',
      noun: 'pod sandbox',
      action: 'run pod sandbox',
      made: 'Ready',
      isAlive: ({ is }) => is === 'Ready' || is === 'Parked',
      isHidden: ({ state }) => isBeingRestored(state),
      requestOf,
      budgetMs: runBudgetMs,
      parkMs,
      log: parts.log,
    });
    this.#parts = parts;
  }

  /**
   * Runs a sandbox: on success it is Ready, on failure nothing of it is left. The same request again joins the work under
   * way, or gets the sandbox that is already there.
   * @param restoredFrom the checkpoint that its containers are to be restored from.
   */
  async run(config: PodSandboxConfig, runtimeHandler: string, call: Pick<Call, 'signal' | 'log'>, restoredFrom?: string): Promise<Sandbox> {
    // A refusal is told too: the kubelet asks again and again.
    const plan = await this.#plan(config, runtimeHandler).catch(async (error: unknown) =>
      operation('run pod sandbox', { name: podTitle(config.metadata) }, async () => Promise.reject(error as Error)),
    );
    const name = sandboxName(plan.metadata);
    const from = present({ restoredFrom });
    return this.make(name, requestOf({ ...plan.record, ...from }), call, async ({ signal, makeWay }) => {
      await makeWay();
      const boot = await bootId();
      // No other request runs between this and the record's coming into the store.
      const selinux = chooseLabels(config, this.#parts);
      const record: SandboxRecord = { ...plan.record, ...from, ...present({ selinux }), name, createdAtNs: nowNs(), bootId: boot };
      await operation('run pod sandbox', subjectOfPod(record), async () => runSandbox({ ...this.#parts, log: call.log }, record, signal));
      return record.id;
    });
  }

  /**
   * A sandbox as {@link run} would make it, for the checks of what is to be in it. Nothing is made, and it has another id.
   * @throws where `run` would refuse it.
   */
  async draft(config: PodSandboxConfig, runtimeHandler: string): Promise<Sandbox> {
    const { record, metadata } = await this.#plan(config, runtimeHandler);
    const boot = await bootId();
    const selinux = present({ selinux: chooseLabels(config, this.#parts) });
    const nobody = { pid: 0, startTime: '', bootId: boot };
    const infra = record.namespaces.pid === 'pod' ? { process: nobody, monitor: nobody } : undefined;
    return {
      record: { ...record, ...selinux, name: sandboxName(metadata), createdAtNs: nowNs(), bootId: boot },
      state: { is: 'Ready', network: { ips: [] }, ownsCgroup: false, ...present({ infra }) },
    };
  }

  async #plan(config: PodSandboxConfig, runtimeHandler: string): Promise<SandboxPlan> {
    const { name: handler } = this.#parts.runtimes.get(runtimeHandler);
    const plan = planSandbox(config, runtimeHandler, this.#parts, await this.#parts.apparmor(handler));
    await checkPodLabels(config, this.#parts.selinux);
    return plan;
  }

  /**
   * Takes down what the sandbox itself has, after its containers have stopped. Idempotent.
   * @throws with the plugin's words while the network cannot be released.
   */
  async stop(id: SandboxId): Promise<void> {
    const sandbox = this.store.get(id);
    if (sandbox !== undefined && sandbox.state.is !== 'NotReady' && sandbox.state.is !== 'Removing')
      await this.#parts.lifecycle.stop(sandbox);
    stage('sandbox.stop-told');
    await this.locked(id, async () => stopSandbox(this.#parts, id));
  }

  /** Records that a stop has begun: from now on the sandbox is not Ready, also after a crash. */
  async markStopping(id: SandboxId): Promise<void> {
    await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state?.is === 'Ready' || state?.is === 'Parked' || state?.is === 'Lost')
        await this.store.saveTowardsEnd(id, { ...state, is: 'Stopping' }, { durable: false });
    });
  }

  /** Removes what is left of a sandbox and forgets it. Idempotent. */
  async remove(id: SandboxId): Promise<void> {
    this.endParking(id);
    await this.locked(id, async () => removeSandbox(this.#parts, id));
  }

  /** Joins the stop of a whole pod that is under way, or begins `work`. It goes on when its callers leave. */
  async joinStop(id: SandboxId, work: () => Promise<void>): Promise<void> {
    const running = this.#stops.get(id);
    if (running !== undefined) return running;
    const stop = work().finally(() => this.#stops.delete(id));
    this.#stops.set(id, stop);
    return stop;
  }

  /** Records that the sandbox has lost a part that it cannot do without. */
  async markLost(id: SandboxId, reason: string): Promise<void> {
    await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state?.is === 'Ready') await this.store.saveTowardsEnd(id, { ...state, is: 'Lost', reason });
    });
  }

  /** Keeps what the kubelet tells of the pod's needs, in place of what it told before; what is not given stays. */
  async updateResources(id: SandboxId, told: PodResources): Promise<void> {
    const sandbox = this.store.get(id);
    if (sandbox === undefined) return;
    await this.#parts.lifecycle.update(sandbox, told, async () => this.#keepResources(id, told));
  }

  async #keepResources(id: SandboxId, told: PodResources): Promise<void> {
    await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state === undefined) return;
      const { overhead = state.resources?.overhead, resources = state.resources?.resources } = told;
      await this.store.save(id, { ...state, resources: present({ overhead, resources }) });
    });
  }

  /** Shows a pod that was restored: all its containers are there. @throws FailedPrecondition where it is not Ready any more. */
  async finishRestore(id: SandboxId): Promise<void> {
    await this.locked(id, async () => {
      const sandbox = this.known(id);
      requireReady(sandbox, 'restore pod');
      await this.store.save(id, { ...sandbox.state, isRestored: true });
    });
  }

  /** Shows a pod whose restore has failed and which cannot be removed: somebody must know of it to remove it. */
  async showUnrestored(id: SandboxId): Promise<void> {
    await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state !== undefined) await this.store.saveTowardsEnd(id, { ...state, isRestored: undefined });
    });
  }

  /**
   * Gives the pod's namespaces the name and the sysctls that the pod has: CRIU writes those of a checkpoint into them when it
   * restores a container there.
   */
  async renewNames({ record }: Sandbox): Promise<void> {
    const { uts, ipc } = this.pathsOf(record.id).namespacesOf(record);
    const namespaces = { ...(uts === 'host' ? {} : { uts }), ...(ipc === 'host' ? {} : { ipc }) };
    const all = Object.entries(podSysctls(record.config.linux?.sysctls ?? {}, record.namespaces, this.#parts.defaultSysctls()));
    const sysctls = Object.fromEntries(all.filter(([name]) => namespaceOfSysctl(name) === 'ipc'));
    await onThread('renewNames', { namespaces, hostname: record.hostname, sysctls });
  }

  pathsOf(id: string): SandboxPaths {
    return pathsOf(this.#parts, id);
  }

  /** The OCI runtime spec of its infra container, or as much of one as a sandbox without has. */
  async runtimeSpec(sandbox: Sandbox): Promise<unknown> {
    return sandboxRuntimeSpec(this.#parts, sandbox);
  }

  /** The cgroup of the pod, below every hierarchy's root. */
  cgroupOf({ cgroupParent }: SandboxRecord): string {
    return this.#parts.placement.parentDirectory(cgroupParent);
  }

  /** Those of all pods, also of those that are being made. */
  cgroupsOfAll(): string[] {
    const records = [...this.store.list().map(({ record }) => record), ...this.store.listCreating()];
    return records.map((record) => this.cgroupOf(record));
  }

  /** The path of the pod's network namespace; undefined where it uses the node's. */
  networkNamespaceOf(record: SandboxRecord): string | undefined {
    const { net } = this.pathsOf(record.id).namespacesOf(record);
    return net === 'host' ? undefined : net;
  }

  protected async removeParked({ record }: Sandbox): Promise<void> {
    await removeSandbox(this.#parts, record.id);
  }

  protected async removeCreating(record: SandboxRecord): Promise<void> {
    await removeUnfinishedSandbox(this.#parts, record);
  }
}

/** What makes a request the same; a handler that it does not name is the default one. */
function requestOf(record: Pick<SandboxRecord, 'config' | 'runtimeHandler' | 'restoredFrom'>): unknown {
  const { config, runtimeHandler, restoredFrom } = record;
  return { config, runtimeHandler, restoredFrom };
}
