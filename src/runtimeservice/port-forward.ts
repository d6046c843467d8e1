import { fail } from '../base/errors.ts';
import { requireReady } from '../podsandbox/sandbox.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

const HIGHEST_PORT = 65_535;

/** A URL at which a client reaches ports of the pod. */
export function portForward(parts: Pick<RuntimeServiceParts, 'sandboxes' | 'streaming'>): RuntimeServiceHandlers['portForward'] {
  return async ({ podSandboxId, port }) => {
    const odd = port.find((each) => each < 1 || each > HIGHEST_PORT);
    if (odd !== undefined) fail('InvalidArgument', `port-forward: port has ${odd}, must be from 1 to ${HIGHEST_PORT}`);
    const sandbox = parts.sandboxes.get(podSandboxId);
    requireReady(sandbox, 'port-forward');
    return { url: parts.streaming.portForwardUrl({ sandboxId: sandbox.record.id, ports: port }) };
  };
}
