import { waitFor } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ExecRequest, StreamingBackend } from './backend.ts';
import type { RemoteStreams } from './remote-streams.ts';
import type { Outcome } from './status.ts';

export interface ExecDeps {
  readonly backend: StreamingBackend;
  readonly log: Log;
}

/** Runs the command of a session and tells the client how it ended; resolves when the connection and
 * the command are gone. Never throws. */
export async function serveExec(deps: ExecDeps, request: ExecRequest, streams: RemoteStreams, signal: AbortSignal): Promise<void> {
  let outcome: Outcome;
  let work: Promise<unknown> | undefined;
  try {
    const { stdin, stdout, stderr, resizes } = streams;
    const size = request.tty ? await streams.firstSize() : undefined;
    signal.throwIfAborted();
    const used = { ...(stdin && { stdin }), ...(stdout && { stdout }), ...(stderr && { stderr }) };
    const exit = deps.backend.exec({ ...request, ...(size && { size }) }, used, resizes, signal);
    work = exit;
    outcome = await waitFor(exit, signal); // a session that must end is told so before the command has gone
  } catch (error) {
    outcome = { error };
    if (!signal.aborted) deps.log.info(`exec session: ${messageOf(error)}`, { containerId: request.containerId });
  }
  await streams.finish(outcome, signal);
  await Promise.allSettled([work]);
}
