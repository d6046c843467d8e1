import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { waitFor } from '../base/deadline.ts';
import { connectInNamespace } from '../linux/netns-connect.ts';
import { requireReady } from './sandbox.ts';
import type { Sandboxes } from './sandboxes.ts';

/** Connects a stream with a port of the pod's loopback until both directions have ended. @throws where nothing listens there. */
export async function portForward(sandboxes: Sandboxes, id: string, port: number, stream: Duplex, signal: AbortSignal): Promise<void> {
  const sandbox = sandboxes.get(id);
  requireReady(sandbox, 'port-forward');
  const socket = await connectInNamespace(sandboxes.networkNamespaceOf(sandbox.record), port, signal);
  try {
    stream.pipe(socket);
    socket.pipe(stream);
    await waitFor(Promise.all([finished(socket), finished(stream)]), signal);
  } finally {
    socket.destroy();
  }
}
