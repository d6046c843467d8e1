import { DaemonError } from '../base/errors.ts';
import { IdleTimer } from './idle-timer.ts';

/** How long one session may go on: until its client leaves, nothing moves for too long, or the daemon ends it. */
export class SessionLife {
  readonly #controller = new AbortController();
  readonly #idle: IdleTimer;

  /** @param what The session for errors: `exec in container c1`. */
  constructor(what: string, idleTimeoutMs: number) {
    this.#idle = new IdleTimer(idleTimeoutMs, () => {
      this.end(new DaemonError('DeadlineExceeded', `${what}: nothing came or went for ${idleTimeoutMs / 1000} s`));
    });
  }

  /** Aborts when the session must end; the reason says why. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Bytes came or went. */
  readonly active = (): void => {
    this.#idle.touch();
  };

  end(reason: DaemonError): void {
    this.#controller.abort(reason);
  }

  /** To be called when the session is over. */
  close(): void {
    this.#idle.stop();
  }
}
