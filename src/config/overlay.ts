import { messageOf } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { tomlName } from './schema-nodes.ts';
import type { Named, SchemaKeys, SchemaNode } from './schema-nodes.ts';
import { schema } from './schema.ts';
import type { RuntimeHandlerConfig, Settings } from './schema.ts';

/** Settings under construction, in the shape of {@link Settings}. */
type Draft = Record<string, unknown>;

/** The settings of a machine without any configuration. */
export function defaultSettings(): Settings {
  return defaultsOf(schema) as unknown as Settings;
}

/** A runtime handler of which nothing is configured. */
export function handlerDefaults(): RuntimeHandlerConfig {
  return defaultsOf(schema.runtime.keys.handlers.entry) as unknown as RuntimeHandlerConfig;
}

function defaultsOf(keys: SchemaKeys): Draft {
  return Object.fromEntries(Object.entries(keys).map(([name, node]) => [name, defaultOf(node)]));
}

function defaultOf(node: SchemaNode): unknown {
  if (node.node === 'section') return defaultsOf(node.keys);
  if (node.node === 'named') return Object.fromEntries(node.names.map((name) => [name, defaultsOf(node.entry)]));
  return structuredClone<unknown>(node.default);
}

/**
 * Lays what one source says over the settings.
 * @param origin the file or flag, for the problems' words
 * @returns what is wrong with it, a sentence each: `FILE: cni.conf_dir: is 7, must be an absolute path`
 */
export function overlay(settings: Settings, source: object, origin: string): string[] {
  const problems: string[] = [];
  overlayKeys(settings, source, schema, '', (key, words) => problems.push(`${origin}: ${key}: ${words}`));
  return problems;
}

type Refuse = (key: string, words: string) => void;

function overlayKeys(draft: Draft, source: object, keys: SchemaKeys, path: string, refuse: Refuse): void {
  const known = new Map(Object.entries(keys).map(([name, node]) => [tomlName(name, node), { name, node }]));
  for (const [tomlKey, value] of Object.entries(source) as [string, unknown][]) {
    const found = known.get(tomlKey);
    if (found === undefined) refuse(path + tomlKey, `unknown key, must be one of ${[...known.keys()].join(', ')}`);
    else overlayNode(draft, found.name, value, found.node, path + tomlKey, refuse);
  }
}

function overlayNode(draft: Draft, name: string, value: unknown, node: SchemaNode, path: string, refuse: Refuse): void {
  if (node.node === 'key') {
    try {
      draft[name] = node.kind.read(value);
    } catch (error) {
      refuse(path, messageOf(error));
    }
  } else if (!isObject(value) || value instanceof Date) {
    refuse(path, `is ${JSON.stringify(value)}, must be a table`);
  } else if (node.node === 'section') {
    overlayKeys(draft[name] as Draft, value, node.keys, `${path}.`, refuse);
  } else {
    overlayEntries(draft[name] as Draft, value, node, path, refuse);
  }
}

/** An entry that several sources name is one entry, laid over key by key. */
function overlayEntries(draft: Draft, source: object, node: Named<SchemaKeys>, path: string, refuse: Refuse): void {
  for (const [entry, value] of Object.entries(source) as [string, unknown][]) {
    if (!/^[A-Za-z0-9][\w.-]*$/.test(entry)) {
      refuse(`${path}.${entry}`, 'is no name, must be letters, digits, dots and dashes');
      continue;
    }
    if (!isObject(value) || value instanceof Date) {
      refuse(`${path}.${entry}`, `is ${JSON.stringify(value)}, must be a table`);
      continue;
    }
    if (!Object.hasOwn(draft, entry)) draft[entry] = defaultsOf(node.entry);
    overlayKeys(draft[entry] as Draft, value, node.entry, `${path}.${entry}.`, refuse);
  }
}
