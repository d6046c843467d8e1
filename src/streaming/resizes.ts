import type { TerminalSize } from './backend.ts';

/** A size message is some 30 bytes; what has not become one within this many is no size. */
const LONGEST_MESSAGE_BYTES = 1024;
const MOST_CELLS = 65_535;

/** Cuts the bytes of a resize stream, JSON objects one after another (`{"Width":80,"Height":24}`), into sizes. */
export class ResizeDecoder {
  #pending = '';

  /** The sizes that `chunk` completes. What is not a size is left out. */
  push(chunk: Uint8Array): TerminalSize[] {
    this.#pending += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const objects = this.#pending.split('}');
    const rest = objects.pop() ?? '';
    this.#pending = rest.length > LONGEST_MESSAGE_BYTES ? '' : rest;
    return objects.map((text) => parseSize(`${text}}`)).filter((size) => size !== undefined);
  }
}

function parseSize(text: string): TerminalSize | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  // Go's decoder, which every other server uses, does not mind the case of names.
  const fields = new Map(Object.entries(value).map(([name, field]): [string, unknown] => [name.toLowerCase(), field]));
  const width = fields.get('width');
  const height = fields.get('height');
  return isCells(width) && isCells(height) ? { width, height } : undefined;
}

function isCells(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= MOST_CELLS;
}

/** The sizes of one terminal, for one reader. Only the newest that was not read yet is kept. */
export class Resizes implements AsyncIterable<TerminalSize> {
  #newest: TerminalSize | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  push(size: TerminalSize): void {
    if (this.#ended) return;
    this.#newest = size;
    this.#wake?.();
  }

  /** No size will come any more. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The next size; undefined once ended, or after `withinMs` without one. */
  async next(withinMs?: number): Promise<TerminalSize | undefined> {
    if (this.#newest === undefined && !this.#ended) await this.#change(withinMs);
    const size = this.#newest;
    this.#newest = undefined;
    return size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize, void> {
    for (;;) {
      const size = await this.next();
      if (size === undefined) return;
      yield size;
    }
  }

  async #change(withinMs: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => {
      resolve(undefined);
    };
    const timer = withinMs === undefined ? undefined : setTimeout(wake, withinMs);
    this.#wake = wake;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}
