import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { IDMapping, Init, NamespaceOption } from '../../api/cri/runtime.ts';
import { findProgram } from './find-program.ts';

/** A runtime that can do user namespaces. */
interface UserRuntime {
  readonly name: string;
  readonly path: string;
  /** Flags for a daemon that has it as its default one. */
  readonly args: readonly string[];
}

/** Where scripts/build-runc.sh and scripts/fetch-crun.sh put a runc and a crun with id-mapped mounts. */
const CACHE = process.env['PODWRIGHT_TOOLS_CACHE'] ?? '/var/cache/podwright-tools';

async function fromCache(): Promise<string[]> {
  const programs: string[] = [];
  for (const folder of (await readdir(CACHE).catch(() => [])).sort()) {
    const [name = ''] = /^(runc|crun)(?=-)/.exec(folder) ?? [];
    const path = name === '' ? undefined : await findProgram(name, join(CACHE, folder, name));
    if (path !== undefined) programs.push(path);
  }
  return programs;
}

const given = process.env['PODWRIGHT_TEST_USERNS_RUNTIME'];
const found = given === undefined ? await fromCache() : [given];
const paths = found.toSorted((one, other) => basename(other).localeCompare(basename(one)));

/** Those that were found here, runc first. */
export const userRuntimes: readonly UserRuntime[] = paths.map((path) => ({
  name: basename(path),
  path,
  args: ['--runtime', `runc=${path}`],
}));

/** The runtime for tests of everything that there is, critest and the kubelet's: the one given, else one that can do user namespaces. */
export const ablestRuntime = process.env['PODWRIGHT_TEST_RUNTIME'] ?? paths[0] ?? 'runc';

/** Why tests with user namespaces cannot run here; false where they can. */
export const noUserNamespaces: string | false =
  paths.length === 0 &&
  'no runtime with id-mapped mounts: $PODWRIGHT_TEST_USERNS_RUNTIME names none, scripts/build-runc.sh and fetch-crun.sh have made none';

/** Flags of the first of them. */
export const userNamespaceArgs: readonly string[] = userRuntimes[0]?.args ?? [];

/** The ids that the kubelet would give a pod. */
export const MAPPING: IDMapping = { containerId: 0, hostId: 1_310_720, length: 65_536 };

/** The namespaces of a pod with `hostUsers: false`. */
export function withUsers(
  change: Init<NamespaceOption> = {},
  mapping: IDMapping = MAPPING,
): { readonly namespaces: Init<NamespaceOption> } {
  return { namespaces: { usernsOptions: { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] }, ...change } };
}
