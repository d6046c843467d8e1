import { chooseVersion } from './version.ts';

/** A JSON object as it was read. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** One plugin of a network's chain. */
export interface PluginConf {
  /** The name of its binary. */
  readonly type: string;
  /** The capabilities that this entry declares as true; it gets the arguments of no others. */
  readonly capabilities: readonly string[];
  /** The whole entry, handed to the plugin. */
  readonly document: JsonObject;
}

/** A network: a CNI conf list, checked. */
export interface NetworkConf {
  readonly name: string;
  /** The version that the plugins are called with. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** Whether plugins are read from the folder `<name>` beside the file too (libcni 1.3, `loadOnlyInlinedPlugins`). */
  readonly readsFolder: boolean;
  readonly plugins: readonly PluginConf[];
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws Error that says what is wrong, without the file's name. */
export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (!isJsonObject(value)) throw new Error('not a JSON object');
  return value;
}

/**
 * Reads a conf list (`.conflist`). `extraPlugins` are those of the network's folder, in order.
 * @throws Error that says which field is wrong.
 */
export function networkFromList(document: JsonObject, extraPlugins: readonly JsonObject[] = []): NetworkConf {
  const inlined = document['plugins'] ?? [];
  if (!Array.isArray(inlined)) throw new Error(`"plugins" is ${typeof inlined}, must be a list of plugins`);
  const plugins = [...(inlined as unknown[]), ...extraPlugins].map((plugin, index) => pluginFrom(plugin, `plugins[${index}]`));
  return {
    name: networkName(document),
    cniVersion: versionOf(document),
    disableCheck: flag(document, 'disableCheck'),
    disableGC: flag(document, 'disableGC'),
    readsFolder: !flag(document, 'loadOnlyInlinedPlugins'),
    plugins,
  };
}

/**
 * Reads a single plugin's configuration (`.conf`, `.json`): a network of that one plugin.
 * @throws Error that says which field is wrong.
 */
export function networkFromPlugin(document: JsonObject): NetworkConf {
  if (document['type'] === undefined && document['plugins'] !== undefined) {
    throw new Error('has "plugins" but no "type": a list of plugins must be in a file named .conflist');
  }
  return {
    name: networkName(document),
    cniVersion: versionOf(document),
    disableCheck: false,
    disableGC: false,
    readsFolder: false,
    plugins: [pluginFrom(document, '')],
  };
}

/** The network as a JSON document that {@link networkFromList} reads back, for the attachment record. */
export function documentOf(conf: NetworkConf): JsonObject {
  return {
    cniVersion: conf.cniVersion,
    name: conf.name,
    disableCheck: conf.disableCheck,
    disableGC: conf.disableGC,
    loadOnlyInlinedPlugins: true,
    plugins: conf.plugins.map((plugin) => plugin.document),
  };
}

function pluginFrom(document: unknown, where: string): PluginConf {
  if (!isJsonObject(document)) throw new Error(`"${where}" is not an object, must be a plugin's configuration`);
  const typeField = where === '' ? '"type"' : `"${where}.type"`;
  const { type, capabilities } = document;
  if (typeof type !== 'string' || type === '') throw new Error(`${typeField} is missing, must be the name of a plugin`);
  if (type.includes('/') || type === '.' || type === '..') throw new Error(`${typeField} is "${type}", must be a file name without "/"`);
  const declared = isJsonObject(capabilities) ? Object.entries(capabilities) : [];
  return { type, capabilities: declared.filter(([, value]) => value === true).map(([name]) => name), document };
}

function networkName(document: JsonObject): string {
  const { name } = document;
  if (typeof name !== 'string' || name === '') throw new Error('"name" is missing, must be the network\'s name');
  // SPEC.md, "Network configuration format": the name ends up in paths and in firewall chains.
  if (!/^[A-Za-z0-9][\w.-]*$/.test(name)) {
    throw new Error(`"name" is "${name}", must start with a letter or digit and have only letters, digits, "_", "." and "-"`);
  }
  return name;
}

function versionOf(document: JsonObject): string {
  const { cniVersion, cniVersions } = document;
  if (cniVersion !== undefined && typeof cniVersion !== 'string') throw new Error(`"cniVersion" is ${typeof cniVersion}, must be text`);
  if (cniVersions !== undefined && !isTextList(cniVersions)) throw new Error('"cniVersions" is not a list of versions');
  return chooseVersion(cniVersion, cniVersions);
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** libcni takes the text "true" and "false" for these as well. */
function flag(document: JsonObject, name: string): boolean {
  const value = document[name];
  if (value === undefined || value === false || value === 'false') return false;
  if (value === true || value === 'true') return true;
  throw new Error(`"${name}" is ${JSON.stringify(value)}, must be true or false`);
}
