import { readFile, rm } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { toJson } from '../base/json.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { identify, SIGKILL, signalProcess, type ProcessIdentity } from '../linux/process.ts';

/**
 * The processes of plugins that the daemon has started, in a file: one that outlives a killed daemon has no connection any more, and
 * is ended by the next start, so that no plugin runs twice. Nothing of this is a reason to fail: what goes wrong is logged.
 */
export class LaunchedProcesses {
  readonly #path: string;
  readonly #log: Log;
  readonly #running = new Map<number, ProcessIdentity>();
  readonly #writes = new KeyedMutex<'file'>();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  async endLeftovers(): Promise<void> {
    await this.#carefully(async () => {
      const text = await unlessMissing(readFile(this.#path, 'utf8'), undefined);
      if (text === undefined) return;
      for (const identity of Field.parse(text, `read ${this.#path}`).list(readIdentity))
        if (await signalProcess(identity, SIGKILL))
          this.#log.info('an NRI plugin that a killed daemon has left is ended', { pid: identity.pid });
      await rm(this.#path, { force: true });
    });
  }

  async add(pid: number): Promise<void> {
    await this.#carefully(async () => {
      const identity = await identify(pid);
      if (identity === undefined) return; // it has ended already
      this.#running.set(pid, identity);
      await this.#write();
    });
  }

  async remove(pid: number): Promise<void> {
    await this.#carefully(async () => {
      if (this.#running.delete(pid)) await this.#write();
    });
  }

  async #write(): Promise<void> {
    const running = [...this.#running.values()];
    if (running.length === 0) await rm(this.#path, { force: true });
    else await writeFileAtomic(this.#path, toJson(running), { durable: false });
  }

  async #carefully(work: () => Promise<void>): Promise<void> {
    await this.#writes.run('file', async () => {
      try {
        await work();
      } catch (error) {
        this.#log.warn('the list of launched NRI plugins', { path: this.#path, error: messageOf(error) });
      }
    });
  }
}

function readIdentity(entry: Field): ProcessIdentity {
  return { pid: entry.at('pid').count(), startTime: entry.at('startTime').text(), bootId: entry.at('bootId').text() };
}
