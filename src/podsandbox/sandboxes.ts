import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import type { SandboxId } from '../base/ids.ts';
import { JoinedObjects } from '../base/joined-objects.ts';
import type { Log } from '../base/log.ts';
import { ObjectStore } from '../base/object-store.ts';
import { RecordStore } from '../base/record-store.ts';
import { nowNs } from '../base/time.ts';
import { bootId } from '../linux/process.ts';
import { planSandbox } from './plan.ts';
import { removeSandbox, removeUnfinishedSandbox } from './remove.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { runSandbox } from './run.ts';
import { sandboxRuntimeSpec } from './runtime-spec.ts';
import type { SandboxPaths } from './sandbox-paths.ts';
import type { Sandbox, SandboxRecord, SandboxState } from './sandbox.ts';
import { readSandboxRecord, readSandboxState, sandboxName } from './sandbox.ts';
import { stopSandbox } from './stop.ts';

/** The version of the records this daemon writes. */
const RECORD_VERSION = 1;

export interface SandboxesOptions {
  readonly directory: string;
  readonly badDirectory: string;
  readonly parts: SandboxParts;
  /** Most a RunPodSandbox may take on its own, milliseconds. */
  readonly runBudgetMs: number;
  /** How long a sandbox whose caller left is kept for the retry, milliseconds. */
  readonly parkMs: number;
  readonly log: Log;
}

/** All sandboxes of the node: their records, their transitions, and who may do what when. */
export class Sandboxes extends JoinedObjects<SandboxRecord, SandboxState> {
  readonly #options: SandboxesOptions;
  readonly #stops = new Map<string, Promise<void>>();

  constructor(options: SandboxesOptions) {
    const { directory, badDirectory, log, parkMs, runBudgetMs } = options;
    super({
      store: new ObjectStore(
        new RecordStore({
          directory,
          badDirectory,
          kind: 'sandbox',
          version: RECORD_VERSION,
          readRecord: readSandboxRecord,
          readState: readSandboxState,
          log,
        }),
      ),
      kind: 'sandbox',
      noun: 'pod sandbox',
      action: 'run pod sandbox',
      made: 'Ready',
      isAlive: ({ is }) => is === 'Ready' || is === 'Parked',
      requestOf,
      budgetMs: runBudgetMs,
      parkMs,
      log,
    });
    this.#options = options;
  }

  /**
   * Runs a sandbox: on success it is Ready, on failure nothing of it is left. The same request again joins the work under
   * way, or gets the sandbox that is already there.
   */
  async run(config: PodSandboxConfig, runtimeHandler: string, call: Call): Promise<Sandbox> {
    const plan = planSandbox(config, runtimeHandler, this.#options.parts);
    const name = sandboxName(plan.metadata);
    return this.make(name, requestOf(plan.record), call, async (work) => {
      const record: SandboxRecord = { ...plan.record, name, createdAtNs: nowNs(), bootId: await bootId() };
      await runSandbox(this.#options.parts, this.store, record, work, call.log);
      return record.id;
    });
  }

  /**
   * Takes down what the sandbox itself has, after its containers have stopped. Idempotent.
   * @throws with the plugin's words while the network cannot be released.
   */
  async stop(id: SandboxId, log: Log): Promise<void> {
    await this.locked(id, async () => stopSandbox(this.#options.parts, this.store, id, log));
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
  async remove(id: SandboxId, log: Log): Promise<void> {
    this.endParking(id);
    await this.locked(id, async () => removeSandbox(this.#options.parts, this.store, id, log));
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

  pathsOf(id: string): SandboxPaths {
    return pathsOf(this.#options.parts, id);
  }

  /** The OCI runtime spec of its infra container, or as much of one as a sandbox without has. */
  async runtimeSpec(sandbox: Sandbox): Promise<unknown> {
    return sandboxRuntimeSpec(this.#options.parts, sandbox);
  }

  /** The cgroup of the pod, below every hierarchy's root. */
  cgroupOf({ cgroupParent }: SandboxRecord): string {
    return this.#options.parts.placement.parentDirectory(cgroupParent);
  }

  /** The path of the pod's network namespace; undefined where it uses the node's. */
  networkNamespaceOf(record: SandboxRecord): string | undefined {
    const { net } = this.pathsOf(record.id).namespacesOf(record);
    return net === 'host' ? undefined : net;
  }

  protected async removeParked({ record }: Sandbox): Promise<void> {
    await removeSandbox(this.#options.parts, this.store, record.id, this.#options.log);
  }

  protected async removeCreating(record: SandboxRecord): Promise<void> {
    await removeUnfinishedSandbox(this.#options.parts, this.store, record, this.#options.log);
  }
}

/** What makes a request the same; a handler that it does not name is the default one. */
function requestOf({ config, runtimeHandler }: Pick<SandboxRecord, 'config' | 'runtimeHandler'>): unknown {
  return { config, runtimeHandler };
}
