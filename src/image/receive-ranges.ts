import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { letGo } from '../base/let-go.ts';
import type { Slots, Release } from '../base/slots.ts';
import { mayPass, receive, RETRY_PAUSE_MS, WRITE_BYTES } from './receive.ts';
import type { OpenContent, OpenedContent, ReceiveOptions } from './receive.ts';

export interface RangeOptions extends ReceiveOptions {
  readonly sizeBytes: number;
  readonly rangeBytes: number;
  /** Where further streams get their slots. */
  readonly slots: Slots;
  /** The slot of the first stream; all are given back when this ends. */
  readonly slot: Release;
}

/** Ranges that may be fetched or here before the lowest one is, for each stream: the file is to be read from its beginning. */
const AHEAD = 2;
/** A range that receives nothing for so long while another stream has nothing to do is taken over by that one. */
const TAKE_OVER_MS = 5000;
const LOOK_MS = 500;

/** One part of the content, and how far it is. */
interface Range {
  readonly endBytes: number;
  /** Up to where it is in the file. */
  atBytes: number;
  movedAtMs: number;
  /** Set while a stream has it: ends that stream's work on it. */
  stop: AbortController | undefined;
}

/**
 * Like {@link receive}, in ranges of which several come side by side, as many as there are slots to spare. Where a range is
 * answered with the whole, that is taken as one stream; a stream that is refused or stands still is left to the others, and no
 * further ones are opened. `written` is told what is there from the beginning on without a gap.
 */
export async function receiveInRanges(path: string, source: OpenContent, options: RangeOptions): Promise<number> {
  const stop = new AbortController();
  const first = await openFirst(source, stop, options);
  if (first?.isRange !== true) return await receive(path, resumed(source, first), options);
  const file = await open(path, 'r+');
  let startBytes: number;
  try {
    const work = new RangedWork(file, source, options);
    await work.run(first, stop);
    if (work.isWhole) return options.sizeBytes;
    startBytes = work.prefixBytes;
    options.took?.(startBytes - work.takenBytes); // what lies behind comes again
  } finally {
    await file.close();
  }
  const slot = await options.slots.acquire(options.signal);
  try {
    return await receive(path, source, { ...options, startBytes });
  } finally {
    slot();
  }
}

/** The answer for the first range; undefined where the server did not like the question: it may like the plain one. */
async function openFirst(source: OpenContent, stop: AbortController, options: RangeOptions): Promise<OpenedContent | undefined> {
  const { signal, rangeBytes } = options;
  try {
    return await source(0, AbortSignal.any([signal, stop.signal]), rangeBytes);
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal);
    if (kindOf(error) === 'NotFound' || kindOf(error) === 'PermissionDenied' || !(error instanceof DaemonError)) throw error;
    return undefined;
  }
}

/** The source, whose first answer is here already. */
function resumed(source: OpenContent, first: OpenedContent | undefined): OpenContent {
  let next = first;
  return async (offsetBytes, signal) => {
    const answer = offsetBytes === 0 ? next : undefined;
    next = undefined;
    return answer ?? (await source(offsetBytes, signal));
  };
}

class RangedWork {
  readonly #file: FileHandle;
  readonly #source: OpenContent;
  readonly #options: RangeOptions;
  readonly #ranges: Range[] = [];
  readonly #streams = new Set<Promise<void>>();
  /** Most streams; falls when one fails, so that a server that limits connections is not asked for more again. */
  #mostStreams = Infinity;
  #active = 0;
  #lowest = 0;
  #toldBytes = 0;
  #failure: Error | undefined;
  /** Wakes the streams that wait for something to do. */
  readonly #over = new AbortController();
  /** A server that knows no ranges after all: what is missing comes as one stream. */
  #isPlain = false;
  /** The answer for the lowest range, which has come already. */
  #first: { readonly answer: OpenedContent; readonly stop: AbortController } | undefined;

  constructor(file: FileHandle, source: OpenContent, options: RangeOptions) {
    this.#file = file;
    this.#source = source;
    this.#options = options;
    for (let at = 0; at < options.sizeBytes; at += options.rangeBytes) {
      this.#ranges.push({ atBytes: at, endBytes: Math.min(at + options.rangeBytes, options.sizeBytes), movedAtMs: 0, stop: undefined });
    }
  }

  get isWhole(): boolean {
    return this.#lowest === this.#ranges.length;
  }

  /** Bytes that are there from the beginning on. */
  get prefixBytes(): number {
    return this.#ranges[this.#lowest]?.atBytes ?? this.#options.sizeBytes;
  }

  /** Bytes that are there, with gaps between them. */
  get takenBytes(): number {
    const { rangeBytes } = this.#options;
    return this.#ranges.reduce((sum, { atBytes }, index) => sum + atBytes - index * rangeBytes, 0);
  }

  /** Fetches all ranges; less than all where the server turns out to know none. @throws the last stream's failure; the signal's reason. */
  async run(answer: OpenedContent, stop: AbortController): Promise<void> {
    this.#first = { answer, stop };
    this.#start(this.#options.slot);
    while (this.#streams.size > 0) await Promise.all(this.#streams);
    if (this.#options.signal.aborted) throw reasonOf(this.#options.signal);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #start(slot: Release): void {
    this.#active += 1;
    const stream = this.#stream().finally(() => {
      slot();
      this.#streams.delete(stream);
    });
    this.#streams.add(stream);
  }

  /** One stream: takes ranges until there are none, or another has reason to have its slot. Never rejects. */
  async #stream(): Promise<void> {
    const { signal, retries = 0, pause = sleep, slots } = this.#options;
    for (let failures = 0; !this.#isOver();) {
      if (slots.isWanted && this.#leave()) return;
      const range = this.#take();
      if (range === undefined) {
        await sleep(LOOK_MS, AbortSignal.any([signal, this.#over.signal]));
        continue;
      }
      this.#spread();
      const before = range.atBytes;
      try {
        await this.#fetch(range);
        failures = 0;
      } catch (error) {
        if (this.#options.signal.aborted) return;
        if (this.#leave()) {
          this.#mostStreams = this.#active;
          this.#options.retried?.(error);
          return;
        }
        failures = range.atBytes > before ? 1 : failures + 1;
        if (this.#isOver()) return;
        if (failures > retries || !mayPass(error)) {
          this.#end(error);
          return;
        }
        this.#options.retried?.(error);
        await pause(RETRY_PAUSE_MS * 2 ** (failures - 1), signal);
      }
    }
  }

  #end(failure: unknown): void {
    this.#failure ??= failure instanceof Error ? failure : new DaemonError('Internal', messageOf(failure));
    this.#over.abort();
  }

  /** Whether this stream may end, since another goes on. */
  #leave(): boolean {
    if (this.#active === 1) return false;
    this.#active -= 1;
    return true;
  }

  #isOver(): boolean {
    return this.isWhole || this.#failure !== undefined || this.#isPlain || this.#options.signal.aborted;
  }

  /** Opens further streams while there are ranges and slots for them. */
  #spread(): void {
    while (this.#active < this.#mostStreams && this.#free(this.#active + 1) !== undefined) {
      const slot = this.#options.slots.tryAcquire();
      if (slot === undefined) return;
      this.#start(slot);
    }
  }

  #free(streams: number): Range | undefined {
    return this.#ranges
      .slice(this.#lowest, this.#lowest + streams * AHEAD)
      .find(({ atBytes, endBytes, stop }) => stop === undefined && atBytes < endBytes);
  }

  /** A range that nobody has, or one that stands still, from who has it. */
  #take(): Range | undefined {
    const free = this.#free(this.#active);
    if (free !== undefined) return this.#mark(free);
    const still = this.#ranges.find(({ stop, movedAtMs }) => stop !== undefined && Date.now() - movedAtMs > TAKE_OVER_MS);
    still?.stop?.abort(new DaemonError('Unavailable', 'the range was taken over'));
    return still === undefined ? undefined : this.#mark(still);
  }

  #mark(range: Range): Range {
    range.stop = range.atBytes === 0 && this.#first !== undefined ? this.#first.stop : new AbortController();
    range.movedAtMs = Date.now();
    return range;
  }

  async #fetch(range: Range): Promise<void> {
    const { what } = this.#options;
    const mine = range.stop as AbortController;
    const signal = AbortSignal.any([this.#options.signal, mine.signal]);
    try {
      const start = range.atBytes;
      const answer = this.#takeFirst(mine) ?? (await this.#source(start, signal, range.endBytes));
      if (answer.isRange !== true || answer.offsetBytes !== start) {
        await answer.content[Symbol.asyncIterator]().return?.();
        this.#isPlain = this.#active === 1;
        throw new DaemonError(
          'RegistryUnavailable',
          `RegistryUnavailable: ${what}: the registry does not send the range that it was asked for`,
        );
      }
      await this.#copy(answer, range, mine, signal);
      if (range.atBytes < range.endBytes) {
        const words = `a range ended at ${range.atBytes} bytes, must go on to ${range.endBytes}`;
        throw new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${what}: ${words}`);
      }
    } finally {
      if (range.stop === mine) range.stop = undefined;
    }
  }

  #takeFirst(mine: AbortController): OpenedContent | undefined {
    if (this.#first?.stop !== mine) return undefined;
    const { answer } = this.#first;
    this.#first = undefined;
    return answer;
  }

  async #copy(answer: OpenedContent, range: Range, mine: AbortController, signal: AbortSignal): Promise<void> {
    let pieces: Uint8Array[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (signal.aborted) throw reasonOf(signal);
      const [writing, expected] = [pieces, bytes];
      pieces = [];
      bytes = 0;
      if (expected > 0) await this.#write(writing, expected, range, mine);
      if (answer.isHandedOver === true) writing.forEach(letGo);
    };
    try {
      for await (const piece of answer.content) {
        const wanted = piece.subarray(0, range.endBytes - range.atBytes - bytes);
        pieces.push(wanted);
        bytes += wanted.length;
        range.movedAtMs = Date.now();
        if (bytes >= WRITE_BYTES) await flush();
        if (wanted.length < piece.length) break; // more than was asked for
      }
    } catch (error) {
      if (!signal.aborted) await flush(); // what came is good
      throw error;
    }
    await flush();
  }

  async #write(pieces: Uint8Array[], expected: number, range: Range, mine: AbortController): Promise<void> {
    const { what, written, took } = this.#options;
    let bytesWritten: number;
    try {
      ({ bytesWritten } = await this.#file.writev(pieces, range.atBytes));
    } catch (error) {
      throw this.#fail(new DaemonError('ResourceExhausted', `${what}: ${messageOf(error)}`, { cause: error }));
    }
    if (bytesWritten !== expected)
      throw this.#fail(new DaemonError('ResourceExhausted', `${what}: only ${bytesWritten} of ${expected} bytes could be written`));
    if (range.stop !== mine) return; // taken over meanwhile: the other stream counts
    range.atBytes += bytesWritten;
    took?.(bytesWritten);
    while (this.#lowest < this.#ranges.length && this.prefixBytes === this.#ranges[this.#lowest]?.endBytes) this.#lowest += 1;
    if (this.isWhole) this.#over.abort();
    if (this.prefixBytes <= this.#toldBytes) return;
    this.#toldBytes = this.prefixBytes;
    written(this.#toldBytes);
  }

  /** A failure of ours, which no other stream can do better. */
  #fail(error: DaemonError): DaemonError {
    this.#end(error);
    for (const { stop } of this.#ranges) stop?.abort(error);
    return error;
  }
}
