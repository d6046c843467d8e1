import type { Writable } from 'node:stream';
import { waitFor } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AttachOutput, AttachRequest, AttachStreams, StreamingBackend } from './backend.ts';
import type { RemoteStreams } from './remote-streams.ts';
import type { SessionLife } from './session-life.ts';
import type { Outcome } from './status.ts';

/** Most output of one session that waits for its client, bytes. */
const MOST_WAITING_BYTES = 1024 * 1024;

export interface AttachDeps {
  readonly backend: StreamingBackend;
  readonly log: Log;
}

/**
 * Joins the client to a running container until the container ends; resolves when the connection is gone. A client that
 * lets more than 1 MiB of output wait is told so and disconnected: the container must never wait for it. Never throws.
 */
export async function serveAttach(deps: AttachDeps, request: AttachRequest, streams: RemoteStreams, life: SessionLife): Promise<void> {
  const { signal } = life;
  let outcome: Outcome;
  let work: Promise<void> | undefined;
  try {
    const size = request.tty ? await streams.firstSize() : undefined;
    signal.throwIfAborted();
    const used = attachStreams(streams, () => {
      const reason = `attach to container ${request.containerId}: more than ${MOST_WAITING_BYTES} bytes of output wait for the client, it must read faster`;
      deps.log.warn(reason, { containerId: request.containerId });
      life.end(new DaemonError('ResourceExhausted', reason));
    });
    work = deps.backend.attach({ ...request, ...(size && { size }) }, used, streams.resizes, signal);
    await waitFor(work, signal);
    outcome = { exitCode: 0 };
  } catch (error) {
    outcome = { error };
    if (!signal.aborted) deps.log.info(`attach session: ${messageOf(error)}`, { containerId: request.containerId });
  }
  await streams.finish(outcome, signal);
  await Promise.allSettled([work]);
}

/** The streams as the backend sees them: outputs that never push back, and together hold no more than the limit. */
function attachStreams(streams: RemoteStreams, overflow: () => void): AttachStreams {
  const { stdin, stdout, stderr } = streams;
  const outputs = [stdout, stderr].filter((stream) => stream !== undefined);
  let open = true;
  const output = (stream: Writable): AttachOutput => ({
    write: (chunk) => {
      if (!open || stream.writableEnded || stream.destroyed) return;
      const waitingBytes = outputs.reduce((sum, { writableLength }) => sum + writableLength, 0);
      if (waitingBytes + chunk.byteLength <= MOST_WAITING_BYTES) {
        stream.write(chunk);
        return;
      }
      open = false;
      overflow();
    },
  });
  return { ...(stdin && { stdin }), ...(stdout && { stdout: output(stdout) }), ...(stderr && { stderr: output(stderr) }) };
}
