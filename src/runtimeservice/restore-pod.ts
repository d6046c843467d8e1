import { fail } from '../base/errors.ts';
import { restorePod } from '../pod/restore-pod.ts';
import { checkDirectoryField, refuseOptions } from './checkpoint-pod.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function restorePodRpc({ pod }: Pick<RuntimeServiceParts, 'pod'>): RuntimeServiceHandlers['restorePod'] {
  return async ({ checkpointPath, config, runtimeHandler, options, containerConfigs }, call) => {
    const what = 'restore pod';
    if (!call.hasDeadline) fail('InvalidArgument', `${what}: the call has no deadline, must have one`);
    checkDirectoryField(what, 'checkpoint_path', checkpointPath);
    refuseOptions(what, options);
    if (config === undefined) fail('InvalidArgument', `${what}: config is missing, must be given`);
    if (containerConfigs.length === 0) fail('InvalidArgument', `${what}: container_configs is empty, must have each container of the checkpoint`); // prettier-ignore
    const { sandboxId, containers } = await restorePod(pod, { checkpointPath, config, runtimeHandler, containerConfigs }, call);
    return { podSandboxId: sandboxId, restoredContainers: containers.map(({ name, id }) => ({ name, containerId: id })) };
  };
}
