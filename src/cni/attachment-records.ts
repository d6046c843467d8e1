import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, removeFile, writeFileAtomic, writeFileThenFlush } from '../base/atomic-file.ts';
import { isSystemError, messageOf, unlessMissing, unlessReadOnly } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { readAtStart } from '../base/read-at-start.ts';
import { documentOf, networkFromList } from './network-conf.ts';
import { resultFrom } from './result.ts';
import type { JsonObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { CapabilityArgs } from './capability-args.ts';
import type { NetworkConf } from './network-conf.ts';
import type { CniResult } from './result.ts';

/** The pod that an attachment is for; plugins are told (CNI_ARGS). */
export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** What DEL needs: on disk before the first ADD and until the last DEL has worked. */
export interface AttachmentRecord {
  readonly containerId: string;
  readonly pod: PodIdentity;
  readonly netnsPath: string;
  readonly ifName: string;
  /** The network as it was at ADD; its file may have changed since, or be gone. */
  readonly network: NetworkConf;
  readonly capabilityArgs: CapabilityArgs;
  readonly createdAt: string;
  /** Where the ADD was refused by a plugin: which of the chain, and its words. */
  readonly refusal?: AddRefusal;
  /** What the chain answered; undefined while ADD is under way, and after it was cut off. */
  readonly result?: CniResult;
}

/** An ADD that a plugin refused in words of its own. */
export interface AddRefusal {
  /** The plugin's place in the chain; those behind it were not asked. */
  readonly index: number;
  readonly words: string;
}

/** Version of the records' form on disk. */
export const ATTACHMENT_VERSION = 1;
const SUFFIX = '.json';
const RESULT = '.result';
const CORRUPT = '.corrupt';

/**
 * A directory of attachment records, `<containerId>.json` with what DEL cannot do without and `<containerId>.result` with
 * the result, and a copy of both in memory. Only the first is flushed: a loss of power takes the namespace with it, and
 * then DEL works as well without the result, or for a record that came back. A record that cannot be read is set aside
 * as `<containerId>.json.corrupt`: its id stays listed as corrupt until {@link AttachmentRecords.remove}.
 */
export class AttachmentRecords {
  readonly #dir: string;
  readonly #log: Log;
  readonly #records = new Map<string, AttachmentRecord>();
  readonly #corrupt = new Set<string>();

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  /** Reads what is on disk. Only a directory that cannot be read at all is an error. */
  async load(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await makeDirectoryDurable(this.#dir);
    const names = new Set(await readdir(this.#dir));
    for (const name of names) {
      if (name.endsWith('.tmp')) await unlessReadOnly(removeFile(join(this.#dir, name)));
      else if (name.endsWith(SUFFIX)) await this.#loadOne(name.slice(0, -SUFFIX.length), readAtStart);
      else if (name.endsWith(RESULT)) {
        const isStray = !names.has(name.slice(0, -RESULT.length) + SUFFIX);
        if (isStray) await unlessReadOnly(removeFile(join(this.#dir, name)));
      } else if (name.endsWith(SUFFIX + CORRUPT)) this.#corrupt.add(name.slice(0, -(SUFFIX + CORRUPT).length));
    }
    for (const id of this.#records.keys()) this.#corrupt.delete(id);
  }

  get(id: string): AttachmentRecord | undefined {
    return this.#records.get(id);
  }

  isCorrupt(id: string): boolean {
    return this.#corrupt.has(id);
  }

  all(): AttachmentRecord[] {
    return [...this.#records.values()];
  }

  /** The containers with a record, a readable one or not. */
  ids(): string[] {
    return [...this.#records.keys(), ...this.#corrupt];
  }

  /** As {@link ids}, with those that are on the disk and that nobody has read. */
  async idsOnDisk(): Promise<string[]> {
    const names = await unlessMissing(readdir(this.#dir), []);
    return [...new Set([...this.ids(), ...names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))])];
  }

  /** Reads a record that came to the disk some other way than by {@link save}. */
  async adopt(id: string): Promise<void> {
    if (!this.#records.has(id)) await this.#loadOne(id, readFileIfThere);
  }

  corruptFile(id: string): string {
    return this.#file(id) + CORRUPT;
  }

  /**
   * Writes the record of what is going to be attached, as {@link save} does, in half of the time: a loss of power before this returns may leave
   * an empty file, and no plugin has been asked then.
   */
  async saveIntent(intent: AttachmentRecord): Promise<void> {
    const file = this.#file(intent.containerId);
    const { flushed } = await writeFileThenFlush(file, JSON.stringify(toDisk(intent)));
    try {
      await flushed;
    } catch (error) {
      await removeFile(file).catch(() => undefined);
      throw error;
    }
    this.#records.set(intent.containerId, intent);
  }

  /** Writes a record so that it survives a loss of power, but for its result. */
  async save(record: AttachmentRecord): Promise<void> {
    const { result, ...intent } = record;
    await writeFileAtomic(this.#file(record.containerId), JSON.stringify(toDisk(intent)));
    this.#records.set(record.containerId, intent);
    if (result !== undefined) await this.saveResult(intent, result);
  }

  /** Adds the result to a record; it survives the death of the daemon. */
  async saveResult(record: AttachmentRecord, result: CniResult): Promise<void> {
    await writeFileAtomic(this.#resultFile(record.containerId), JSON.stringify(result), { durable: false });
    this.#records.set(record.containerId, { ...record, result });
  }

  /**
   * Removes a record, also one that was set aside. It is fine where there is none. Where the disk fails, the record is only
   * forgotten, with a warning: the network is released by then, and a later start that finds the file releases it once more.
   */
  async remove(id: string): Promise<void> {
    try {
      await removeFile(this.#file(id));
      await removeFile(this.#resultFile(id));
      if (this.#corrupt.has(id)) await removeFile(this.corruptFile(id));
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#log.warn(`cni attachment record ${this.#file(id)} cannot be removed: ${messageOf(error)}; the next start does it`, {
        sandboxId: id,
      });
    }
    this.#records.delete(id);
    this.#corrupt.delete(id);
  }

  /**
   * Takes over what another directory knows of a container, readable or not. The other's record is to be removed then.
   * @returns whether it is noted here: not where there is none, and, with a warning, where the disk fails.
   */
  async take(other: AttachmentRecords, id: string): Promise<boolean> {
    const record = other.get(id);
    try {
      if (record !== undefined) await this.save(record);
      else if (other.isCorrupt(id)) await this.saveCorrupt(id);
      else return false;
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // The end of a pod does not depend on this write: the next start finds the record where it was.
      this.#log.warn(`cni attachment record ${this.#file(id)} cannot be written: ${messageOf(error)}; the next start does it`, {
        sandboxId: id,
      });
      return false;
    }
  }

  /** Notes in this directory that the container's attachment is known, but not what it was. */
  async saveCorrupt(id: string): Promise<void> {
    await writeFileAtomic(this.corruptFile(id), '');
    this.#corrupt.add(id);
  }

  #file(id: string): string {
    return join(this.#dir, id + SUFFIX);
  }

  #resultFile(id: string): string {
    return join(this.#dir, id + RESULT);
  }

  /** A result that cannot be read is as good as none: DEL is then run as after an ADD that was cut off. */
  async #resultOf(record: AttachmentRecord, read: Read): Promise<AttachmentRecord> {
    try {
      const text = await read(this.#resultFile(record.containerId));
      return text === undefined ? record : { ...record, result: resultFrom(Field.parse(text, ''), record.network.cniVersion) };
    } catch (error) {
      this.#log.warn(`cni result ${this.#resultFile(record.containerId)} cannot be used: ${messageOf(error)}`, {
        sandboxId: record.containerId,
      });
      return record;
    }
  }

  async #loadOne(id: string, read: Read): Promise<void> {
    const file = this.#file(id);
    try {
      const text = await read(file);
      if (text === undefined) return;
      const record = fromDisk(text);
      if (record.containerId !== id) throw new Error(`it is of container ${record.containerId}, must be of ${id}`);
      this.#records.set(id, await this.#resultOf(record, read));
    } catch (error) {
      this.#log.error(`cni attachment record ${file} cannot be used and is set aside as ${file}${CORRUPT}: ${messageOf(error)}`, {
        sandboxId: id,
      });
      await unlessReadOnly(rename(file, file + CORRUPT));
      this.#corrupt.add(id);
    }
  }
}

/** What a file has; undefined where it is not there. */
type Read = (file: string) => Promise<string | undefined>;

async function readFileIfThere(file: string): Promise<string | undefined> {
  return unlessMissing(readFile(file, 'utf8'), undefined);
}

function toDisk(record: AttachmentRecord): JsonObject {
  return { version: ATTACHMENT_VERSION, ...record, network: documentOf(record.network) };
}

function fromDisk(text: string): AttachmentRecord {
  if (text === '') throw new Error('the file is empty');
  const record = Field.parse(text, '');
  record.at('version').oneOf([ATTACHMENT_VERSION]);
  const pod = record.at('pod');
  const refusal = record.at('refusal').asObject();
  return {
    containerId: record.at('containerId').text(),
    pod: { name: pod.at('name').text(), namespace: pod.at('namespace').text(), uid: pod.at('uid').text() },
    netnsPath: record.at('netnsPath').text(),
    ifName: record.at('ifName').text(),
    network: networkFromList(record.at('network')),
    capabilityArgs: record.at('capabilityArgs').asObject()?.object() ?? {},
    createdAt: record.at('createdAt').text(),
    ...(refusal === undefined ? {} : { refusal: { index: refusal.at('index').number(), words: refusal.at('words').text() } }),
  };
}
