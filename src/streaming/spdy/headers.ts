import { createInflate, type Inflate } from 'node:zlib';
import { DaemonError, fail } from '../../base/errors.ts';
import { HEADER_DICTIONARY } from './dictionary.ts';

/** Most a header block may become when inflated; the clients' are under 200 bytes. More is taken for a zip bomb. */
const MOST_INFLATED_BYTES = 64 * 1024;
const MOST_HEADERS = 100;

/** Headers by their name in lower case; a header with several values has them apart by NUL. */
export type Headers = ReadonlyMap<string, string>;

/** Inflates a connection's header blocks, which are one zlib stream, and reads them. One block at a time. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: HEADER_DICTIONARY });
  #pieces: Buffer[] = [];
  #sizeBytes = 0;
  #abort: ((error: Error) => void) | undefined;

  constructor() {
    this.#inflate.on('data', (piece: Buffer) => {
      this.#pieces.push(piece);
      this.#sizeBytes += piece.length;
      if (this.#sizeBytes > MOST_INFLATED_BYTES) this.#abort?.(invalid(`inflates to more than ${MOST_INFLATED_BYTES} bytes`));
    });
    this.#inflate.on('error', (error) => this.#abort?.(invalid(error.message)));
    this.#inflate.on('end', () => this.#abort?.(invalid('ends the stream of all blocks')));
    this.#inflate.on('close', () => this.#abort?.(invalid('comes after the end')));
  }

  /** @throws {DaemonError} InvalidArgument for a block that is broken or too big; no further block can be read then. */
  async read(block: Buffer): Promise<Headers> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    if (this.#inflate.destroyed) throw invalid('comes after the end');
    this.#abort = (error) => {
      this.#inflate.destroy();
      reject(error);
    };
    this.#inflate.write(block, (error) => {
      if (error) reject(invalid(error.message));
      else resolve(undefined);
    });
    try {
      await promise;
    } finally {
      this.#abort = undefined;
    }
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#sizeBytes = 0;
    return parseHeaders(bytes);
  }

  /** Releases the memory of zlib. */
  close(): void {
    this.#inflate.destroy();
  }
}

function invalid(what: string): DaemonError {
  return new DaemonError('InvalidArgument', `read a SPDY header block: it ${what}`);
}

/** Reads an inflated block: the count, then each name and value after its length. Section 2.6.10. */
export function parseHeaders(block: Buffer): Headers {
  let offset = 0;
  const word = (): number => {
    if (offset + 4 > block.length) throw invalid('is cut short');
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const end = word() + offset;
    if (end > block.length) throw invalid('is cut short');
    const value = block.toString('utf8', offset, end);
    offset = end;
    return value;
  };
  const count = word();
  if (count > MOST_HEADERS) fail('InvalidArgument', `read a SPDY header block: it has ${count} headers, must be at most ${MOST_HEADERS}`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    const name = text().toLowerCase();
    headers.set(name, text());
  }
  return headers;
}

// A header block without headers, as a *stored* deflate block (RFC 1951, 3.2.4) of the four bytes 00 00 00 00. The empty
// stored block behind it is what a flush leaves: Go's inflater hands out nothing of a later block without it.
const EMPTY_HEADERS = Buffer.from('000400fbff00000000' + '000000ffff', 'hex');
const ZLIB_HEADER = Buffer.from('7801', 'hex');

/** Writes the header blocks of our replies, which never carry a header. */
export class EmptyHeaderWriter {
  #begun = false;

  next(): Buffer {
    if (this.#begun) return EMPTY_HEADERS;
    this.#begun = true;
    return Buffer.concat([ZLIB_HEADER, EMPTY_HEADERS]);
  }
}
