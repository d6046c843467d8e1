import type { Duplex } from 'node:stream';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamingBackend } from './backend.ts';

/** One connection of a client to a port of a sandbox. What is written on `error` tells it what went wrong. */
export interface PortPair {
  readonly port: number;
  readonly data: Duplex;
  readonly error: Duplex;
}

export interface PortForwardDeps {
  readonly backend: StreamingBackend;
  readonly log: Log;
}

/**
 * Forwards one connection until it is over, and tells the client where it could not be made. It never throws. A connection that
 * breaks later is only reset, without a word: at the first word on an error stream, client-go gives up all its other connections
 * too (tools/portforward, handleConnection).
 */
export async function forwardPort(deps: PortForwardDeps, sandboxId: string, pair: PortPair, session: AbortSignal): Promise<void> {
  const { port, data, error } = pair;
  const controller = new AbortController();
  const follow = (): void => {
    controller.abort(session.reason);
  };
  session.addEventListener('abort', follow, { once: true });
  data.once('close', () => {
    if (!data.readableEnded || !data.writableFinished) controller.abort(new DaemonError('Canceled', 'the client broke the connection off'));
  });
  error.resume(); // the client sends nothing but its end on it
  try {
    if (session.aborted) follow();
    await deps.backend.portForward(sandboxId, port, data, controller.signal);
    if (!data.writableEnded) data.end();
    data.resume();
    error.end();
  } catch (failure) {
    const broke = controller.signal.aborted || hasErrno(failure, 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
    const message = `forward to port ${port} of sandbox ${sandboxId}: ${messageOf(failure)}`;
    if (broke) deps.log.debug(message, { sandboxId });
    else deps.log.info(message, { sandboxId });
    error.end(broke ? undefined : message);
    data.destroy();
  } finally {
    session.removeEventListener('abort', follow);
  }
}
