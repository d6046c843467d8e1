import { waitFor } from '../base/deadline.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** A container that is not there is removed. Its log stays: it is the kubelet's. */
export function removeContainer(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['removeContainer'] {
  return async (request, call) => {
    const container = parts.containers.find(request.containerId);
    if (container !== undefined) await waitFor(parts.containers.remove(container.record.id), call.signal);
    return {};
  };
}
