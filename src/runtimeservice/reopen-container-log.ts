import { requireState } from '../container/container.ts';
import { reopenLog } from '../container/log-file.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** Most conmon may take to make the new file, milliseconds. */
const REOPEN_TIMEOUT_MS = 10_000;

/** For the kubelet's rotation. A container that does not run is refused, and no file is made. */
export function reopenContainerLog(parts: Pick<RuntimeServiceParts, 'containers'>): RuntimeServiceHandlers['reopenContainerLog'] {
  return async (request) => {
    const container = parts.containers.get(request.containerId);
    requireState(container, 'reopen log of');
    const { record } = container;
    if (record.logPath !== '') await reopenLog(parts.containers.bundleOf(record.id), record.logPath, REOPEN_TIMEOUT_MS);
    return {};
  };
}
