import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFile, syncDirectory, syncFile, writeFileAtomic, writeFileThenFlush } from './atomic-file.ts';
import { hasErrno, messageOf, unlessMissing } from './errors.ts';
import { Field } from './field.ts';
import { isObjectId } from './ids.ts';
import { fromJson, toJson } from './json.ts';
import { idField, type Log, type ObjectKind } from './log.ts';
import { readAtStart } from './read-at-start.ts';

/** What stands on disk round a record or a state. */
interface Envelope {
  readonly version: number;
  readonly data: unknown;
}

/** An object as the store found it: without a state it was never finished (*Creating*). */
export interface StoredObject<R, S> {
  readonly record: R;
  readonly state: S | undefined;
}

/** A record that is written. */
export interface Intent {
  /** Makes it outlive a loss of power; the second call gets the first one's result. */
  readonly flush: () => Promise<void>;
}

export interface RecordStoreOptions<R, S> {
  /** Holds one directory per object, named by its id. */
  readonly directory: string;
  /** Where bad records are moved to. */
  readonly badDirectory: string;
  /** What is stored, for log lines. */
  readonly kind: ObjectKind;
  /** The version this daemon writes; it reads this one and older ones. */
  readonly version: number;
  /** Reads what was written as the record of an id. @throws in words that name the field where it cannot be one. */
  readonly readRecord: (data: Field, id: string) => R;
  /** Reads what was written as a state. @throws in words that name the field where it cannot be one. */
  readonly readState: (data: Field) => S;
  readonly log: Log;
}

/**
 * Objects on disk: per object an immutable record.json, which is the intent and is there before the first outside effect,
 * and a mutable state.json. Both are versioned JSON, written whole. Removing record.json is what ends an object.
 */
export class RecordStore<R extends { readonly id: string }, S> {
  readonly #options: RecordStoreOptions<R, S>;

  constructor(options: RecordStoreOptions<R, S>) {
    this.#options = options;
  }

  /** The object's own directory; other files of it may live there too. */
  directoryOf(id: string): string {
    return join(this.#options.directory, id);
  }

  /**
   * Writes the intent. When this returns, a later start of the daemon knows of the object; when what `flush` gives resolves, also one after a
   * loss of power. It is called where the work has to wait anyway, since it takes the threads of all file work, and waited for before the answer.
   */
  async create(record: R): Promise<Intent> {
    const directory = this.directoryOf(record.id);
    const file = this.#recordFile(record.id);
    await mkdir(directory, { mode: 0o700 });
    await writeFileAtomic(file, this.#textOf(record), { durable: false });
    let flushed: Promise<void> | undefined;
    const flush = async (): Promise<void> => {
      await Promise.all([syncFile(file), syncDirectory(directory), syncDirectory(this.#options.directory)]);
    };
    return {
      flush: async () => {
        flushed ??= flush();
        flushed.catch(() => undefined);
        return flushed;
      },
    };
  }

  /**
   * Replaces the state. `durable: false` is for states that a loss of power makes meaningless anyway.
   * @param isFirst whether there was none before: then a half-written one is as good as none, and one flush is enough.
   */
  async saveState(id: string, state: S, options: { durable?: boolean; isFirst?: boolean } = {}): Promise<void> {
    const { durable = true, isFirst = false } = options;
    if (durable && isFirst) await (await this.saveStateThenFlush(id, state)).flushed;
    else await writeFileAtomic(this.#stateFile(id), this.#textOf(state), { durable });
  }

  /** Replaces the state. When this returns, it outlives the death of the daemon; when `flushed` resolves, a loss of power. */
  async saveStateThenFlush(id: string, state: S): Promise<{ readonly flushed: Promise<void> }> {
    return writeFileThenFlush(this.#stateFile(id), this.#textOf(state));
  }

  /** Logs that an object goes on towards its end although its state could not be written. */
  tellUnwritten(id: string, error: unknown): void {
    const { kind, log } = this.#options;
    log.warn(`the state of a ${kind} could not be written; its end does not wait for that`, {
      ...idField(kind, id),
      error: messageOf(error),
    });
  }

  /** Forgets the object; what is not there is already forgotten. */
  async remove(id: string): Promise<void> {
    await removeFile(this.#recordFile(id));
    await removeFile(this.#stateFile(id));
    try {
      await unlessMissing(rmdir(this.directoryOf(id)), undefined);
    } catch (error) {
      // With other files of it, and what was being written when a daemon was killed.
      if (!hasErrno(error, 'ENOTEMPTY')) throw error;
      await rm(this.directoryOf(id), { recursive: true, force: true });
    }
  }

  /** Reads every object. A record that cannot be used is set aside with a log line and never stops the start. */
  async load(): Promise<StoredObject<R, S>[]> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    const objects: StoredObject<R, S>[] = [];
    for (const id of await readdir(this.#options.directory)) {
      if (!isObjectId(id)) continue;
      const object = await this.#loadSafely(id);
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }

  #recordFile(id: string): string {
    return join(this.directoryOf(id), 'record.json');
  }

  #stateFile(id: string): string {
    return join(this.directoryOf(id), 'state.json');
  }

  async #loadSafely(id: string): Promise<StoredObject<R, S> | undefined> {
    const { kind, log } = this.#options;
    try {
      return await this.#loadOne(id);
    } catch (error) {
      log.error(
        `${kind} record ${this.directoryOf(id)}: cannot be read or moved away: ${messageOf(error)}; it is left out`,
        idField(kind, id),
      );
      return undefined;
    }
  }

  async #loadOne(id: string): Promise<StoredObject<R, S> | undefined> {
    const recordFile = this.#recordFile(id);
    const text = await textOf(recordFile);
    if (typeof text === 'object') {
      await this.#setAside(id, recordFile, text.problem);
      return undefined;
    }
    if (text === undefined) {
      // A removal, or a creation before its intent, was cut short. Nothing was made yet, or nothing is left to remove.
      await rm(this.directoryOf(id), { recursive: true, force: true });
      return undefined;
    }
    const record = this.#read(text, (data) => this.#options.readRecord(data, id));
    if ('problem' in record) {
      await this.#setAside(id, recordFile, record.problem);
      return undefined;
    }
    return { record: record.value, state: await this.#loadState(id) };
  }

  async #loadState(id: string): Promise<S | undefined> {
    const { kind, log, readState } = this.#options;
    const stateFile = this.#stateFile(id);
    const text = await textOf(stateFile);
    if (text === undefined) return undefined;
    const state = typeof text === 'object' ? text : this.#read(text, readState);
    if ('value' in state) return state.value;
    log.error(`${kind} state ${stateFile}: ${state.problem}; the ${kind} is taken as never finished and is removed`, idField(kind, id));
    return undefined;
  }

  #read<T>(text: string, read: (data: Field) => T): { readonly value: T } | { readonly problem: string } {
    if (text.trim() === '') return { problem: 'the file is empty' };
    let envelope: Partial<Envelope> | null;
    try {
      envelope = fromJson(text) as Partial<Envelope> | null;
    } catch (error) {
      return { problem: `not JSON (${messageOf(error)})` };
    }
    if (typeof envelope !== 'object' || envelope === null || typeof envelope.version !== 'number') return { problem: 'it has no version' };
    const { version } = this.#options;
    if (envelope.version > version) return { problem: `its version is ${envelope.version}, this daemon reads up to ${version}` };
    try {
      return { value: read(new Field(envelope.data, '')) };
    } catch (error) {
      return { problem: messageOf(error) };
    }
  }

  async #setAside(id: string, file: string, problem: string): Promise<void> {
    const { badDirectory, kind, log } = this.#options;
    await mkdir(badDirectory, { recursive: true, mode: 0o700 });
    const target = join(badDirectory, `${kind}-${id}-${Date.now()}`);
    await rename(this.directoryOf(id), target);
    log.error(`${kind} record ${file}: ${problem}; set aside as ${target}, its name is free again`, idField(kind, id));
  }

  #textOf(data: unknown): string {
    const envelope: Envelope = { version: this.#options.version, data };
    return toJson(envelope);
  }
}

async function textOf(file: string): Promise<string | undefined | { readonly problem: string }> {
  return readAtStart(file).catch((error: unknown) => ({ problem: messageOf(error) }));
}
