import { fail } from '../base/errors.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function runPodSandbox(parts: Pick<RuntimeServiceParts, 'sandboxes'>): RuntimeServiceHandlers['runPodSandbox'] {
  return async (request, call) => {
    const config = request.config ?? fail('InvalidArgument', 'run pod sandbox: config is missing, must be given');
    const sandbox = await parts.sandboxes.run(config, request.runtimeHandler, call);
    return { podSandboxId: sandbox.record.id };
  };
}
