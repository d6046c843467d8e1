/** Merging of what has names: lists such as mounts, and maps such as annotations. */
import type { Field } from '../../../api/nri/enums.ts';
import type { Owners } from './owners.ts';
import { needName, refuse } from './refusal.ts';
import { parseKey, removalOf } from './removal.ts';

/** For which container which plugin has answered. */
export interface Answer {
  readonly owners: Owners;
  readonly container: string;
  readonly plugin: string;
}

/** How the items of a list are named. */
export interface ListKind<T, Seen> {
  readonly field: Field;
  /** The name of an item as the plugin wrote it, with its minus. */
  readonly keyOf: (item: T) => string;
  /** What a refusal calls an item that has no name. */
  readonly nameless: string;
  /** What is wrong with a name that is not empty; undefined: nothing. */
  readonly wrong?: (key: string) => string | undefined;
  /** An item as the next plugin sees it in the container, and the name of such a one. */
  readonly seenOf: (item: T) => Seen;
  readonly seenKeyOf: (seen: Seen) => string;
}

/**
 * What a list of adjustments and the container's own list are after an answer. An item takes the place of the container's own of
 * its name. A removal takes away what an earlier plugin has set, and stays in the adjustments, unless the same answer sets it anew:
 * the container may have an item of that name itself.
 *
 * The module (pkg/adaptation/result.go) drops the removals of environment variables and devices here, so that its plugins cannot
 * take away the container's own.
 */
export function mergeList<T, Seen>(
  kind: ListKind<T, Seen>,
  { owners, container, plugin }: Answer,
  answered: readonly T[],
  { collected, seen }: { readonly collected: readonly T[]; readonly seen: readonly Seen[] },
): { collected: T[]; seen: Seen[] } {
  const removals = new Map<string, T>();
  const set = new Map<string, T>();
  const added: T[] = [];
  for (const item of answered) {
    const { key, removal } = parseKey(kind.keyOf(item));
    needName(key, plugin, kind.nameless);
    const wrong = kind.wrong?.(key);
    if (wrong !== undefined) refuse(plugin, wrong);
    (removal ? removals : set).set(key, item);
    if (!removal) added.push(item);
  }
  const kept = collected.filter((item) => {
    const key = kind.keyOf(item);
    if (!removals.has(key)) return true;
    owners.clear(container, plugin, { field: kind.field, key });
    return false;
  });
  for (const item of added) owners.claim(container, plugin, { field: kind.field, key: kind.keyOf(item) });
  const marks = [...removals].filter(([key]) => !set.has(key)).map(([, item]) => item);
  const others = seen.filter((item) => !removals.has(kind.seenKeyOf(item)) && !set.has(kind.seenKeyOf(item)));
  return { collected: [...kept, ...added, ...marks], seen: [...others, ...added.map(kind.seenOf)] };
}

/** How the entries of a map are named. */
export interface MapKind<T> {
  readonly field: Field;
  readonly nameless: string;
  /** The value of an entry that stands for a removal. */
  readonly removed: () => T;
  /** Whether a removal has its owner too, under its name with the minus, for validators to see it. */
  readonly ownedRemovals?: boolean;
}

/**
 * What a map of adjustments and the container's own map are after an answer. Where both `NAME` and `-NAME` are in the adjustments, the
 * removal comes first.
 *
 * In the module a removal leaves what an earlier plugin has set beside itself, and chance decides which of the two is done; what
 * the next plugin sees still has the entry; and a sysctl's removal ends up among the annotations (mended after 0.12.0).
 */
export function mergeMap<T>(
  kind: MapKind<T>,
  { owners, container, plugin }: Answer,
  answered: Readonly<Record<string, T>>,
  { collected, seen }: { readonly collected: Readonly<Record<string, T>>; readonly seen: Readonly<Record<string, T>> },
): { collected: Record<string, T>; seen: Record<string, T> } {
  const parsed = Object.entries(answered).map(([name, value]) => ({ ...parseKey(name), value }));
  const set = new Set(parsed.filter(({ removal }) => !removal).map(({ key }) => key));
  // Maps, since an object loses an entry that is called __proto__.
  const merged = new Map(Object.entries(collected));
  const view = new Map(Object.entries(seen));
  for (const { key, removal } of parsed) {
    needName(key, plugin, kind.nameless);
    if (!removal) continue;
    if (merged.delete(key) || set.has(key)) owners.clear(container, plugin, { field: kind.field, key });
    if (kind.ownedRemovals === true && !set.has(key)) owners.note(container, plugin, { field: kind.field, key: removalOf(key) });
    view.delete(key);
    merged.set(removalOf(key), kind.removed());
  }
  for (const { key, removal, value } of parsed) {
    if (removal) continue;
    owners.claim(container, plugin, { field: kind.field, key });
    merged.set(key, value);
    view.set(key, value);
  }
  return { collected: Object.fromEntries(merged), seen: Object.fromEntries(view) };
}
