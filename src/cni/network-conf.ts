import { chooseVersion } from './version.ts';
import type { Field } from '../base/field.ts';
import type { JsonObject } from '../base/json.ts';

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

/**
 * Reads a conf list (`.conflist`). `extraPlugins` are those of the network's folder, in order.
 * @throws InvalidArgument that names the field.
 */
export function networkFromList(list: Field, extraPlugins: readonly Field[] = []): NetworkConf {
  return {
    name: networkName(list),
    cniVersion: versionOf(list),
    disableCheck: flag(list.at('disableCheck')),
    disableGC: flag(list.at('disableGC')),
    readsFolder: !flag(list.at('loadOnlyInlinedPlugins')),
    plugins: [...(list.at('plugins').given?.list(pluginFrom) ?? []), ...extraPlugins.map(pluginFrom)],
  };
}

/**
 * Reads a single plugin's configuration (`.conf`, `.json`): a network of that one plugin.
 * @throws InvalidArgument that names the field.
 */
export function networkFromPlugin(plugin: Field): NetworkConf {
  const plugins = plugin.at('plugins').given;
  if (plugins !== undefined && plugin.at('type').value === undefined) plugins.refuse('in a file named .conflist');
  return {
    name: networkName(plugin),
    cniVersion: versionOf(plugin),
    disableCheck: false,
    disableGC: false,
    readsFolder: false,
    plugins: [pluginFrom(plugin)],
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

function pluginFrom(plugin: Field): PluginConf {
  const field = plugin.at('type');
  const type = field.asText() ?? '';
  if (type === '' || type.includes('/') || type === '.' || type === '..') field.refuse('the name of a plugin, a file name without "/"');
  const declared = Object.entries(plugin.at('capabilities').asObject()?.object() ?? {});
  return { type, capabilities: declared.filter(([, value]) => value === true).map(([name]) => name), document: plugin.object() };
}

function networkName(document: Field): string {
  const field = document.at('name');
  const name = field.asText() ?? '';
  // SPEC.md, "Network configuration format": the name ends up in paths and in firewall chains.
  return /^[A-Za-z0-9][\w.-]*$/.test(name) ? name : field.refuse('a network\'s name: a letter or digit, then only these, "_", "." and "-"');
}

function versionOf(document: Field): string {
  const { value: cniVersion } = document.at('cniVersion');
  const { value: cniVersions } = document.at('cniVersions');
  return chooseVersion(
    cniVersion === undefined ? undefined : document.at('cniVersion').text(),
    cniVersions === undefined ? undefined : document.at('cniVersions').texts(),
  );
}

/** libcni takes the text "true" and "false" for these as well. */
function flag(field: Field): boolean {
  const { value } = field;
  if (value === undefined || value === false || value === 'false') return false;
  return value === true || value === 'true' || field.refuse('true or false');
}
