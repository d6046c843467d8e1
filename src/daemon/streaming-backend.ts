import { attach } from '../container/attach.ts';
import { execStream } from '../container/exec-stream.ts';
import { portForward } from '../podsandbox/port-forward.ts';
import type { StreamingBackend } from '../streaming/backend.ts';
import type { DaemonParts } from './build.ts';

/** What streaming sessions do, out of the daemon's parts. */
export function streamingBackend({ containers, sandboxes }: DaemonParts): StreamingBackend {
  return {
    exec: async (request, streams, resizes, signal) => execStream(containers, request, streams, resizes, signal),
    attach: async (request, streams, resizes, signal) => attach(containers, request, streams, resizes, signal),
    portForward: async (sandboxId, port, stream, signal) => portForward(sandboxes, sandboxId, port, stream, signal),
  };
}
