import type { Duplex } from 'node:stream';
import { DaemonError, messageOf } from '../base/errors.ts';
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

/** Forwards one connection until it is over, and tells the client a failure. It never throws. */
export async function forwardPort(deps: PortForwardDeps, sandboxId: string, pair: PortPair, session: AbortSignal): Promise<void> {
  const { port, data, error } = pair;
  const controller = new AbortController();
  const follow = (): void => {
    controller.abort(session.reason);
  };
  session.addEventListener('abort', follow, { once: true });
  // Both of its ends come before 'close' where the connection was not broken.
  data.once('close', () => {
    controller.abort(new DaemonError('Canceled', 'the client broke the connection off'));
  });
  error.resume(); // the client sends nothing but its end on it
  try {
    if (session.aborted) follow();
    await deps.backend.portForward(sandboxId, port, data, controller.signal);
    if (!data.writableEnded) data.end();
    data.resume();
    error.end();
  } catch (failure) {
    const message = `forward to port ${port} of sandbox ${sandboxId}: ${messageOf(failure)}`;
    if (!controller.signal.aborted) deps.log.info(message);
    error.end(message);
    data.destroy();
  } finally {
    session.removeEventListener('abort', follow);
  }
}
