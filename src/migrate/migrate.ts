import type { TomlValue } from '../config/kinds.ts';
import { defaultSettings, overlay } from '../config/overlay.ts';
import { writeDocument } from './document.ts';
import type { PeerTree, Setting } from './peer-tree.ts';
import { tomlKey } from './report.ts';
import type { Entry, ReportLine, SideFile } from './report.ts';
import { findRule, isEmpty, textOf } from './rule.ts';
import type { Outcome, Rules } from './rule.ts';

/** Another runtime, and what its configuration says. */
export interface Peer {
  readonly name: string;
  readonly tree: PeerTree;
  /** The files read, in their order. */
  readonly files: readonly string[];
  readonly rules: Rules;
  /** What it does where no file says anything, and we would not. */
  readonly builtIn: readonly (readonly [pattern: string, value: TomlValue])[];
  /** The table of its runtime handlers. */
  readonly handlersAt: readonly string[];
  /** Why a handler cannot be one of ours; undefined where it can. */
  refusal(handler: string): string | undefined;
  /** What is decided on all at once: its lines are in the report, and its keys are asked no rule. */
  readonly apart?: Apart;
}

export interface Apart {
  readonly settings: ReadonlySet<Setting>;
  readonly lines: readonly ReportLine[];
  readonly entries: readonly Entry[];
  readonly files: readonly SideFile[];
}

export interface Migration {
  readonly files: readonly string[];
  readonly lines: readonly ReportLine[];
  /** Our configuration. */
  readonly toml: string;
  readonly sideFiles: readonly SideFile[];
}

/** Our configuration for a node that has another runtime's, and what became of each key of it. */
export function migrate(peer: Peer): Migration {
  const lines: ReportLine[] = [...(peer.apart?.lines ?? [])];
  const entries: Entry[] = [...(peer.apart?.entries ?? [])];
  peer.tree.lay(builtIn(peer)); // first: rules look at keys beside their own
  for (const setting of peer.tree.all()) {
    if (peer.apart?.settings.has(setting) === true || isKnownTable(peer, setting)) continue;
    const { line, entry } = decide(peer, setting);
    lines.push(line);
    if (entry !== undefined) entries.push(entry);
  }
  const handlers = peer.tree.namesIn(peer.handlersAt).filter((name) => peer.refusal(name) === undefined && isHandlerName(name));
  return { files: peer.files, lines, toml: writeDocument(peer.name, peer.files, entries, handlers), sideFiles: peer.apart?.files ?? [] };
}

/** Whether something that the node was told to do is lost, or may be. */
export function losesSomething({ lines }: Migration): boolean {
  return lines.some(({ fate }) => fate === 'lost' || fate === 'unknown');
}

function builtIn({ name, tree, builtIn: given }: Peer): Setting[] {
  return given
    .map(([pattern, value]) => ({ path: pattern.split('/'), value, file: `built into ${name}` }))
    .filter(({ path }) => isEmpty(tree.at(path)?.value) && typeof tree.at(path)?.value !== 'object');
}

/** An empty table says nothing, where there is such a table at all. */
function isKnownTable({ rules }: Peer, { path, value }: Setting): boolean {
  if (typeof value !== 'object' || Array.isArray(value) || !isEmpty(value)) return false;
  return rules.some(([pattern]) => {
    const parts = pattern.split('/');
    return (
      parts.length > path.length && path.every((part, index) => parts[index] === '*' || parts[index] === part || parts[index] === '**')
    );
  });
}

function decide(peer: Peer, setting: Setting): { readonly line: ReportLine; readonly entry?: Entry } {
  const { path, file, line: at } = setting;
  const where = { key: tomlKey(path), file, ...(at === undefined ? {} : { line: at }) };
  const found = findRule(peer.rules, path);
  if (found === undefined) return { line: { fate: 'unknown', ...where, why: `${peer.name} has no such key that is known here` } };
  const outcome = outcomeOf(peer, setting, found);
  if (outcome.is !== 'carried') return { line: { fate: outcome.is, ...where, why: outcome.why } };
  const problem = problemOf(outcome.to, outcome.value);
  if (problem !== undefined) return { line: { fate: 'lost', ...where, why: problem } };
  const { to, value } = outcome;
  const from = at === undefined ? `${where.key}, ${file}` : `${where.key}, ${file}:${at}`;
  return { line: { fate: 'carried', ...where, to: tomlKey(to), value }, entry: { to, value, from } };
}

type Found = NonNullable<ReturnType<typeof findRule>>;

function outcomeOf(peer: Peer, { path, value }: Setting, { rule, names }: Found): Outcome {
  const { tree, handlersAt } = peer;
  const isOfHandler = path.length > handlersAt.length && handlersAt.every((part, index) => path[index] === part);
  const refusal = isOfHandler ? peer.refusal(path[handlersAt.length] ?? '') : undefined;
  if (refusal !== undefined) return { is: 'lost', why: refusal };
  const outcome = rule(value, { names, tree, get: (at) => tree.at(at)?.value });
  if (outcome.is !== 'carried' || outcome.to.join('.') !== 'runtime.default') return outcome;
  const ofDefault = peer.refusal(textOf(outcome.value));
  return ofDefault === undefined ? outcome : { is: 'lost', why: `${textOf(outcome.value)} cannot be carried: ${ofDefault}` };
}

/** What is wrong with a value for our key; undefined where nothing is. */
function problemOf(to: readonly string[], value: TomlValue): string | undefined {
  const tree = to.reduceRight<TomlValue>((inner, name) => ({ [name]: inner }), value);
  return overlay(defaultSettings(), tree as object, 'here')[0]?.replace(/^here: /, '');
}

function isHandlerName(name: string): boolean {
  return problemOf(['runtime', 'handlers', name], {}) === undefined;
}
