import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { DaemonError, fail } from '../base/errors.ts';
import type { SandboxId } from '../base/ids.ts';
import { JoinedWork } from '../base/joined-work.ts';
import { canonicalJson } from '../base/json.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { ObjectStore, resolveId } from '../base/object-store.ts';
import { Parking } from '../base/parking.ts';
import { RecordStore } from '../base/record-store.ts';
import { nowNs } from '../base/time.ts';
import { bootId } from '../linux/process.ts';
import { planSandbox, type SandboxPlan } from './plan.ts';
import { removeSandbox, removeUnfinishedSandbox } from './remove.ts';
import type { SandboxParts } from './parts.ts';
import { runSandbox } from './run.ts';
import { sandboxRuntimeSpec } from './runtime-spec.ts';
import type { Sandbox, SandboxRecord, SandboxState } from './sandbox.ts';
import { isSandboxRecord, isSandboxState, sandboxName } from './sandbox.ts';
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
export class Sandboxes {
  readonly store: ObjectStore<SandboxRecord, SandboxState>;
  readonly #options: SandboxesOptions;
  readonly #runs = new JoinedWork<SandboxId>();
  readonly #locks = new KeyedMutex<string>();
  readonly #parking: Parking;
  readonly #stops = new Map<string, Promise<void>>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.#parking = new Parking({ kind: 'sandbox', parkMs: options.parkMs, log: options.log });
    this.store = new ObjectStore(
      new RecordStore({
        directory: options.directory,
        badDirectory: options.badDirectory,
        kind: 'sandbox',
        version: RECORD_VERSION,
        isRecord: isSandboxRecord,
        isState: isSandboxState,
        log: options.log,
      }),
    );
  }

  /** Every sandbox that callers may see. */
  list(): Sandbox[] {
    return this.store.list().filter((sandbox) => sandbox.state.is !== 'Parked');
  }

  /** The sandbox an id or a unique prefix names. @throws NotFound. */
  get(idOrPrefix: string): Sandbox {
    const visible = this.store.idsWithPrefix(idOrPrefix).filter((id) => this.store.get(id)?.state.is !== 'Parked');
    const id = resolveId(visible, idOrPrefix, 'pod sandbox');
    return this.store.get(id) ?? fail('NotFound', `pod sandbox ${idOrPrefix}: not found`);
  }

  /** Like {@link get}, but undefined where there is none. */
  find(idOrPrefix: string): Sandbox | undefined {
    try {
      return this.get(idOrPrefix);
    } catch (error) {
      if (error instanceof DaemonError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  /**
   * Runs a sandbox: on success it is Ready, on failure nothing of it is left. The same request again joins the work under
   * way, or gets the sandbox that is already there.
   */
  async run(config: PodSandboxConfig, runtimeHandler: string, call: Call): Promise<Sandbox> {
    const plan = planSandbox(config, runtimeHandler, this.#options.parts);
    const name = sandboxName(plan.metadata);
    const id = await this.#runs.run(
      name,
      call.signal,
      {
        budgetMs: this.#options.runBudgetMs,
        what: `run pod sandbox ${name}`,
        endsWithLastWaiter: false,
        request: { config, runtimeHandler },
        unclaimed: async (done) => this.#park(done),
      },
      async (work) => {
        const existing = this.store.byName(name);
        if (existing !== undefined && !(await this.#makesWay(existing, plan))) return existingId(existing);
        // One run a name, so this is what an earlier one could not take back: the name must not be lost with it.
        const left = this.store.creatingByName(name);
        if (left !== undefined) await this.removeUnfinished(left);
        const record: SandboxRecord = { ...plan.record, name, createdAtNs: nowNs(), bootId: await bootId() };
        await runSandbox(this.#options.parts, this.store, record, work, call.log);
        return record.id;
      },
    );
    return this.#claim(id);
  }

  /** Runs a transition of one sandbox; others wait their turn, readers do not. */
  async locked<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(id, work);
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
    this.#parking.end(id);
    await this.locked(id, async () => removeSandbox(this.#options.parts, this.store, id, log));
  }

  /** Removes a sandbox that was never finished, with every effect it may have had. Idempotent. */
  async removeUnfinished(record: SandboxRecord): Promise<void> {
    await this.locked(record.id, async () => {
      if (!this.store.claims(record.id)) return;
      await removeUnfinishedSandbox(this.#options.parts, this.store, record, this.#options.log);
    });
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

  /** The OCI runtime spec of its infra container, or as much of one as a sandbox without has. */
  async runtimeSpec(sandbox: Sandbox): Promise<unknown> {
    return sandboxRuntimeSpec(this.#options.parts, sandbox);
  }

  /** Waits for all runs under way, for a graceful stop of the daemon. */
  async settled(): Promise<void> {
    await this.#runs.settled();
    this.#parking.close();
  }

  /**
   * Whether the sandbox that has the name of a new request is gone now. The same request gets it; another one never does: a
   * parked sandbox, which nobody has seen, is removed for it. @throws AlreadyExists for one that somebody has seen.
   */
  async #makesWay({ record, state }: Sandbox, plan: SandboxPlan): Promise<boolean> {
    const asked = ({ config, runtimeHandler }: SandboxPlan['record']): string => canonicalJson({ config, runtimeHandler });
    if ((state.is !== 'Ready' && state.is !== 'Parked') || asked(record) === asked(plan.record)) return false;
    if (state.is === 'Ready') {
      fail(
        'AlreadyExists',
        `run pod sandbox ${record.name}: sandbox ${record.id} has this name and attempt and another configuration; remove it, or ask with a higher attempt`,
      );
    }
    this.#parking.end(record.id);
    await this.#expire(record.id);
    return this.store.get(record.id) === undefined;
  }

  /** Hands a finished sandbox to a caller: from now on everyone may see it. */
  async #claim(id: SandboxId): Promise<Sandbox> {
    return this.locked(id, async () => {
      const sandbox = this.store.get(id);
      if (sandbox?.state.is === 'Ready') return sandbox;
      if (sandbox?.state.is !== 'Parked') fail('Unavailable', `run pod sandbox: ${id} was stopped or removed meanwhile; ask again`);
      this.#parking.end(id);
      return this.store.save(id, { ...sandbox.state, is: 'Ready' });
    });
  }

  async #park(id: SandboxId): Promise<void> {
    const parked = await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state?.is !== 'Ready') return false;
      await this.store.save(id, { ...state, is: 'Parked' }, { durable: false });
      return true;
    });
    if (parked) this.#parking.start(id, async () => this.#expire(id));
  }

  async #expire(id: SandboxId): Promise<void> {
    const { log, parts } = this.#options;
    // Looked at under the lock: a retry that has come just now has it.
    await this.locked(id, async () => {
      if (this.store.get(id)?.state.is !== 'Parked') return;
      log.info('nobody came back for the parked pod sandbox; removing it', { sandboxId: id });
      await removeSandbox(parts, this.store, id, log);
    });
  }
}

function existingId(existing: Sandbox): SandboxId {
  const { record, state } = existing;
  if (state.is === 'Ready' || state.is === 'Parked') return record.id;
  throw new DaemonError(
    'AlreadyExists',
    `run pod sandbox ${record.name}: sandbox ${record.id} has this name and attempt and is ${state.is}; remove it, or ask with a higher attempt`,
  );
}
