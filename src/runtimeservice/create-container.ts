import { fail } from '../base/errors.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function createContainer(parts: Pick<RuntimeServiceParts, 'sandboxes' | 'containers'>): RuntimeServiceHandlers['createContainer'] {
  return async (request, call) => {
    const config = request.config ?? fail('InvalidArgument', 'create container: config is missing, must be given');
    const sandbox = parts.sandboxes.get(request.podSandboxId);
    const container = await parts.containers.create(sandbox, config, request.sandboxConfig, call);
    return { containerId: container.record.id };
  };
}
