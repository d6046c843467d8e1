import { containerMatches, containerMessage } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

type Parts = Pick<RuntimeServiceParts, 'containers'>;

export function listContainers(parts: Parts): RuntimeServiceHandlers['listContainers'] {
  return async ({ filter }) => ({
    containers: parts.containers.list().filter((container) => containerMatches(container, filter)).map(containerMessage), // prettier-ignore
  });
}

/** The same as a stream, in messages that stay small, so that no answer grows past the message limit (KEP-5825). */
export function streamContainers(parts: Parts): RuntimeServiceHandlers['streamContainers'] {
  return function* ({ filter }) {
    for (const container of parts.containers.list()) {
      if (containerMatches(container, filter)) yield { containers: [containerMessage(container)] };
    }
  };
}
