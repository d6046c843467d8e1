import { execSync } from '../container/exec-sync.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function execSyncRpc(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['execSync'] {
  return async (request, call) => {
    const timeoutMs = Math.max(0, Number(request.timeout) * 1000);
    return execSync(parts.containers, request.containerId, request.cmd, timeoutMs, call.signal);
  };
}
