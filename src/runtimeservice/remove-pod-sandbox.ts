import { waitFor } from '../base/deadline.ts';
import { removePod } from '../pod/stop-pod.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** A sandbox that is not there is removed. */
export function removePodSandbox(parts: Pick<RuntimeServiceParts, 'sandboxes' | 'pod'>): RuntimeServiceHandlers['removePodSandbox'] {
  return async (request, call) => {
    const sandbox = parts.sandboxes.find(request.podSandboxId);
    if (sandbox !== undefined) await waitFor(removePod(parts.pod, sandbox.record.id), call.signal);
    return {};
  };
}
