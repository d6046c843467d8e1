import { requireState } from '../container/container.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { checkStreams } from './streams.ts';

/** A URL at which a client joins the container's own terminal or pipes. */
export function attach(parts: Pick<RuntimeServiceParts, 'containers' | 'streaming'>): RuntimeServiceHandlers['attach'] {
  return async ({ containerId, tty, stdin, stdout, stderr }) => {
    checkStreams('attach', { tty, stdin, stdout, stderr });
    const container = parts.containers.get(containerId);
    requireState(container, 'attach');
    return { url: parts.streaming.attachUrl({ containerId: container.record.id, tty, stdin, stdout, stderr }) };
  };
}
