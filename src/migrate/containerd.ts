import { glob } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { fail } from '../base/errors.ts';
import { containerdBuiltIn, containerdKeys, CONTAINERD_CAPABILITIES, CRI, CRI_IMAGES, CRI_RUNTIME } from './containerd-keys.ts';
import { migrateRegistries } from './containerd-registries.ts';
import type { Peer } from './migrate.ts';
import { PeerTree, readPeerFile } from './peer-tree.ts';
import type { PeerFile } from './peer-tree.ts';
import type { ReportLine } from './report.ts';
import { isEmpty, textOf } from './rule.ts';

export const CONTAINERD_FILE = '/etc/containerd/config.toml';

const OCI_TYPES = ['', 'io.containerd.runc.v1', 'io.containerd.runc.v2', 'io.containerd.runsc.v1', 'io.containerd.runtime.v1.linux'];

/**
 * containerd's configuration: the file, and what it imports; the later wins, key by key.
 * @param registryDirectory where files for registries are to be; undefined: nowhere
 * @throws {DaemonError} InvalidArgument that names the file that is wrong
 */
export async function readContainerd(file: string, registryDirectory: string | undefined): Promise<Peer> {
  const files = await readWithImports(file);
  const tree = new PeerTree();
  let version = 0;
  for (const { path, settings } of files) {
    const given = settings.find(({ path: key }) => key.length === 1 && key[0] === 'version')?.value ?? 1;
    if (given !== 2 && given !== 3 && given !== 4)
      fail(
        'InvalidArgument',
        `${path}: version is ${JSON.stringify(given)}, must be 2, 3 or 4: containerd config migrate makes a later one of version 1`,
      );
    if (version !== 0 && given !== version)
      fail(
        'InvalidArgument',
        `${path}: version is ${given}, must be ${version} as in ${files[0]?.path ?? file}: containerd config migrate changes it`,
      );
    version = given;
    tree.lay(settings);
  }
  return containerd(tree, files, version, registryDirectory);
}

function containerd(tree: PeerTree, files: readonly PeerFile[], version: number, registryDirectory: string | undefined): Peer {
  const plugin = version === 2 ? CRI : CRI_RUNTIME;
  const handlersAt = ['plugins', plugin, 'containerd', 'runtimes'];
  const chosen = textOf(tree.at(['plugins', plugin, 'containerd', 'default_runtime_name'])?.value ?? 'runc');
  if (tree.namesIn(handlersAt).length === 0)
    tree.lay([{ path: [...handlersAt, 'runc', 'runtime_type'], value: 'io.containerd.runc.v2', file: 'built into containerd' }]);
  const systemd = [...handlersAt, chosen, 'options', 'SystemdCgroup'];
  if (tree.at(systemd) === undefined) tree.lay([{ path: systemd, value: false, file: 'built into containerd' }]);
  const registries = migrateRegistries(tree, ['plugins', version === 2 ? CRI : CRI_IMAGES, 'registry'], registryDirectory);
  const capabilities = {
    to: ['default_capabilities'],
    value: CONTAINERD_CAPABILITIES,
    from: 'built into containerd; ours without this are fewer',
  };
  return {
    name: 'containerd',
    tree,
    files: files.map(({ path }) => path),
    rules: containerdKeys(version),
    builtIn: containerdBuiltIn(version).filter(
      ([pattern]) => !pattern.endsWith('/cni/bin_dirs') || isEmpty(tree.at(['plugins', plugin, 'cni', 'bin_dir'])?.value),
    ),
    handlersAt,
    refusal(name) {
      const type = tree.at([...handlersAt, name, 'runtime_type'])?.value ?? '';
      return OCI_TYPES.includes(textOf(type))
        ? undefined
        : `handler ${name}: its runtime_type is ${JSON.stringify(type)}, must be that of an OCI runtime: other shims are not supported`;
    },
    apart: {
      ...registries,
      lines: [...registries.lines, ...partlyReplaced(files, version), carriedCapabilities()],
      entries: [...registries.entries, capabilities],
    },
  };
}

function carriedCapabilities(): ReportLine {
  const key = 'capabilities of a container that asks for nothing';
  return { fate: 'carried', key, file: 'built into containerd', to: 'default_capabilities', value: CONTAINERD_CAPABILITIES };
}

/** containerd 1.x takes the whole table of the later file, 2.x lays key over key, and a file of version 2 may be for both. */
function partlyReplaced(files: readonly PeerFile[], version: number): ReportLine[] {
  if (version !== 2) return [];
  const seen = new Map<string, string>();
  const lines: ReportLine[] = [];
  for (const { path: file, settings } of files) {
    const plugins = new Map(settings.filter(({ path }) => path[0] === 'plugins').map(({ path, line }) => [path[1] ?? '', line ?? 1]));
    for (const [plugin, line] of plugins) {
      const before = seen.get(plugin);
      seen.set(plugin, file);
      if (before === undefined) continue;
      const why = `the table is in ${before} too: laid over it key by key, as containerd 2.x does; containerd 1.x takes this one alone`;
      lines.push({ fate: 'lost', key: `plugins.${JSON.stringify(plugin)}`, file, line, why });
    }
  }
  return lines;
}

/** The file and what it imports, in the order in which containerd lays them; each once. */
async function readWithImports(first: string): Promise<PeerFile[]> {
  const files: PeerFile[] = [];
  const pending = [first];
  for (let path = pending.shift(); path !== undefined; path = pending.shift()) {
    if (files.some((file) => file.path === path)) continue;
    const file = await readPeerFile(path);
    files.push(file);
    const imports = file.settings.find(({ path: key }) => key.length === 1 && key[0] === 'imports')?.value;
    for (const pattern of Array.isArray(imports) ? (imports as string[]) : []) pending.push(...(await resolveImport(path, pattern)));
  }
  return files;
}

async function resolveImport(parent: string, given: string): Promise<string[]> {
  const pattern = isAbsolute(given) ? normalize(given) : join(dirname(parent), given);
  if (!pattern.includes('*')) return [pattern];
  const found: string[] = [];
  for await (const path of glob(pattern)) found.push(path);
  return found.sort();
}
