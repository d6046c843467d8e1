import { DaemonError } from '../base/errors.ts';
import type { Kind, TomlValue } from './kinds.ts';
import type { FlagSetting } from './load.ts';
import { tomlName } from './schema-nodes.ts';
import type { Flag, SchemaKeys } from './schema-nodes.ts';
import { schema } from './schema.ts';

/** A flag of `podwright serve` that sets a key of the configuration. */
export interface ConfigFlag extends Flag {
  /** `--cni-bin-dir` */
  readonly name: string;
  readonly doc: string;
  /** All texts that it may be, where these are few. */
  readonly choices: readonly string[];
  /** What the texts given for it say, as a configuration file would have said it. */
  setting(values: readonly string[]): FlagSetting;
}

/** They are asked for by every command that is declared. */
let all: readonly ConfigFlag[] | undefined;

/** Every flag of the schema, in its order. */
export function configFlags(): readonly ConfigFlag[] {
  return (all ??= flagsOf(schema, []));
}

function flagsOf(keys: SchemaKeys, path: readonly string[]): ConfigFlag[] {
  return Object.entries(keys).flatMap(([key, node]) => {
    const inner = [...path, tomlName(key, node)];
    if (node.node === 'section') return flagsOf(node.keys, inner);
    if (node.flag === undefined) return [];
    const { usage, repeatable } = node.flag;
    const [name = usage] = usage.split(' ');
    const read = node.node === 'named' ? readNamed : repeatable === true ? readList : readLast;
    const choices = node.node === 'key' ? ((node.kind as Kind<unknown>).choices ?? []) : [];
    return [{ ...node.flag, name, doc: node.doc, choices, setting: (values) => ({ flag: name, tree: treeOf(inner, read(values, name)) }) }];
  });
}

const readList = (values: readonly string[]): TomlValue => values;
const readLast = (values: readonly string[]): TomlValue => values.at(-1) ?? '';

/** NAME=PATH: the entry's `path`. */
function readNamed(values: readonly string[], flag: string): TomlValue {
  const entries = values.map((value) => {
    const [, name, path] = /^([^=]+)=(.+)$/.exec(value) ?? [];
    if (name === undefined || path === undefined) throw new DaemonError('InvalidArgument', `${flag}: is "${value}", must be NAME=PATH`);
    return [name, { path }] as const;
  });
  return Object.fromEntries(entries);
}

function treeOf(path: readonly string[], value: TomlValue): FlagSetting['tree'] {
  const [last = '', ...outer] = [...path].reverse();
  return outer.reduce<FlagSetting['tree']>((tree, name) => ({ [name]: tree }), { [last]: value });
}
