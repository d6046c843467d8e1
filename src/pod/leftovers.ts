import { settledWithin, sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isPinned } from '../linux/namespaces.ts';
import { isAlive } from '../linux/process.ts';
import { inventoryOf, type InventoryKind } from './inventory.ts';
import type { RestoreParts } from './restore.ts';

/** One thing that is there and that no record claims, or that a record claims and that is not there. */
export interface Difference {
  readonly kind: InventoryKind['kind'] | 'process' | 'monitor';
  readonly name: string;
}

/** What exists under our directories and names against what the records claim. */
export interface InventoryDifference {
  readonly unclaimed: readonly Difference[];
  readonly missing: readonly Difference[];
}

/** Compares every adapter's list of what exists with every store's list of what it claims. */
export async function compareInventory(parts: RestoreParts): Promise<InventoryDifference> {
  const unclaimed = await findUnclaimed(inventoryOf(parts));
  return { unclaimed: unclaimed.map(({ row, id }) => ({ kind: row.kind, name: id })), missing: await findMissing(parts) };
}

/** In the order of the kinds. What is being made meanwhile is claimed: its record was there before it. */
async function findUnclaimed(kinds: readonly InventoryKind[]): Promise<{ readonly row: InventoryKind; readonly id: string }[]> {
  const found: { row: InventoryKind; id: string }[] = [];
  for (const row of kinds) for (const id of await row.list()) if (!row.isClaimed(id)) found.push({ row, id });
  return found;
}

/** How long after its end a container's end is on record, milliseconds, on a busy node too. */
const SETTLE_MS = 2_000;

/** What records claim that is not there. What ends meanwhile is on record a moment later: only what both of two looks find is missing. */
export async function findMissing(parts: RestoreParts): Promise<Difference[]> {
  const first = await lookForMissing(parts);
  if (first.length === 0) return first;
  await sleep(SETTLE_MS);
  const again = new Set((await lookForMissing(parts)).map(({ kind, name }) => `${kind} ${name}`));
  return first.filter(({ kind, name }) => again.has(`${kind} ${name}`));
}

async function lookForMissing(parts: RestoreParts): Promise<Difference[]> {
  const missing: Difference[] = [];
  for (const { record, state } of parts.sandboxes.list()) {
    if (state.is !== 'Ready') continue;
    for (const path of Object.values(parts.sandboxes.pathsOf(record.id).namespacesOf(record))) {
      if (path !== 'host' && !isPinned(path)) missing.push({ kind: 'namespace', name: path });
    }
  }
  for (const { record, state } of parts.containers.list()) {
    if (state.is !== 'Running') continue;
    if (!(await isAlive(state.process))) missing.push({ kind: 'process', name: `${state.process.pid} of container ${record.id}` });
    if (!(await isAlive(state.monitor))) missing.push({ kind: 'monitor', name: `${state.monitor.pid} of container ${record.id}` });
  }
  return missing;
}

/** How long the removal of one thing is waited for, milliseconds: its network plugins and its runtime have a minute each. */
const REMOVE_MS = 120_000;

/** What became of one thing that no record claims. */
export interface Removal {
  readonly row: InventoryKind;
  readonly id: string;
  /** Why it is still there, in words. */
  readonly error?: string;
}

export type TellRemoval = (removal: Removal) => void;

/**
 * Removes what no record claims: what a bad record left behind. A failure for one thing is logged and does not stop the rest.
 * All of it is found before any of it is removed. `told` hears of each thing as it is done with.
 */
export async function removeUnclaimed(kinds: readonly InventoryKind[], log: Log, told: TellRemoval = () => undefined): Promise<void> {
  for (const thing of await findUnclaimed(kinds)) told(await removeOne(thing, log));
}

async function removeOne({ row, id }: { readonly row: InventoryKind; readonly id: string }, log: Log): Promise<Removal> {
  try {
    await row.remove(id);
    log.warn(`removed what no record claims: ${row.kind}`, row.fields(id));
    return { row, id };
  } catch (error) {
    log.error(`removing what no record claims failed: ${row.kind}`, { ...row.fields(id), error: messageOf(error) });
    return { row, id, error: messageOf(error) };
  }
}

/**
 * Removes, while calls are served, what no record claims. The rule is that of the start: a record is there before the first effect
 * of its object and goes after the last, and an id is never used again. What is on its way out while it is looked at is seen twice
 * or not at all: only what both of two looks find is a leak. `told` hears of each thing as it is done with.
 */
export async function fixLeaks(kinds: readonly InventoryKind[], log: Log, signal: AbortSignal, told: TellRemoval): Promise<void> {
  const first = new Set((await findUnclaimed(kinds)).map(keyOf));
  if (first.size === 0) return;
  const found = (await findUnclaimed(kinds)).filter((thing) => first.has(keyOf(thing)));
  for (const thing of found) {
    if (signal.aborted) {
      told({ ...thing, error: `its turn did not come: ${messageOf(signal.reason)}` });
      continue;
    }
    const removing = removeOne(thing, log);
    const inTime = await settledWithin(removing, REMOVE_MS);
    told(inTime ? await removing : { ...thing, error: `not removed after ${REMOVE_MS / 1000} s; this goes on` });
  }
}

function keyOf({ row, id }: { readonly row: InventoryKind; readonly id: string }): string {
  return `${row.kind} ${id}`;
}
