/** The fields of an adjustment that have entries with names, and two that are merged in ways of their own. */
import { Field } from '../../../api/nri/enums.ts';
import type { Hooks, KeyValue, LinuxDevice, LinuxNamespace, LinuxNetDevice, LinuxRdt, Mount } from '../../../api/nri/messages.ts';
import type { Answer, ListKind, MapKind } from './entries.ts';
import { needName } from './refusal.ts';
import { parseKey } from './removal.ts';

export const HOOK_POINTS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const satisfies readonly (keyof Hooks)[];

export const MOUNTS: ListKind<Mount, Mount> = {
  field: Field.Mounts,
  keyOf: ({ destination }) => destination,
  nameless: 'a mount without a destination',
  seenOf: (mount) => mount,
  seenKeyOf: ({ destination }) => destination,
};

export const DEVICES: ListKind<LinuxDevice, LinuxDevice> = {
  field: Field.Devices,
  keyOf: ({ path }) => path,
  nameless: 'a device without a path',
  seenOf: (device) => device,
  seenKeyOf: ({ path }) => path,
};

export const ENV: ListKind<KeyValue, string> = {
  field: Field.Env,
  keyOf: ({ key }) => key,
  nameless: 'an environment variable without a name',
  // By the name `A=B` two plugins could both set A, each with an owner of its own.
  wrong: (key) => (/[=\0]/.test(key) ? `an environment variable with the name ${JSON.stringify(key)}` : undefined),
  seenOf: ({ key, value }) => `${key}=${value}`,
  seenKeyOf: (variable) => variable.split('=', 1).join(''),
};

export const ANNOTATIONS: MapKind<string> = { field: Field.Annotations, nameless: 'an annotation without a key', removed: () => '' };

/** Removals have owners so that the default validator, and others like it, find who has changed sysctls. */
export const SYSCTL: MapKind<string> = { field: Field.Sysctl, nameless: 'a sysctl without a name', removed: () => '', ownedRemovals: true };

export const NET_DEVICES: MapKind<LinuxNetDevice> = {
  field: Field.LinuxNetDevices,
  nameless: 'a network device without a name',
  removed: () => ({ name: '' }),
};

/** A removal of a namespace is owned like a change of it. */
export function mergeNamespaces(
  { owners, container, plugin }: Answer,
  answered: readonly LinuxNamespace[],
  { collected, seen }: { readonly collected: readonly LinuxNamespace[]; readonly seen: readonly LinuxNamespace[] },
): { collected: LinuxNamespace[]; seen: LinuxNamespace[] } {
  const view = new Map(seen.map((namespace) => [namespace.type, namespace]));
  for (const namespace of answered) {
    const { key, removal } = parseKey(namespace.type);
    needName(key, plugin, 'a namespace without a type');
    owners.claim(container, plugin, { field: Field.Namespace, key });
    if (removal) view.delete(key);
    else view.set(key, namespace);
  }
  return { collected: [...collected, ...answered], seen: [...view.values()] };
}

const RDT = [
  ['closId', Field.RdtClosID],
  ['schemata', Field.RdtSchemata],
  ['enableMonitoring', Field.RdtEnableMonitoring],
] as const satisfies readonly (readonly [keyof LinuxRdt, Field])[];

/** A removal takes all of RDT from earlier plugins; it stays in the adjustments unless something is set after it, as in the module. */
export function mergeRdt(
  { owners, container, plugin }: Answer,
  answered: LinuxRdt | undefined,
  before: { readonly collected: LinuxRdt | undefined; readonly seen: LinuxRdt | undefined },
): { collected: LinuxRdt | undefined; seen: LinuxRdt | undefined } {
  if (answered === undefined) return before;
  if (answered.remove) for (const [, field] of RDT) owners.clear(container, plugin, { field });
  const set: Partial<LinuxRdt> = {};
  for (const [name, field] of RDT) {
    if (answered[name] === undefined) continue;
    owners.claim(container, plugin, { field });
    Object.assign(set, { [name]: answered[name], remove: false });
  }
  if (!answered.remove && Object.keys(set).length === 0) return before;
  const base = (rdt: LinuxRdt | undefined): Partial<LinuxRdt> | undefined => (answered.remove ? {} : rdt);
  return {
    collected: { ...base(before.collected), remove: answered.remove || before.collected?.remove === true, ...set },
    seen: answered.remove && Object.keys(set).length === 0 ? undefined : { ...base(before.seen), remove: false, ...set },
  };
}
