import type { TomlValue } from '../config/kinds.ts';
import type { PeerTree } from './peer-tree.ts';

/** What becomes of one key of another runtime. */
export type Outcome =
  | { readonly is: 'carried'; /** Our key. */ readonly to: readonly string[]; readonly value: TomlValue }
  /** It is nothing that we need, or what we do anyway. */
  | { readonly is: 'needless'; readonly why: string }
  /** The node will not do any more what it was told here. */
  | { readonly is: 'lost'; readonly why: string };

export interface Around {
  /** What `*` of the key's pattern stands for. */
  readonly names: readonly string[];
  readonly tree: PeerTree;
  /** The value of another key, by its path; undefined where no file has it. */
  get(path: readonly string[]): TomlValue | undefined;
}

/** Decides on one key by its value and what stands around it. */
export type Rule = (value: TomlValue, around: Around) => Outcome;

/** Rules by the pattern of their key: parts in a path, each a name or `*`. */
export type Rules = readonly (readonly [pattern: string, rule: Rule])[];

/** Ends a conversion: the value cannot be carried. */
export class Lost extends Error {}

/** Ends a conversion: nothing is lost without it. */
export class Needless extends Error {}

export function needlessOutcome(why: string): Outcome {
  return { is: 'needless', why };
}

export function lostOutcome(why: string): Outcome {
  return { is: 'lost', why };
}

/**
 * The key is ours by another name.
 * @param to our key, parts parted by dots; `*` is the first name of the pattern
 * @param convert the value in our words; throws {@link Lost} or {@link Needless}
 */
export function carried(to: string, convert: (value: TomlValue, around: Around) => TomlValue = (value) => value): Rule {
  return (value, around) => {
    try {
      const ours = convert(value, around);
      return { is: 'carried', to: to.split('.').map((part) => (part === '*' ? (around.names[0] ?? part) : part)), value: ours };
    } catch (error) {
      if (error instanceof Needless) return needlessOutcome(error.message);
      if (error instanceof Lost) return lostOutcome(error.message);
      throw error;
    }
  };
}

/** The same, where an empty value says nothing. */
export function carriedUnlessEmpty(to: string, convert?: (value: TomlValue, around: Around) => TomlValue): Rule {
  const rule = carried(to, convert);
  return (value, around) => (isEmpty(value) ? needlessOutcome('empty: it says nothing') : rule(value, around));
}

/** Nothing that we have: about the other runtime itself. */
export function needless(why: string): Rule {
  return () => needlessOutcome(why);
}

/** We have no such setting. With one of the values `asHere`, or empty, nothing is lost. */
export function lost(why: string, ...asHere: readonly TomlValue[]): Rule {
  return (value) => {
    const isHere = isEmpty(value) || asHere.some((each) => JSON.stringify(each) === JSON.stringify(value));
    return isHere ? needlessOutcome('as it is here anyway') : lostOutcome(why);
  };
}

/** Nothing, or what stands for nothing: false is none of them, since it may turn something off. */
export function isEmpty(value: TomlValue | undefined): boolean {
  if (value === undefined || value === '') return true;
  return Array.isArray(value) ? value.length === 0 : typeof value === 'object' && Object.keys(value).length === 0;
}

/** A value as text: what is text already as it is, anything else as JSON. */
export function textOf(value: TomlValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A duration as Go writes it, "1h30m0s", or nanoseconds, in our words. @throws {Lost} */
export function goDuration(value: TomlValue): string {
  const ms = typeof value === 'number' ? value / 1e6 : milliseconds(textOf(value));
  if (ms === undefined || !Number.isFinite(ms)) throw new Lost(`${JSON.stringify(value)} is no duration`);
  const whole = Math.round(ms);
  return whole % 1000 === 0 ? `${whole / 1000}s` : `${whole}ms`;
}

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function milliseconds(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/([\d.]+)([a-z\u00b5]+)/g)) total += Number(count) * (UNIT_MS[unit] ?? 0);
  return total;
}

/** `HOST:PORT`, with brackets about IPv6. */
export function hostAndPort(host: string, port: TomlValue): string {
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${textOf(port)}`;
}

/** The rule of a key, and what the pattern's `*` stand for. */
export function findRule(rules: Rules, path: readonly string[]): { readonly rule: Rule; readonly names: readonly string[] } | undefined {
  for (const [pattern, rule] of rules) {
    const names = matches(pattern.split('/'), path);
    if (names !== undefined) return { rule, names };
  }
  return undefined;
}

/** A last part `**` stands for one part or more. */
function matches(pattern: readonly string[], path: readonly string[]): string[] | undefined {
  const isOpen = pattern.at(-1) === '**';
  const fixed = isOpen ? pattern.slice(0, -1) : pattern;
  if (isOpen ? path.length <= fixed.length : path.length !== fixed.length) return undefined;
  const names: string[] = [];
  for (const [index, part] of fixed.entries()) {
    if (part === '*') names.push(path[index] ?? '');
    else if (part !== path[index]) return undefined;
  }
  return names;
}
