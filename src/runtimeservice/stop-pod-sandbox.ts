import { stopPod } from '../pod/stop-pod.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** A sandbox that is not there is stopped. */
export function stopPodSandbox(parts: Pick<RuntimeServiceParts, 'sandboxes' | 'pod'>): RuntimeServiceHandlers['stopPodSandbox'] {
  return async (request, call) => {
    const sandbox = parts.sandboxes.find(request.podSandboxId);
    if (sandbox !== undefined) await stopPod(parts.pod, sandbox.record.id, call.signal);
    return {};
  };
}
