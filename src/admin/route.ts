import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request on the admin socket. */
export interface Exchange {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** What it throws before the answer has begun is answered as a failure. */
  handle(exchange: Exchange): Promise<void>;
}
