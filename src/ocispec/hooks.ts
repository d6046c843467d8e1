import type { OciHook, OciHookName, OciHooks } from './oci-types.ts';

/** Whether the runtime has one to run. */
export function hasHooks(hooks: OciHooks | undefined): boolean {
  return Object.values(hooks ?? {}).some((list) => list.length > 0);
}

/** Hooks and then others, stage by stage. */
export function appendHooks(hooks: OciHooks | undefined, more: OciHooks | undefined): OciHooks | undefined {
  if (more === undefined) return hooks;
  const all: Partial<Record<OciHookName, readonly OciHook[]>> = { ...hooks };
  for (const [stage, list] of Object.entries(more) as [OciHookName, readonly OciHook[]][]) all[stage] = [...(all[stage] ?? []), ...list];
  return all;
}
