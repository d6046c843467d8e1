import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function startContainer(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['startContainer'] {
  return async (request) => {
    await parts.containers.start(parts.containers.get(request.containerId).record.id);
    return {};
  };
}
