import { fail } from '../base/errors.ts';
import { execSync } from '../container/exec-sync.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function execSyncRpc(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['execSync'] {
  return async (request, call) => {
    if (request.timeout < 0n) fail('InvalidArgument', `exec sync: timeout is ${request.timeout}, must be 0 for none, or more seconds`);
    const timeoutMs = Number(request.timeout) * 1000;
    return execSync(parts.containers, request.containerId, request.cmd, timeoutMs, call.signal);
  };
}
