import type { Call } from './call.ts';
import { DaemonError, fail } from './errors.ts';
import { JoinedWork } from './joined-work.ts';
import { canonicalJson } from './json.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { idField, type Log, type ObjectKind } from './log.ts';
import { resolveId, type ObjectStore, type StoredPair } from './object-store.ts';
import { Parking } from './parking.ts';
import { currentOperation, step } from './steps.ts';

export interface JoinedObjectsOptions<R extends { readonly id: string; readonly name: string }, S extends { readonly is: string }> {
  readonly store: ObjectStore<R, S>;
  readonly kind: ObjectKind;
  /** The field's word for one of them, for messages: `pod sandbox`. */
  readonly noun: string;
  /** What making one is called, for messages: `run pod sandbox`. */
  readonly action: string;
  /** The state in which a caller gets a new one. */
  readonly made: S['is'];
  /** Whether the request that made it may still get it: it is made or Parked, and has not begun to end. */
  readonly isAlive: (state: S) => boolean;
  /** Whether callers may not see it yet, though it is made; none, if left out. */
  readonly isHidden?: (object: StoredPair<R, S>) => boolean;
  /** What was asked for, plain data: the same name with another request never gets this object. */
  readonly requestOf: (record: R) => unknown;
  /** Most that making one may take, milliseconds; the caller's deadline does not end it. */
  readonly budgetMs: number;
  /** How long one whose caller left is kept for the retry, milliseconds. */
  readonly parkMs: number;
  /** See {@link ParkingOptions}. */
  readonly retryMs?: number;
  readonly log: Log;
}

/** What a piece of work is given that makes an object. */
export interface Making {
  /** Ends the work. */
  readonly signal: AbortSignal;
  /**
   * Frees the name: called when the request is known to be good, and before the first effect. A request that is refused before
   * takes nothing away.
   * @throws AlreadyExists where somebody got the object of this name meanwhile.
   */
  readonly makeWay: () => Promise<void>;
}

/**
 * The objects of one kind, each made by a request that names it. A caller may leave before the answer and ask again, so:
 *
 * - One piece of work a name. The same request joins it; another one is refused.
 * - The caller's deadline ends its waiting, not the work. What is finished for nobody is Parked: no list and no id shows it.
 * - The retry gets what is there and ends the parking. Where none comes in time, the object is removed.
 * - A request of the same name that asks for something else is refused, but a Parked object, which nobody has seen, makes way
 *   for one that is not refused itself.
 * - What an earlier attempt could not take back (a record without a state) goes before the next one begins.
 *
 * A state of one object is changed under its lock; readers do not wait for it.
 */
export abstract class JoinedObjects<R extends { readonly id: string; readonly name: string }, S extends { readonly is: string }> {
  readonly store: ObjectStore<R, S>;
  readonly #life: JoinedObjectsOptions<R, S>;
  readonly #making = new JoinedWork<R['id']>();
  readonly #locks = new KeyedMutex<string>();
  /** Whose turn it is, for who waits. */
  readonly #holders = new Map<string, string>();
  readonly #parking: Parking;
  /** Parked objects whose removal has begun: it must be brought to its end, whatever state it has left. */
  readonly #expiring = new Set<string>();

  constructor(options: JoinedObjectsOptions<R, S>) {
    this.store = options.store;
    this.#life = options;
    this.#parking = new Parking(options);
  }

  /** Removes a Parked object and forgets it. The lock is held. Called again where it has failed. */
  protected abstract removeParked(object: StoredPair<R, S>): Promise<void>;

  /** Removes whatever was made of an object that was never finished, and forgets it. The lock is held. */
  protected abstract removeCreating(record: R): Promise<void>;

  /** Every object that callers may see. */
  list(): StoredPair<R, S>[] {
    return this.store.list().filter((object) => this.#isVisible(object));
  }

  /** The object an id or a unique prefix names. @throws NotFound, or InvalidArgument where several begin so. */
  get(idOrPrefix: string): StoredPair<R, S> {
    const { noun } = this.#life;
    const objects = this.store.idsWithPrefix(idOrPrefix).map((id) => this.store.get(id));
    const visible = objects.flatMap((object) => (object !== undefined && this.#isVisible(object) ? [object.record.id] : []));
    const id = resolveId(visible, idOrPrefix, noun);
    return this.store.get(id) ?? fail('NotFound', `${noun} ${idOrPrefix}: not found`);
  }

  /** The object with exactly this id, also where callers may not see it. @throws NotFound. */
  known(id: R['id']): StoredPair<R, S> {
    return this.store.get(id) ?? fail('NotFound', `${this.#life.noun} ${id}: not found`);
  }

  /** Like {@link get}, but undefined where there is none. */
  find(idOrPrefix: string): StoredPair<R, S> | undefined {
    try {
      return this.get(idOrPrefix);
    } catch (error) {
      if (error instanceof DaemonError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  /** Runs a transition of one object; others wait their turn, readers do not. */
  async locked<T>(id: string, work: () => Promise<T>): Promise<T> {
    const held = async (): Promise<T> => {
      this.#holders.set(id, holderName());
      return work().finally(() => this.#holders.delete(id));
    };
    if (!this.#locks.isTaken(id)) return this.#locks.run(id, held);
    const turn = Promise.withResolvers<undefined>();
    const done = this.#locks.run(id, async () => {
      turn.resolve(undefined);
      return held();
    });
    await step('wait for turn', async () => turn.promise, `behind ${this.#holders.get(id) ?? 'other work'}`);
    return done;
  }

  /** Removes what a crash, or an undo that failed, left of an object that was never finished. Idempotent. */
  async removeUnfinished(record: R): Promise<void> {
    await this.locked(record.id, async () => {
      if (this.store.claims(record.id)) await this.removeCreating(record);
    });
  }

  /** Waits for all that is being made, for a graceful stop of the daemon. A restart removes what is parked. */
  async settled(): Promise<void> {
    await this.#making.settled();
    this.#parking.close();
  }

  /**
   * The object of this name, as `request` asks for it: the one that is there, or else the one that `work` makes. On success
   * `work` has freed the name and saved its `made` state; on failure it has left nothing behind.
   * @throws AlreadyExists where the name is that of another request's object, or of one that has begun to end.
   */
  protected async make(
    name: string,
    request: unknown,
    { signal }: Pick<Call, 'signal'>,
    work: (making: Making) => Promise<R['id']>,
  ): Promise<StoredPair<R, S>> {
    const { action, budgetMs } = this.#life;
    const id = await this.#making.run(
      name,
      signal,
      {
        budgetMs,
        what: `${action} ${name}`,
        endsWithLastWaiter: false,
        request,
        unclaimed: async (finished) => this.#park(finished),
      },
      async (ending) => this.#existing(name, request) ?? work({ signal: ending, makeWay: async () => this.#makeWay(name) }),
    );
    return this.#claim(id);
  }

  /** The object is being removed: its parking clock must not do so again. */
  protected endParking(id: string): void {
    this.#parking.end(id);
    this.#expiring.delete(id);
  }

  /** The object that the request may have; undefined where its name is free, or will be when {@link #makeWay} was called. */
  #existing(name: string, request: unknown): R['id'] | undefined {
    const existing = this.store.byName(name);
    if (existing === undefined) return undefined;
    const { record, state } = existing;
    const isSame = canonicalJson(this.#life.requestOf(record)) === canonicalJson(request);
    if (this.#life.isAlive(state) && isSame) return record.id;
    return this.#isUnseen(existing) ? undefined : this.#refuseName(name, existing);
  }

  /** Only one piece of work runs for a name, so what has it is what an earlier one has parked, or could not take back. */
  async #makeWay(name: string): Promise<void> {
    const existing = this.store.byName(name);
    if (existing !== undefined) {
      const { id } = existing.record;
      await this.#expire(id);
      const left = this.store.get(id);
      if (left !== undefined) this.#refuseName(name, left);
      this.#parking.end(id);
    }
    const left = this.store.creatingByName(name);
    if (left !== undefined) await this.removeUnfinished(left);
  }

  #isVisible(object: StoredPair<R, S>): boolean {
    return object.state.is !== 'Parked' && this.#life.isHidden?.(object) !== true;
  }

  /** Whether nobody has seen it: it is Parked, or was until its removal began. */
  #isUnseen({ record, state }: StoredPair<R, S>): boolean {
    return state.is === 'Parked' || this.#expiring.has(record.id);
  }

  #refuseName(name: string, { record, state }: StoredPair<R, S>): never {
    const { kind, action, isAlive } = this.#life;
    const what = isAlive(state) ? 'and another configuration' : `and is ${state.is}`;
    return fail(
      'AlreadyExists',
      `${action} ${name}: ${kind} ${record.id} has this name and attempt ${what}; remove it, or ask with a higher attempt`,
    );
  }

  /** Hands a finished object to a caller: from now on everyone may see it. */
  async #claim(id: R['id']): Promise<StoredPair<R, S>> {
    const { action, isAlive, made } = this.#life;
    return this.locked(id, async () => {
      const object = this.store.get(id);
      if (object === undefined || !isAlive(object.state))
        fail('Unavailable', `${action}: ${id} was stopped or removed meanwhile; ask again`);
      if (object.state.is !== 'Parked') return object;
      this.#parking.end(id);
      this.#expiring.delete(id);
      return this.store.save(id, { ...object.state, is: made });
    });
  }

  async #park(id: R['id']): Promise<void> {
    const parked = await this.locked(id, async () => {
      const state = this.store.get(id)?.state;
      if (state?.is !== this.#life.made) return false;
      await this.store.save(id, { ...state, is: 'Parked' }, { durable: false });
      return true;
    });
    if (parked) this.#parking.start(id, async () => this.#expire(id));
  }

  async #expire(id: R['id']): Promise<void> {
    const { kind, noun, log } = this.#life;
    // Looked at under the lock: a retry that came a moment ago has the object already.
    await this.locked(id, async () => {
      const object = this.store.get(id);
      if (object !== undefined && this.#isUnseen(object)) {
        log.info(`nobody came back for the parked ${noun}; removing it`, idField(kind, id));
        this.#expiring.add(id);
        await this.removeParked(object);
      }
      this.#expiring.delete(id);
    });
  }
}

function holderName(): string {
  const holder = currentOperation();
  return holder === undefined ? 'other work' : `${holder.what} (${holder.number})`;
}
