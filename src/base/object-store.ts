import { fail, isSystemError } from './errors.ts';
import type { Intent, RecordStore } from './record-store.ts';

export interface StoredPair<R, S> {
  readonly record: R;
  readonly state: S;
}

/** What happened to an object: a new state, or its removal. Only what readers see counts. */
export interface Change<R, S> {
  readonly record: R;
  /** Undefined where it had none yet. */
  readonly before: S | undefined;
  /** Undefined where it is gone. */
  readonly after: S | undefined;
}

/**
 * The objects of one kind: the disk is the truth, this memory a copy of it. Readers get immutable snapshots and never
 * wait; writers hold the object's lock. A name is taken from {@link begin} until {@link remove}, so one name never has two
 * objects.
 */
export class ObjectStore<R extends { readonly id: string; readonly name: string }, S> {
  readonly #disk: RecordStore<R, S>;
  readonly #records = new Map<string, R>();
  readonly #states = new Map<string, S>();
  readonly #idsByName = new Map<string, string>();
  readonly #listeners: ((change: Change<R, S>) => void)[] = [];
  /** States that are being written while readers see them already. */
  readonly #behind = new Map<string, Promise<unknown>>();

  constructor(disk: RecordStore<R, S>) {
    this.#disk = disk;
  }

  /** Tells of every change from now on, in its order, at once when readers see it. A listener must not throw. */
  onChange(listener: (change: Change<R, S>) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the disk. Objects without a state are Creating: they hold their name until restore has removed them. */
  async load(): Promise<void> {
    for (const { record, state } of await this.#disk.load()) {
      this.#records.set(record.id, record);
      if (state !== undefined) this.#states.set(record.id, state);
      // A crash in the removal of an unfinished object may leave two of a name: the finished one has it.
      if (state !== undefined || !this.#idsByName.has(record.name)) this.#idsByName.set(record.name, record.id);
    }
  }

  /**
   * Records the intent to make an object, and takes its name. The caller flushes it before it answers.
   * @throws AlreadyExists where the name is taken; the system error where the disk fails, and the name is then free again.
   */
  async begin(record: R): Promise<Intent> {
    const owner = this.#idsByName.get(record.name);
    // The caller's undo may be pushed already; it must not take the name from its owner.
    if (owner !== undefined) fail('AlreadyExists', `the name ${record.name} belongs to ${owner}, which must be removed first`);
    this.#idsByName.set(record.name, record.id);
    this.#records.set(record.id, record);
    try {
      return await this.#disk.create(record);
    } catch (error) {
      this.#forget(record.id);
      // What the disk still keeps has had no effect: the next start removes it.
      await this.#disk.remove(record.id).catch(() => undefined);
      throw error;
    }
  }

  /** Writes a state, then shows it. */
  async save(id: string, state: S, options: { durable?: boolean } = {}): Promise<StoredPair<R, S>> {
    const record = this.#known(id);
    await this.#behind.get(id);
    await this.#disk.saveState(id, state, { ...options, isFirst: !this.#states.has(id) });
    return this.#show(record, state);
  }

  /**
   * As {@link save}, for a step towards the end of an object: where the disk fails (full, read-only), the state is only shown,
   * with a warning, since an end must not depend on writing. A restart then finds the state before, and comes to the same end by
   * itself.
   */
  async saveTowardsEnd(id: string, state: S, options: { durable?: boolean } = {}): Promise<StoredPair<R, S>> {
    try {
      return await this.save(id, state, options);
    } catch (error) {
      return this.#showUnwritten(id, state, error);
    }
  }

  /**
   * Shows a state, and writes it behind the caller's back: for what has happened already and what a restart finds out by itself. Whatever is
   * written of the object later waits for it.
   * @returns when it is written: the failure, where the disk fails.
   */
  async showThenSave(id: string, state: S): Promise<unknown> {
    this.#show(this.#known(id), state);
    const before = this.#behind.get(id);
    const write = async (): Promise<unknown> => {
      await before;
      try {
        // What it flushes is not worth anybody's time.
        await this.#disk.saveStateThenFlush(id, state);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    const written = write();
    this.#behind.set(id, written);
    const failure = await written;
    if (this.#behind.get(id) === written) this.#behind.delete(id);
    return failure;
  }

  /**
   * Writes a state at once, and shows it only when it would outlive a loss of power: for what must not be forgotten once it was
   * told. Readers see it when `shown` resolves. Where the disk fails, it does as {@link saveTowardsEnd}.
   */
  async saveThenShow(id: string, state: S): Promise<{ readonly shown: Promise<StoredPair<R, S>> }> {
    const record = this.#known(id);
    await this.#behind.get(id);
    let flushed: Promise<void>;
    try {
      ({ flushed } = await this.#disk.saveStateThenFlush(id, state));
    } catch (error) {
      return { shown: Promise.resolve(this.#showUnwritten(id, state, error)) };
    }
    const shown = flushed.then(
      () => this.#show(record, state),
      (error: unknown) => this.#showUnwritten(id, state, error),
    );
    shown.catch(() => undefined);
    return { shown };
  }

  /** Forgets the object and frees its name. Idempotent. */
  async remove(id: string): Promise<void> {
    await this.#behind.get(id);
    await this.#disk.remove(id);
    this.#forget(id);
  }

  /** The object with exactly this id; undefined also while it is Creating. */
  get(id: string): StoredPair<R, S> | undefined {
    const record = this.#records.get(id);
    const state = this.#states.get(id);
    return record === undefined || state === undefined ? undefined : { record, state };
  }

  byName(name: string): StoredPair<R, S> | undefined {
    const id = this.#idsByName.get(name);
    return id === undefined ? undefined : this.get(id);
  }

  /** Objects that have a state. */
  list(): StoredPair<R, S>[] {
    const pairs: StoredPair<R, S>[] = [];
    for (const [id, state] of this.#states) {
      const record = this.#records.get(id);
      if (record !== undefined) pairs.push({ record, state });
    }
    return pairs;
  }

  /** The unfinished object that holds a name; undefined where there is none, or a finished one. */
  creatingByName(name: string): R | undefined {
    const id = this.#idsByName.get(name);
    return id === undefined || this.#states.has(id) ? undefined : this.#records.get(id);
  }

  /** The record of this id, of an unfinished object too. */
  recordOf(id: string): R | undefined {
    return this.#records.get(id);
  }

  /** Records of objects that were never finished. */
  listCreating(): R[] {
    return [...this.#records.values()].filter((record) => !this.#states.has(record.id));
  }

  /** Whether anything of this id is claimed, finished or not. */
  claims(id: string): boolean {
    return this.#records.has(id);
  }

  /** Every id that starts with `prefix`, of objects that have a state. */
  idsWithPrefix(prefix: string): string[] {
    if (this.#states.has(prefix)) return [prefix];
    return [...this.#states.keys()].filter((id) => id.startsWith(prefix));
  }

  #known(id: string): R {
    return this.#records.get(id) ?? fail('NotFound', `object ${id} is gone`);
  }

  #showUnwritten(id: string, state: S, error: unknown): StoredPair<R, S> {
    const record = this.#records.get(id);
    if (record === undefined || !isSystemError(error)) throw error;
    this.#disk.tellUnwritten(id, error);
    return this.#show(record, state);
  }

  #show(record: R, state: S): StoredPair<R, S> {
    const before = this.#states.get(record.id);
    this.#states.set(record.id, state);
    for (const listener of this.#listeners) listener({ record, before, after: state });
    return { record, state };
  }

  #forget(id: string): void {
    const record = this.#records.get(id);
    const before = this.#states.get(id);
    this.#records.delete(id);
    this.#states.delete(id);
    if (record === undefined) return;
    if (this.#idsByName.get(record.name) === id) this.#idsByName.delete(record.name);
    if (before !== undefined) for (const listener of this.#listeners) listener({ record, before, after: undefined });
  }
}

/**
 * The one object an id or a unique prefix of it names.
 * @throws NotFound, or InvalidArgument where several begin so.
 */
export function resolveId(ids: readonly string[], asked: string, kind: string): string {
  if (asked === '') fail('InvalidArgument', `${kind} id is empty, must be given`);
  const [first, ...others] = ids;
  if (first === undefined) fail('NotFound', `${kind} ${asked}: not found`);
  if (others.length > 0) fail('InvalidArgument', `${kind} ${asked}: ${ids.length} ids begin so, must be unique`);
  return first;
}
