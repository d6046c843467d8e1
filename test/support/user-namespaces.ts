import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { IDMapping, Init, NamespaceOption } from '../../api/cri/runtime.ts';
import { findProgram } from './find-program.ts';

/** Where scripts/build-runc.sh puts a runc with id-mapped mounts. */
const CACHE = process.env['PODWRIGHT_TOOLS_CACHE'] ?? '/var/cache/podwright-tools';

async function fromCache(): Promise<string | undefined> {
  const folder = (await readdir(CACHE).catch(() => [])).filter((name) => name.startsWith('runc-')).sort().at(-1); // prettier-ignore
  return folder === undefined ? undefined : findProgram('runc', join(CACHE, folder, 'runc'));
}

const given = process.env['PODWRIGHT_TEST_USERNS_RUNTIME'];
const path = given === undefined ? await fromCache() : await findProgram('runc', given);

/** Why tests with user namespaces cannot run here; false where they can. */
export const noUserNamespaces: string | false =
  path === undefined && 'no runc with id-mapped mounts: $PODWRIGHT_TEST_USERNS_RUNTIME names none, scripts/build-runc.sh has built none';

/** Flags for a daemon whose default runtime can do user namespaces. */
export const userNamespaceArgs: readonly string[] = ['--runtime', `runc=${path ?? 'missing'}`];

/** The ids that the kubelet would give a pod. */
export const MAPPING: IDMapping = { containerId: 0, hostId: 1_310_720, length: 65_536 };

/** The namespaces of a pod with `hostUsers: false`. */
export function withUsers(
  change: Init<NamespaceOption> = {},
  mapping: IDMapping = MAPPING,
): { readonly namespaces: Init<NamespaceOption> } {
  return { namespaces: { usernsOptions: { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] }, ...change } };
}
