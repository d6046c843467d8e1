import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { podSandbox, sandboxMatches } from './sandbox-messages.ts';

type Parts = Pick<RuntimeServiceParts, 'sandboxes'>;

export function listPodSandbox(parts: Parts): RuntimeServiceHandlers['listPodSandbox'] {
  return async ({ filter }) => ({
    items: parts.sandboxes.list().filter((sandbox) => sandboxMatches(sandbox, filter)).map(podSandbox), // prettier-ignore
  });
}

/** The same as a stream, in messages that stay small, so that no answer grows past the message limit (KEP-5825). */
export function streamPodSandboxes(parts: Parts): RuntimeServiceHandlers['streamPodSandboxes'] {
  return function* ({ filter }) {
    for (const sandbox of parts.sandboxes.list()) {
      if (sandboxMatches(sandbox, filter)) yield { podSandboxes: [podSandbox(sandbox)] };
    }
  };
}
