import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { removeFile, writeFileAtomic } from '../base/atomic-file.ts';
import { sleep } from '../base/deadline.ts';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import type { OomKill } from '../linux/kernel-log.ts';
import { bootId } from '../linux/process.ts';
import { readExit } from '../ociruntime/exit-directory.ts';
import type { CgroupPlacement, PlacedContainer } from '../ociruntime/placement.ts';
import type { Container, ContainerRecord } from './container.ts';
import { cgroupOf, cgroupsPathOf, isAliveState } from './container.ts';
import { levelFigures } from './oom-report.ts';
import { bundleOf, type ContainerParts } from './parts.ts';
import { loggedKillsOf, shareOomKills } from './share-oom-kills.ts';
import type { LoggedKills, OomSuspect } from './share-oom-kills.ts';

/** The kernel writes its log after it has sent the signal: how long to wait where a kill is missing there, milliseconds. */
const LOG_WAIT_MS = 200;

/** The parts of a container's operations that the count of kills works with. */
export type OomKillsParts = Pick<ContainerParts, 'oomLedgerFile' | 'bundleDirectory' | 'recordDirectory' | 'log'> & {
  readonly store: Pick<ContainerParts['store'], 'list' | 'claims'>;
  readonly cgroups: Pick<Cgroups, 'version' | 'oomKills' | 'goneOomKills' | 'memoryEvents' | 'figures'>;
  readonly placement: Pick<CgroupPlacement, 'containerDirectory' | 'parentDirectory' | 'toldOutOfMemory'>;
};

export interface OomKillsOptions {
  /** The kills that the kernel's log has; undefined where it cannot be read. Reading it takes milliseconds of the event loop. */
  readonly readKernelLog: () => readonly OomKill[] | undefined;
}

/** Of one pod's cgroup: whose the kills are that the kernel has counted in it. */
interface Ledger {
  /** The cgroup's own identity; the numbers are of no other. */
  readonly cgroup: string;
  /** Kills that belong to no container that may still end. */
  readonly settled: number;
  /** By container: how many are its. */
  readonly told: Readonly<Record<string, number>>;
}

/** And how many there are, in cgroups that are gone. */
type CountedLedger = Ledger & { readonly gone: number };

/**
 * Tells whether the kernel killed a process of a container for lack of memory. A container's own cgroup counts that, but
 * systemd removes the cgroup with the last process in it. The pod's stays and counts the same kills, before the signal
 * is sent, and so also those that nobody was there to see; whose they are is what remains to be found out.
 * docs/decisions/0005-oom-kills.md
 */
export class OomKills {
  readonly #parts: OomKillsParts;
  readonly #options: OomKillsOptions;
  readonly #locks = new KeyedMutex<string>();
  #ledgers: Promise<Map<string, Ledger>> | undefined;

  constructor(parts: OomKillsParts, options: OomKillsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Before a container is made in a pod's cgroup: where no other one lives there, kills so far are nobody's any more. */
  async expect(parent: string): Promise<void> {
    try {
      await this.#locks.run(parent, async () => {
        const ledger = await this.#ledgerOf(parent);
        if (ledger === undefined || unexplained(ledger) === 0 || this.#alive(parent).length > 0) return;
        await this.#write(parent, { ...ledger, settled: ledger.settled + unexplained(ledger) });
      });
    } catch (error) {
      this.#parts.log.warn('the OOM kills of a pod cannot be counted', { cgroup: parent, error: messageOf(error) });
    }
  }

  /**
   * Whether there was a kill in the container, which has ended. Never rejects: an exit code must get on record.
   * @param seenByMonitor what conmon saw. It looks at the same cgroup and may miss it for the same reason.
   */
  async wereIn(container: Container, exitCode: number, seenByMonitor: boolean): Promise<boolean> {
    const { record } = container;
    try {
      // What the cgroups say is of this boot.
      if (record.bootId !== (await bootId())) return seenByMonitor;
      return await this.#locks.run(record.cgroupParent, async () => this.#judge(container, exitCode, seenByMonitor));
    } catch (error) {
      this.#parts.log.warn('the OOM kills of a container cannot be counted', { containerId: record.id, error: messageOf(error) });
      return seenByMonitor;
    }
  }

  /** A container of the pod's cgroup is gone. */
  async forget(parent: string): Promise<void> {
    if (this.#parts.store.list().some(({ record }) => record.cgroupParent === parent)) return;
    await this.#locks
      .run(parent, async () => this.#write(parent, undefined))
      .catch((error: unknown) => {
        this.#parts.log.warn('the count of OOM kills cannot be written', { cgroup: parent, error: messageOf(error) });
      });
  }

  async #judge(container: Container, exitCode: number, seenByMonitor: boolean): Promise<boolean> {
    const { cgroups } = this.#parts;
    const { record } = container;
    const own = await cgroups.oomKills(this.#cgroupOf(container));
    // The pod's cgroup counts nothing of one that a plugin has put elsewhere.
    const ledger = this.#isInPod(container) ? await this.#ledgerOf(record.cgroupParent) : undefined;
    if (own !== undefined) {
      if (own > 0 && ledger !== undefined) await this.#tell(ledger, record.cgroupParent, new Map([[record.id, own]]));
      return own > 0 || (cgroups.version === 'v1' && seenByMonitor && (await this.#mayBeBelow(container)));
    }
    if (ledger === undefined) return seenByMonitor || (exitCode !== 0 && (await this.#isTold(container)));
    const told = ledger.told[record.id];
    if (told !== undefined) return told > 0;
    if (unexplained(ledger) <= 0) return false;
    const together = await this.#endedTogether(record);
    if (together === undefined) return seenByMonitor;
    const shares = await this.#share(container, together.others, unexplained(together.ledger), seenByMonitor);
    const { gone, told: toldBefore } = together.ledger;
    await this.#tell(
      { ...together.ledger, settled: gone - sum(Object.values(toldBefore)) - sum(shares.values()) },
      record.cgroupParent,
      shares,
    );
    return (shares.get(record.id) ?? 0) > 0;
  }

  /**
   * The containers of which no kills are told yet and whose cgroups are gone, besides this one, and the count in which the kills
   * of all of them are, and of no others: the same ones before it was read and after.
   */
  async #endedTogether(
    record: ContainerRecord,
  ): Promise<{ readonly others: readonly Container[]; readonly ledger: CountedLedger } | undefined> {
    const look = async (): Promise<{ found: Container[]; ids: string }> => {
      const found = await this.#endedBeside(record);
      return { found, ids: found.map((each) => each.record.id).join() };
    };
    for (let before = await look(); ;) {
      const ledger = await this.#ledgerOf(record.cgroupParent);
      if (ledger === undefined) return undefined;
      const after = await look();
      if (after.ids === before.ids) return { others: after.found.filter((each) => ledger.told[each.record.id] === undefined), ledger };
      before = after;
    }
  }

  /** Also for the others that have ended at the same time and are not on record yet: the kills cannot be told apart later. */
  async #share(container: Container, others: readonly Container[], kills: number, seenByMonitor: boolean): Promise<Map<string, number>> {
    const parts = this.#parts;
    const seen = await Promise.all(
      others.map(async ({ record }) => (await readExit(bundleOf(parts, record.id).persistDirectory))?.oomSeen === true),
    );
    const together = [container, ...others];
    // One reading of the log for all of them.
    const look = (): LoggedKills[] => {
      const log = this.#kernelLog();
      return together.map((each) => this.#loggedOf(each, log));
    };
    const suspects = (logged: readonly LoggedKills[]): OomSuspect[] =>
      together.map(({ record: { id } }, index) => ({
        id,
        logged: logged[index]?.all ?? 0,
        seenByMonitor: [seenByMonitor, ...seen][index] === true,
      }));
    const isShort = (logged: readonly LoggedKills[]): boolean => others.length > 0 && sum(logged.map(({ certain }) => certain)) < kills;
    let logged = look();
    if (isShort(logged)) {
      await sleep(LOG_WAIT_MS);
      logged = look();
    }
    if (!isShort(logged)) return shareOomKills(kills, suspects(logged));
    const told = await parts.placement.toldOutOfMemory(together.map(placed));
    const known = suspects(look());
    const named = known.map((suspect) => ({ ...suspect, seenByMonitor: suspect.seenByMonitor || told?.has(suspect.id) === true }));
    const shares = shareOomKills(kills, named, { allAreNamed: told !== undefined && told.size > 0 });
    const words = known.map(({ id, logged: count, seenByMonitor: isSeen }) => {
      const sources = [
        `${count} in the kernel's log`,
        ...(isSeen ? ['seen by its monitor'] : []),
        ...(told?.has(id) === true ? ['told by systemd'] : []),
      ];
      return `${id}: ${shares.get(id) ?? 0} (${sources.join(', ')})`;
    });
    const journal = told === undefined ? '; there is no journal to ask' : '';
    this.#parts.log.info(`containers of a pod ended together after ${kills} OOM kills; by container: ${words.join('; ')}${journal}`, {
      cgroup: container.record.cgroupParent,
    });
    return shares;
  }

  /** Containers whose cgroup is gone, while their end is not on record. */
  async #endedBeside({ id, cgroupParent }: ContainerRecord): Promise<Container[]> {
    const found = await Promise.all(
      this.#alive(cgroupParent)
        .filter((other) => other.record.id !== id && this.#isInPod(other))
        .map(async (other) => ((await this.#parts.cgroups.oomKills(this.#cgroupOf(other))) === undefined ? [other] : [])),
    );
    return found.flat();
  }

  #kernelLog(): readonly OomKill[] {
    return this.#options.readKernelLog() ?? [];
  }

  #alive(parent: string): Container[] {
    return this.#parts.store.list().filter(({ record, state }) => record.cgroupParent === parent && isAliveState(state));
  }

  #cgroupOf(container: Container): string {
    return cgroupOf(this.#parts.placement, container);
  }

  async #isTold(container: Container): Promise<boolean> {
    const { record, state } = container;
    if (this.#loggedOf(container, this.#kernelLog()).all > 0) return true;
    if (state.chosenCgroup === undefined) return false;
    return (await this.#parts.placement.toldOutOfMemory([placed(container)]))?.has(record.id) === true;
  }

  /**
   * Version 1 does not count what was in cgroups below it that are gone. It tells the monitor that memory has run out, and so at the pod's
   * limit the monitors of all its containers.
   */
  async #mayBeBelow(container: Container): Promise<boolean> {
    if ((await levelFigures(this.#parts.cgroups, this.#cgroupOf(container)))?.wasMet === true) return true;
    return this.#loggedOf(container, this.#kernelLog()).all > 0;
  }

  #isInPod(container: Container): boolean {
    const { state, record } = container;
    return (
      state.chosenCgroup === undefined || dirname(this.#cgroupOf(container)) === this.#parts.placement.parentDirectory(record.cgroupParent)
    );
  }

  #loggedOf(container: Container, log: readonly OomKill[]): LoggedKills {
    return loggedKillsOf(container, log, container.state.chosenCgroup === undefined ? undefined : this.#cgroupOf(container));
  }

  #pathOf(id: string): string | undefined {
    const container = this.#parts.store.list().find(({ record }) => record.id === id);
    return container && cgroupsPathOf(container);
  }

  /** The ledger of the cgroup that is there now, and what it counts; undefined where it counts nothing. */
  async #ledgerOf(parent: string): Promise<CountedLedger | undefined> {
    const { cgroups, placement } = this.#parts;
    const kept = (await this.#read()).get(parent);
    const known = new Set(Object.keys(kept?.told ?? {}).map((id) => basename(placement.containerDirectory(parent, id, this.#pathOf(id)))));
    const now = await cgroups.goneOomKills(placement.parentDirectory(parent), known);
    if (now === undefined) return undefined;
    if (kept?.cgroup === now.cgroup) return { ...kept, gone: now.kills };
    return { cgroup: now.cgroup, settled: 0, told: {}, gone: now.kills };
  }

  async #tell(ledger: Ledger, parent: string, shares: ReadonlyMap<string, number>): Promise<void> {
    const all = Object.entries({ ...ledger.told, ...Object.fromEntries(shares) });
    // One that was removed is not asked about any more: its number need not be kept apart.
    const isRemoved = ([id]: [string, number]): boolean => !this.#parts.store.claims(id);
    const settled = ledger.settled + sum(all.filter(isRemoved).map(([, kills]) => kills));
    const told = Object.fromEntries(all.filter((entry) => !isRemoved(entry)));
    await this.#write(parent, { cgroup: ledger.cgroup, settled, told });
  }

  /** The counts are of this boot, as the run directory is. */
  async #read(): Promise<Map<string, Ledger>> {
    this.#ledgers ??= (async () => {
      const { oomLedgerFile, log } = this.#parts;
      try {
        const text = await unlessMissing(readFile(oomLedgerFile, 'utf8'), '{}');
        const ledgers = Field.parse(text, '');
        return new Map(Object.keys(ledgers.object()).map((parent) => [parent, readLedger(ledgers.at(parent))]));
      } catch (error) {
        log.warn(`${oomLedgerFile} cannot be read; OOM kills are counted anew`, { error: messageOf(error) });
        return new Map<string, Ledger>();
      }
    })();
    return this.#ledgers;
  }

  async #write(parent: string, ledger: Ledger | undefined): Promise<void> {
    const file = this.#parts.oomLedgerFile;
    const ledgers = await this.#read();
    if (ledger !== undefined) ledgers.set(parent, { cgroup: ledger.cgroup, settled: ledger.settled, told: ledger.told });
    else if (!ledgers.delete(parent)) return;
    await this.#locks.run('', async () => {
      if (ledgers.size === 0) await removeFile(file);
      else await writeFileAtomic(file, JSON.stringify(Object.fromEntries(ledgers)), { durable: false });
    });
  }
}

function placed(container: Container): PlacedContainer {
  const { id, cgroupParent } = container.record;
  return { id, cgroupParent, cgroupsPath: cgroupsPathOf(container) };
}

/** @throws in words that name the field. */
function readLedger(ledger: Field): Ledger {
  const told = ledger.at('told');
  for (const id of Object.keys(told.object())) told.at(id).number();
  return { cgroup: ledger.at('cgroup').text(), settled: ledger.at('settled').number(), told: told.object() as Ledger['told'] };
}

/** Kills that no container was found for yet. */
function unexplained(ledger: CountedLedger): number {
  return ledger.gone - ledger.settled - sum(Object.values(ledger.told));
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}
