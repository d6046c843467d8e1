import type { IDMapping, Mount, NamespaceOption } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { isMapped, type IdMapping, type UserMapping } from '../linux/user-namespace.ts';
import { HIGHEST_ID } from './id-range.ts';

/**
 * The user namespace that a request asks for (KEP-127); undefined is the node's.
 * @throws InvalidArgument that names the field: a mode that is not POD or NODE, not exactly one mapping of each kind, one that does
 * not begin at id 0 of the container, or one that no kernel takes.
 */
export function planUserNamespace(doing: string, user: NamespaceOption['usernsOptions']): UserMapping | undefined {
  if (user === undefined) return undefined;
  const { mode, uids, gids } = user;
  if (mode === NamespaceMode.NODE) {
    if (uids.length === 0 && gids.length === 0) return undefined;
    fail('InvalidArgument', `${doing}: user namespace mode is NODE, so it must have no uid or gid mappings`);
  }
  if (mode !== NamespaceMode.POD) fail('InvalidArgument', `${doing}: user namespace mode is ${mode}, must be POD (0) or NODE (2)`);
  return { uids: onlyMapping(doing, 'uid', uids), gids: onlyMapping(doing, 'gid', gids) };
}

function onlyMapping(doing: string, what: string, mappings: readonly IDMapping[]): IdMapping {
  const [mapping] = mappings;
  if (mapping === undefined || mappings.length !== 1)
    fail('InvalidArgument', `${doing}: the user namespace has ${mappings.length} ${what} mappings, must have 1`);
  if (mapping.containerId !== 0)
    fail(
      'InvalidArgument',
      `${doing}: the ${what} mapping of the user namespace has container_id ${mapping.containerId}, must begin at container id 0`,
    );
  checkIdMappings(`${doing}: the ${what} mapping of the user namespace`, mappings);
  return plain(mapping);
}

/** @throws InvalidArgument where the kernel would refuse these mappings: an empty range, one beyond the highest id, or two that overlap. */
export function checkIdMappings(what: string, mappings: readonly IDMapping[]): void {
  for (const side of ['containerId', 'hostId'] as const) {
    let free = 0;
    for (const mapping of mappings.toSorted((one, other) => one[side] - other[side])) {
      if (mapping.length < 1) fail('InvalidArgument', `${what} has length ${mapping.length}, must be 1 at least`);
      if (mapping[side] < free) fail('InvalidArgument', `${what} has ranges that overlap at ${nameOf(side)} ${mapping[side]}`);
      free = mapping[side] + mapping.length;
      if (free - 1 <= HIGHEST_ID) continue;
      const range = `goes from ${nameOf(side)} ${mapping[side]} to ${free - 1}`;
      fail('InvalidArgument', `${what} has length ${mapping.length} and ${range}, must end at ${HIGHEST_ID}`);
    }
  }
}

function nameOf(side: 'containerId' | 'hostId'): string {
  return side === 'hostId' ? 'host_id' : 'container_id';
}

/**
 * A container has the user namespace of its pod. One that says nothing of it is meant so too.
 * @throws InvalidArgument where it asks for another.
 */
export function checkContainerUserNamespace(options: NamespaceOption | undefined, pod: UserMapping | undefined): void {
  if (options?.usernsOptions === undefined) return;
  const asked = planUserNamespace('create container', options.usernsOptions);
  if (isSame(asked?.uids, pod?.uids) && isSame(asked?.gids, pod?.gids)) return;
  const uses = pod === undefined ? "uses the node's" : `has ${inWords(pod)}`;
  fail(
    'InvalidArgument',
    `create container: its user namespace options differ from those of its pod sandbox, which ${uses}; they must be the same`,
  );
}

/** Whether the mappings of a mount are just those of its pod. */
export function areThoseOf(pod: UserMapping | undefined, { uidMappings: uids, gidMappings: gids }: MountMappings): boolean {
  return uids.length === 1 && gids.length === 1 && isSame(uids[0], pod?.uids) && isSame(gids[0], pod?.gids);
}

type MountMappings = Pick<Mount, 'uidMappings' | 'gidMappings'>;

function isSame(one: IdMapping | undefined, other: IdMapping | undefined): boolean {
  return one?.containerId === other?.containerId && one?.hostId === other?.hostId && one?.length === other?.length;
}

function inWords({ uids, gids }: UserMapping): string {
  const range = ({ hostId, length }: IdMapping): string => `${hostId} to ${hostId + length - 1}`;
  return `the users ${range(uids)} and the groups ${range(gids)} of the node`;
}

interface AskedIds {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly additionalGids?: readonly number[];
}

/** @throws InvalidArgument where a process could not be started, since its user or a group of it is not one of the pod's. */
export function checkUserIsMapped(doing: string, { uid, gid, additionalGids = [] }: AskedIds, pod: UserMapping | undefined): void {
  if (pod === undefined) return;
  const check = (what: string, id: number | undefined, mapping: IdMapping): void => {
    if (id === undefined || isMapped(id, mapping)) return;
    fail('InvalidArgument', `${doing}: ${what} is ${id}, must be below ${mapping.length}: the user namespace of the pod has no other`);
  };
  check('its user', uid, pod.uids);
  for (const group of [gid, ...additionalGids]) check('a group of its user', group, pod.gids);
}

function plain({ containerId, hostId, length }: IDMapping): IdMapping {
  return { containerId, hostId, length };
}
