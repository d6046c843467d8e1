import type { ContainerConfig } from '../../api/cri/runtime.ts';
import type { HookDirectories } from '../hooks/hook-directories.ts';
import type { OciHook, OciHookName, OciHooks } from '../ocispec/oci-types.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';

interface HookRequest {
  readonly config: ContainerConfig;
  readonly sandbox: Sandbox;
  /** The program and its arguments. */
  readonly args: readonly string[];
}

/** The hooks of the node's hooks.d directories for a container; undefined where there are none. Any mount counts as a bind mount, as for CRI-O. */
export async function planHooks(directories: HookDirectories, { config, sandbox, args }: HookRequest): Promise<OciHooks | undefined> {
  const found = await directories.matching({
    annotations: { ...config.annotations, ...sandbox.record.config.annotations },
    command: args[0] ?? '',
    hasBindMounts: config.mounts.length > 0,
  });
  if (found.length === 0) return undefined;
  const hooks: Partial<Record<OciHookName, OciHook[]>> = {};
  // The OCI spec has given up prestart; as the peers, createRuntime stands for it, which comes at the same point.
  for (const { hook, stages } of found)
    for (const stage of stages) (hooks[stage === 'prestart' ? 'createRuntime' : stage] ??= []).push(hook);
  return hooks;
}
