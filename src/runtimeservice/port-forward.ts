import { requireReady } from '../podsandbox/sandbox.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** A URL at which a client reaches ports of the pod. */
export function portForward(parts: Pick<RuntimeServiceParts, 'sandboxes' | 'streaming'>): RuntimeServiceHandlers['portForward'] {
  return async ({ podSandboxId, port }) => {
    const sandbox = parts.sandboxes.get(podSandboxId);
    requireReady(sandbox, 'port-forward');
    return { url: parts.streaming.portForwardUrl({ sandboxId: sandbox.record.id, ports: port }) };
  };
}
