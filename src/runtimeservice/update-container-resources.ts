import { fail } from '../base/errors.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function updateContainerResources(
  parts: Pick<RuntimeServiceParts, 'containers'>,
): RuntimeServiceHandlers['updateContainerResources'] {
  return async (request) => {
    const { record } = parts.containers.get(request.containerId);
    const linux = request.linux ?? fail('InvalidArgument', `update container ${record.id}: linux resources are missing, must be given`);
    await parts.containers.update(record.id, linux);
    return {};
  };
}

/** The kubelet has changed the pod's cgroup itself; what it tells is kept and shown. */
export const updatePodSandboxResources = (
  parts: Pick<RuntimeServiceParts, 'sandboxes'>,
): RuntimeServiceHandlers['updatePodSandboxResources'] => {
  return async (request) => {
    const { record } = parts.sandboxes.get(request.podSandboxId);
    await parts.sandboxes.updateResources(record.id, { overhead: request.overhead, resources: request.resources });
    return {};
  };
};
