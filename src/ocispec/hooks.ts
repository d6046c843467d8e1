import type { OciHook, OciHookName, OciHooks } from './oci-types.ts';

/** Hooks and then others, stage by stage. */
export function appendHooks(hooks: OciHooks | undefined, more: OciHooks | undefined): OciHooks | undefined {
  if (more === undefined) return hooks;
  const all: Partial<Record<OciHookName, readonly OciHook[]>> = { ...hooks };
  for (const [stage, list] of Object.entries(more) as [OciHookName, readonly OciHook[]][]) all[stage] = [...(all[stage] ?? []), ...list];
  return all;
}
