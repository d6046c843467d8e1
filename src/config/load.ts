import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { PREPARED_PATH_LIMIT_BYTES } from '../base/socket-place.ts';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { AUTO, detectHost, resolveSettings } from './resolve.ts';
import type { Host } from './resolve.ts';
import { defaultSettings, overlay } from './overlay.ts';
import type { TomlValue } from './kinds.ts';
import type { Config } from './schema.ts';

export const DEFAULT_CONFIG_FILE = '/etc/podwright/podwright.toml';
export const DEFAULT_CONFIG_DIRECTORY = '/etc/podwright/conf.d';

/** Where the configuration comes from; the later wins: file, drop-ins in name order, flags. */
export interface ConfigSources {
  /** Undefined: the default one, which may be missing. A named one must exist. */
  readonly file?: string | undefined;
  readonly directory?: string | undefined;
  /** What flags say, as the trees that TOML would have given. */
  readonly flags?: readonly FlagSetting[];
}

export interface FlagSetting {
  /** For the words of problems: `--root`. */
  readonly flag: string;
  readonly tree: { readonly [key: string]: TomlValue };
}

export interface LoadedConfig {
  readonly config: Config;
  /** The files read, in their order. */
  readonly files: readonly string[];
}

/**
 * Reads and checks the configuration.
 * @throws {DaemonError} InvalidArgument that lists every problem with its file and key, a line each.
 */
export async function loadConfig(sources: ConfigSources, host?: Host): Promise<LoadedConfig> {
  const files: string[] = [];
  const problems: string[] = [];
  const settings = defaultSettings();
  for (const file of await findFiles(sources, problems)) {
    const tree = await readToml(file.path, file.required, problems);
    if (tree === undefined) continue;
    files.push(file.path);
    problems.push(...overlay(settings, tree, file.path));
  }
  for (const { flag, tree } of sources.flags ?? []) problems.push(...overlay(settings, tree, flag));
  const facts = host ?? (await detectHost());
  const config = await resolveSettings(settings, facts);
  problems.push(...contradictions(config), ...handlerContradictions(config, facts), ...(await missingOnNode(config)));
  if (problems.length > 0) throw new DaemonError('InvalidArgument', problems.join('\n'));
  return { config: freeze(config), files };
}

interface ConfigFile {
  readonly path: string;
  readonly required: boolean;
}

async function findFiles(sources: ConfigSources, problems: string[]): Promise<ConfigFile[]> {
  const main = { path: sources.file ?? DEFAULT_CONFIG_FILE, required: sources.file !== undefined };
  const directory = sources.directory ?? DEFAULT_CONFIG_DIRECTORY;
  try {
    const names = (await readdir(directory)).filter((name) => /^[^.].*\.(toml|conf)$/.test(name)).sort();
    return [main, ...names.map((name) => ({ path: join(directory, name), required: true }))];
  } catch (error) {
    if (sources.directory !== undefined || !hasErrno(error, 'ENOENT')) problems.push(`${directory}: ${messageOf(error)}`);
    return [main];
  }
}

async function readToml(path: string, required: boolean, problems: string[]): Promise<object | undefined> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (required || !hasErrno(error, 'ENOENT')) problems.push(`${path}: ${messageOf(error).trimEnd()}`);
    return undefined;
  }
}

/** What is wrong between keys that are right by themselves. */
function contradictions(config: Config): string[] {
  const { root, runDir, runtime, stream, metrics } = config;
  const names = Object.keys(runtime.handlers);
  const problems: string[] = [];
  if (!names.includes(runtime.default) && runtime.default !== AUTO)
    problems.push(`runtime.default: is "${runtime.default}", must be "${AUTO}" or one of the handlers ${names.join(', ')}`);
  if (`${root}/`.startsWith(`${runDir}/`) || `${runDir}/`.startsWith(`${root}/`)) {
    problems.push(`run_dir: is ${runDir}, must be neither root (${root}) nor above or below it`);
  }
  if (Buffer.byteLength(config.listenPath) > PREPARED_PATH_LIMIT_BYTES) {
    problems.push(`listen: is ${config.listenPath}, must be of at most ${PREPARED_PATH_LIMIT_BYTES} bytes`);
  }
  for (const [table, { tlsCert, tlsKey, tlsClientCa }] of Object.entries({ stream, metrics })) {
    if ((tlsCert === '') !== (tlsKey === ''))
      problems.push(`${table}.tls_cert, ${table}.tls_key: one of them is empty, must be both or none`);
    if (tlsClientCa !== '' && tlsCert === '') problems.push(`${table}.tls_client_ca: is set, must be with ${table}.tls_cert only`);
  }
  return problems;
}

/** Where the zones of the time lie. */
const ZONES = '/usr/share/zoneinfo';

/** What every container is to get and the node does not have. */
async function missingOnNode({ additionalDevices, defaultMounts, timezone }: Config): Promise<string[]> {
  const zone = timezone === 'local' ? '/etc/localtime' : timezone === '' ? undefined : join(ZONES, timezone);
  const checks = [
    ...additionalDevices.map(async ({ hostPath }) =>
      (await look(hostPath, (found) => found.isCharacterDevice() || found.isBlockDevice() || found.isDirectory()))
        ? undefined
        : `additional_devices: ${hostPath} is no device of this node, must be one`,
    ),
    ...defaultMounts.map(async ({ source }) =>
      (await look(source, () => true)) ? undefined : `default_mounts: ${source} is not on this node, must be there`,
    ),
  ];
  const problems = (await Promise.all(checks)).filter((problem) => problem !== undefined);
  if (zone !== undefined && !(await look(zone, (found) => found.isFile())))
    problems.push(`timezone: is "${timezone}", must be there as the file ${zone}`);
  return problems;
}

async function look(path: string, isRight: (found: Stats) => boolean): Promise<boolean> {
  return stat(path).then(isRight, () => false);
}

function handlerContradictions({ runtime }: Config, host: Host): string[] {
  return Object.entries(runtime.handlers).flatMap(([name, handler]) => {
    const key = `runtime.handlers.${name}`;
    const problems: string[] = [];
    if (handler.privilegedWithoutHostDevicesAllDevicesAllowed && !handler.privilegedWithoutHostDevices)
      problems.push(
        `${key}.privileged_without_host_devices_all_devices_allowed: is true, must be with ${key}.privileged_without_host_devices only`,
      );
    if (handler.cgroupWritable && !host.cgroup2)
      problems.push(
        `${key}.cgroup_writable: is true, must be false on this node: its cgroups are v1, where a container could change its own limits`,
      );
    return problems;
  });
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as unknown[]) if (typeof inner === 'object' && inner !== null) freeze(inner);
  return Object.freeze(value);
}
