import { messageOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { RateMeter } from '../base/rate-meter.ts';
import { note, stepIs } from '../base/steps.ts';
import type { FetchObserver, Source } from '../registry/fetch-observer.ts';
import type { SourceSnapshot } from '../base/pull-snapshot.ts';

/** What failed and was tried again: a stream that broke, a request at the same endpoint, or at the next. */
export type RetryKind = 'stream' | 'request' | 'endpoint';

const TRIED_AGAIN: Readonly<Record<RetryKind, string>> = {
  stream: 'a stream broke, and is taken up where it broke',
  request: 'a request failed, and is made again',
  endpoint: 'an endpoint failed, and the next one is asked',
};

/** Counts pulls as they go on. */
export interface PullCounts {
  begun(): void;
  received(source: Source, bytes: number): void;
  retried(what: RetryKind): void;
  ended(pull: PullResult): void;
}

/** What became of the layers of a pull. `chunks`: only some of the layer was fetched; `dropped`: it was not finished. */
export type LayerOutcome = 'fetched' | 'chunks' | 'present' | 'dropped';

export interface PullResult {
  readonly outcome: 'OK' | ErrorKind;
  readonly ms: number;
  readonly layers: Readonly<Record<LayerOutcome, number>>;
}

const nothing = (): void => undefined;
export const NO_COUNTS: PullCounts = { begun: nothing, received: nothing, retried: nothing, ended: nothing };

/** What is kept, at most. */
const MAX_SOURCES = 8;
const MAX_WORDS = 300;
const MAX_NAME = 400;
/** Bytes are counted in such pieces. */
const COUNTED_BYTES = 1024 * 1024;

/** What is seen of what comes over the wire, of one layer or of the documents. */
export class Arrivals implements FetchObserver {
  readonly sources: (SourceSnapshot & { bytes: number; uncounted: number })[] = [];
  readonly rate = new RateMeter();
  readonly #counts: PullCounts;
  readonly #total: RateMeter | undefined;
  transferredBytes = 0;
  retries = 0;
  host: string | undefined;
  lastError: string | undefined;

  constructor(counts: PullCounts, total?: RateMeter) {
    this.#counts = counts;
    this.#total = total;
  }

  answered({ host }: Source): void {
    this.host = shortName(host);
    stepIs({ also: `from ${this.host}` });
  }

  received(source: Source, bytes: number): void {
    this.transferredBytes += bytes;
    const nowMs = Date.now();
    this.rate.add(bytes, nowMs);
    this.#total?.add(bytes, nowMs);
    const entry = this.#entryOf(source);
    entry.bytes += bytes;
    entry.uncounted += bytes;
    if (entry.uncounted >= COUNTED_BYTES) this.#count(entry);
  }

  retried(error: unknown, how: RetryKind): void {
    this.retries += 1;
    this.failed(error);
    this.#counts.retried(how);
    note(`${TRIED_AGAIN[how]}: ${shortWords(error)}`);
  }

  failed(error: unknown): void {
    this.lastError = shortWords(error);
  }

  /** Counts what is left to count. */
  settle(): void {
    for (const entry of this.sources) this.#count(entry);
  }

  /** After too many of them, those of one kind are taken together. */
  #entryOf({ host, isMirror }: Source): (typeof this.sources)[number] {
    const name = shortName(host);
    const found = this.sources.find((each) => each.host === name && each.isMirror === isMirror);
    if (found !== undefined) return found;
    const last = this.sources.at(-1);
    if (last !== undefined && this.sources.length >= MAX_SOURCES) return last;
    const entry = { host: name, isMirror, bytes: 0, uncounted: 0 };
    this.sources.push(entry);
    return entry;
  }

  #count(entry: (typeof this.sources)[number]): void {
    if (entry.uncounted > 0) this.#counts.received(entry, entry.uncounted);
    entry.uncounted = 0;
  }
}

export function shortName(text: string): string {
  return short(text, MAX_NAME);
}

/** What an error says, cut to what is kept of it. */
export function shortWords(error: unknown): string {
  return short(messageOf(error), MAX_WORDS);
}

function short(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
