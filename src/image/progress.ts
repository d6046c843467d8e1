import { kindOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { present } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import { RateMeter } from '../base/rate-meter.ts';
import { Arrivals, NO_COUNTS, shortName, shortWords } from './arrivals.ts';
import type { LayerOutcome, PullCounts } from './arrivals.ts';
import type { LayerSnapshot, LayerState, PullAsker, PullSnapshot } from '../base/pull-snapshot.ts';

/** What is shown of one pull, at most. */
const MAX_LAYERS = 100;
const MAX_ASKERS = 10;

/** How far one layer of an image being made is. It changes as the work goes on. */
export class LayerProgress {
  /** Of the layer as it comes; undefined where the archive does not say. */
  readonly digest: Digest | undefined;
  /** Undefined where the archive does not say. */
  readonly sizeBytes: number | undefined;
  readonly arrivals: Arrivals;
  /** Bytes to be fetched. */
  wantedBytes: number | undefined;
  /** Of these, in the file. */
  receivedBytes = 0;
  isOfChunks = false;
  #state: LayerState = 'waiting';
  #startedAtMs: number | undefined;
  #receivedAtMs: number | undefined;
  #endedAtMs: number | undefined;

  constructor(
    { digest, sizeBytes }: { readonly digest?: Digest | undefined; readonly sizeBytes?: number | undefined },
    pull?: PullProgress,
  ) {
    this.digest = digest;
    this.sizeBytes = sizeBytes;
    this.wantedBytes = sizeBytes;
    this.arrivals = pull?.newArrivals() ?? new Arrivals(NO_COUNTS);
  }

  get state(): LayerState {
    return this.#state;
  }

  become(state: LayerState): void {
    const nowMs = Date.now();
    this.#state = state;
    if (state === 'fetching') this.#startedAtMs ??= nowMs;
    if (state === 'unpacking') this.#receivedAtMs = nowMs;
    if (state === 'unpacked' || state === 'failed') this.#endedAtMs = nowMs;
    if (state === 'present') this.wantedBytes = 0;
  }

  /** A part of it is in the file; less than nothing where a part is given up. */
  took(bytes: number): void {
    this.receivedBytes += bytes;
  }

  /** So much is to come now, and nothing of that is here: the whole, or chunks. */
  restart(wantedBytes: number | undefined, isOfChunks: boolean): void {
    this.wantedBytes = wantedBytes;
    this.receivedBytes = 0;
    this.#receivedAtMs = undefined;
    this.isOfChunks = isOfChunks;
  }

  fail(error: unknown): void {
    this.arrivals.failed(error);
    this.become('failed');
  }

  snapshot(nowMs: number): LayerSnapshot {
    const { host, lastError, retries, sources, rate } = this.arrivals;
    const doneAtMs = this.#receivedAtMs ?? this.#endedAtMs;
    const meanOverMs = doneAtMs !== undefined && this.#startedAtMs !== undefined ? Math.max(doneAtMs - this.#startedAtMs, 1) : undefined;
    return {
      ...present({ digest: this.digest, sizeBytes: this.sizeBytes, wantedBytes: this.wantedBytes, host, lastError }),
      state: this.#state,
      receivedBytes: this.receivedBytes,
      bytesPerSecond: Math.round(meanOverMs === undefined ? rate.bytesPerSecond(nowMs) : (this.receivedBytes / meanOverMs) * 1000),
      isOfChunks: this.isOfChunks,
      sources: sources.map(({ host: from, isMirror, bytes }) => ({ host: from, isMirror, bytes })),
      retries,
      ...present({ startedAt: isoTime(this.#startedAtMs), receivedAt: isoTime(this.#receivedAtMs), endedAt: isoTime(this.#endedAtMs) }),
    };
  }
}

/** What a download tells a layer's progress. */
export function seenBy(progress: LayerProgress): { took(bytes: number): void; retried(error: unknown): void } {
  return {
    took: (bytes) => {
      progress.took(bytes);
    },
    retried: (error) => {
      progress.arrivals.retried(error, 'stream');
    },
  };
}

/** How far a pull is: a live object, to be read by whoever shows it. */
export class PullProgress {
  readonly image: string;
  readonly startedAtMs = Date.now();
  /** How the documents come. */
  readonly documents: Arrivals;
  step: PullSnapshot['step'] = 'resolving';
  layers: readonly LayerProgress[] = [];
  readonly #askers = new Set<PullAsker>();
  /** Who has left last. */
  #last: readonly PullAsker[] = [];
  readonly #id: number;
  readonly #counts: PullCounts;
  readonly #rate = new RateMeter();
  #end:
    | { readonly atMs: number; readonly outcome: 'OK' | ErrorKind; readonly error?: string; readonly askers: readonly PullAsker[] }
    | undefined;

  constructor(id: number, image: string, counts: PullCounts = NO_COUNTS) {
    this.#id = id;
    this.image = shortName(image);
    this.#counts = counts;
    this.documents = new Arrivals(counts);
  }

  newArrivals(): Arrivals {
    return new Arrivals(this.#counts, this.#rate);
  }

  begin(): void {
    this.#counts.begun();
  }

  /** @param failure undefined where the image is there. */
  end(failure?: unknown): void {
    for (const { arrivals } of this.layers) arrivals.settle();
    this.documents.settle();
    const end = { atMs: Date.now(), askers: this.#askers.size === 0 ? this.#last : [...this.#askers] };
    if (failure === undefined) this.#end = { ...end, outcome: 'OK' };
    else this.#end = { ...end, outcome: kindOf(failure), error: shortWords(failure) };
    const layers = { fetched: 0, chunks: 0, present: 0, dropped: 0 };
    for (const layer of this.layers) layers[outcomeOf(layer)] += 1;
    this.#counts.ended({ outcome: this.#end.outcome, ms: end.atMs - this.startedAtMs, layers });
  }

  /** Somebody waits for it, until the function returned is called. */
  join(asker: PullAsker): () => void {
    const own = { ...asker };
    this.#askers.add(own);
    return () => {
      this.#last = [own];
      this.#askers.delete(own);
    };
  }

  get isWanted(): boolean {
    return this.#askers.size > 0;
  }

  snapshot(nowMs = Date.now()): PullSnapshot {
    const { layers, documents } = this;
    const end = this.#end;
    const totals = totalsOf(layers);
    const overMs = Math.max((end?.atMs ?? nowMs) - this.startedAtMs, 1);
    const rate = end === undefined ? this.#rate.bytesPerSecond(nowMs) : (totals.transferredBytes / overMs) * 1000;
    const isUnderWay = end === undefined && this.step === 'fetching';
    const leftBytes = totals.wantedBytes === undefined ? undefined : totals.wantedBytes - totals.receivedBytes;
    const askers = end?.askers ?? [...this.#askers];
    return {
      id: this.#id,
      image: this.image,
      step: this.step,
      askers: askers.slice(0, MAX_ASKERS),
      askersLeftOut: Math.max(askers.length - MAX_ASKERS, 0),
      startedAt: new Date(this.startedAtMs).toISOString(),
      ...present({ endedAt: isoTime(end?.atMs), outcome: end?.outcome, error: end?.error }),
      ...present({ wantedBytes: layers.length === 0 ? undefined : totals.wantedBytes }),
      receivedBytes: totals.receivedBytes,
      transferredBytes: totals.transferredBytes,
      bytesPerSecond: Math.round(rate),
      ...present({ secondsLeft: isUnderWay && leftBytes !== undefined && rate >= 1 ? Math.ceil(leftBytes / rate) : undefined }),
      retries: totals.retries + documents.retries,
      ...present({ host: documents.host, lastError: documents.lastError }),
      layerCount: layers.length,
      layers: shownOf(layers).map((layer) => layer.snapshot(nowMs)),
    };
  }
}

function outcomeOf({ state, isOfChunks }: LayerProgress): LayerOutcome {
  if (state === 'present') return 'present';
  if (state !== 'unpacked') return 'dropped';
  return isOfChunks ? 'chunks' : 'fetched';
}

function totalsOf(layers: readonly LayerProgress[]): {
  wantedBytes: number | undefined;
  receivedBytes: number;
  transferredBytes: number;
  retries: number;
} {
  const totals = { wantedBytes: 0 as number | undefined, receivedBytes: 0, transferredBytes: 0, retries: 0 };
  for (const { wantedBytes, receivedBytes, arrivals } of layers) {
    totals.wantedBytes = totals.wantedBytes === undefined || wantedBytes === undefined ? undefined : totals.wantedBytes + wantedBytes;
    totals.receivedBytes += receivedBytes;
    totals.transferredBytes += arrivals.transferredBytes;
    totals.retries += arrivals.retries;
  }
  return totals;
}

const ORDER: Readonly<Record<LayerState, number>> = { failed: 0, fetching: 0, unpacking: 0, waiting: 1, unpacked: 2, present: 3 };

function shownOf(layers: readonly LayerProgress[]): readonly LayerProgress[] {
  if (layers.length <= MAX_LAYERS) return layers;
  return layers.toSorted((a, b) => ORDER[a.state] - ORDER[b.state]).slice(0, MAX_LAYERS);
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
