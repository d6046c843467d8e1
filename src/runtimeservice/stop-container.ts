import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** A container that is not there, or has ended, is stopped. */
export function stopContainer(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['stopContainer'] {
  return async (request, call) => {
    const container = parts.containers.find(request.containerId);
    const timeoutMs = Math.max(0, Number(request.timeout) * 1000);
    if (container !== undefined) await parts.containers.stop(container.record.id, timeoutMs, call.signal);
    return {};
  };
}
