import type { Config } from '../config/schema.ts';
import { messageOf } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { silentLog } from '../base/log.ts';
import { ConfDirectory } from '../cni/conf-directory.ts';
import type { PluginConf } from '../cni/network-conf.ts';
import { PluginRunner } from '../cni/plugin.ts';
import { PluginFinder } from '../cni/plugin-finder.ts';
import { findingsOf, type Finding } from './finding.ts';

/** What was found of one CNI configuration directory. */
export interface NetworkFacts {
  readonly directory: string;
  /** The runtime handlers whose pods it is for; empty: the node's. */
  readonly handlers: readonly string[];
  readonly network: { readonly name: string; readonly file: string; readonly cniVersion: string } | undefined;
  /** Why there is none. */
  readonly problem: string;
  readonly skipped: readonly { readonly file: string; readonly error: string }[];
  readonly plugins: readonly PluginFacts[];
}

export interface PluginFacts {
  readonly type: string;
  readonly capabilities: readonly string[];
  /** The versions of the spec that it says it knows; undefined where it did not say. */
  readonly versions: readonly string[] | undefined;
  /** Why it cannot be run, or did not say. */
  readonly fault?: string;
}

/** How long a plugin may take to say its versions, milliseconds. */
const VERSION_MS = 3_000;

export async function readNetworkFacts({ cni, runtime }: Pick<Config, 'cni' | 'runtime'>): Promise<NetworkFacts[]> {
  const handlersOf = new Map<string, string[]>([[cni.confDir, []]]);
  for (const [name, { cniConfDir }] of Object.entries(runtime.handlers)) {
    if (cniConfDir === '' || cniConfDir === cni.confDir) continue;
    handlersOf.set(cniConfDir, [...(handlersOf.get(cniConfDir) ?? []), name]);
  }
  const runner = new PluginRunner(new PluginFinder(cni.binDirs), silentLog);
  return Promise.all(
    [...handlersOf].map(async ([dir, handlers]) => {
      const isNodes = dir === cni.confDir;
      const directory = new ConfDirectory({ dir, log: silentLog, ...(isNodes && cni.defaultNetwork !== '' ? { networkName: cni.defaultNetwork } : {}) }); // prettier-ignore
      await directory.rescan();
      directory.close();
      const { current, problem, skipped } = directory;
      const network =
        current === undefined ? undefined : { name: current.conf.name, file: current.file, cniVersion: current.conf.cniVersion };
      const { name = '', cniVersion = '' } = network ?? {};
      const plugins = await Promise.all((current?.conf.plugins ?? []).map(async (plugin) => ask(runner, plugin, name, cniVersion)));
      return { directory: dir, handlers, network, problem: current === undefined ? problem : '', skipped, plugins };
    }),
  );
}

async function ask(runner: PluginRunner, { type, capabilities }: PluginConf, network: string, cniVersion: string): Promise<PluginFacts> {
  try {
    const answer = await runner.call({ command: 'VERSION', network, type }, { cniVersion }, { timeoutMs: VERSION_MS });
    const told = isObject(answer) ? answer['supportedVersions'] : undefined;
    return { type, capabilities, versions: Array.isArray(told) ? told.map(String) : [] };
  } catch (error) {
    return { type, capabilities, versions: undefined, fault: messageOf(error) };
  }
}

const { ok, note, warning, error } = findingsOf('network');

export function judgeNetworks(networks: readonly NetworkFacts[], binDirs: readonly string[]): Finding[] {
  return networks.flatMap((network) => judge(network, binDirs));
}

function judge({ directory, handlers, network, problem, skipped, plugins }: NetworkFacts, binDirs: readonly string[]): Finding[] {
  const whose = handlers.length === 0 ? '' : `, for pods of runtime handler ${handlers.join(', ')}`;
  const broken = skipped.map(({ file, error: words }) =>
    warning(`${file} is not used: ${words}`, { must: 'a CNI configuration', advice: 'Mend it, or take it away.' }),
  );
  if (network === undefined)
    return [
      error(`${problem}${whose}: the node is not ready`, {
        must: `a CNI configuration in ${directory}`,
        advice: 'Install the network of the cluster (its pods write it), or for one node deploy/10-podwright-bridge.conflist.',
      }),
      ...broken,
    ];
  const found = ok(`network "${network.name}" of ${network.file}, CNI ${network.cniVersion}: ${plugins.map(({ type }) => type).join(', ')}${whose}`); // prettier-ignore
  const ports = plugins.some(({ capabilities }) => capabilities.includes('portMappings'));
  return [
    found,
    ...broken,
    ...plugins.flatMap((plugin) => judgePlugin(plugin, network, binDirs)),
    ...(ports
      ? []
      : [
          note(`no plugin of "${network.name}" takes port mappings: hostPort of pods does nothing, unless the network does it by itself`, {
            advice: 'Add {"type": "portmap", "capabilities": {"portMappings": true}} to its plugins.',
          }),
        ]),
  ];
}

function judgePlugin(
  { type, versions, fault }: PluginFacts,
  { file, cniVersion }: { file: string; cniVersion: string },
  binDirs: readonly string[],
): Finding[] {
  // prettier-ignore
  if (fault?.includes('not found in') === true)
    return [
      error(`plugin ${type} of ${file} is not there`, {
        must: `an executable ${type} in ${binDirs.join(' or ')}`,
        advice: 'Install it (Debian: containernetworking-plugins), or set cni.bin_dirs.',
      }),
    ];
  if (fault !== undefined)
    return [warning(`plugin ${type} does not say its versions: ${fault}`, { must: 'an answer to VERSION', advice: 'Run it by hand with CNI_COMMAND=VERSION.' })]; // prettier-ignore
  if (versions === undefined || versions.length === 0 || versions.includes(cniVersion)) return [];
  return [
    error(`plugin ${type} knows CNI ${versions.join(', ')}, and ${file} is of ${cniVersion}`, {
      must: `a plugin that knows ${cniVersion}`,
      advice: `Install newer plugins, or write "cniVersion": "${versions.at(-1) ?? ''}" in ${file}.`,
    }),
  ];
}
