import type { Endpoint } from './endpoint.ts';

/** What somebody who shows a pull wants to know of an endpoint. */
export type Source = Pick<Endpoint, 'host' | 'isMirror'>;

/** Sees how a document or a blob comes, while it comes. */
export interface FetchObserver {
  /** An endpoint has begun to answer. */
  answered(source: Source): void;
  received(source: Source, bytes: number): void;
  /** A request failed, and is made again: of the same endpoint, or of the next. */
  retried(error: unknown, how: 'request' | 'endpoint'): void;
}
