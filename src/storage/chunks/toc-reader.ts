import { DaemonError } from '../../base/errors.ts';
import type { Digest } from '../../base/ids.ts';

/** What a table of contents says of one entry; the reader of a file puts its `chunk` entries together. */
export interface TocEntry {
  readonly type: string;
  /** As it came: UTF-8 that has been read as such. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest: string;
  readonly offset: number;
  readonly endOffset: number;
  readonly chunkBytes: number;
  readonly chunkOffset: number;
  readonly chunkDigest: string;
  readonly isZeros: boolean;
}

export interface TocEnd {
  /** Of the compressed tar-split; old tools write none. */
  readonly tarSplitDigest?: Digest | undefined;
}

/** Most bytes of one entry: extended attributes make it large. */
const MAX_ENTRY_BYTES = 1024 * 1024;
/** Most bytes of what is not an entry. */
const MAX_SHELL_BYTES = 64 * 1024;
/** An entry's attributes are the fourth level. */
const MAX_DEPTH = 8;
/** Most entries: directories, links and the like beside the files and their chunks, which have a limit of their own. */
const MAX_ENTRIES = 1_000_000;

const [QUOTE, BACKSLASH, COMMA, SPACE, TAB, NEWLINE, RETURN] = [0x22, 0x5c, 0x2c, 0x20, 0x09, 0x0a, 0x0d];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

/** Most letters of what is said of a table, which may quote it: a name has up to a million. */
const MAX_WHY_LETTERS = 500;

export function badToc(why: string): DaemonError {
  return new DaemonError('InvalidArgument', `read table of contents: ${why.slice(0, MAX_WHY_LETTERS)}`);
}

/**
 * Reads the table of contents of a zstd:chunked layer (containers/storage, pkg/chunked/internal/minimal, TOC), pushed in pieces
 * of any size. Each entry is parsed by itself, so that memory is bounded whatever it holds.
 */
export class TocReader {
  readonly #take: (entry: TocEntry) => void;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInEntry = false;
  #entry: Buffer[] = [];
  #entryBytes = 0;
  #entries = 0;
  #shell: number[] = [];

  /** @param take gets the entries in their order. */
  constructor(take: (entry: TocEntry) => void) {
    this.#take = take;
  }

  /** @throws InvalidArgument for what is no such table. */
  push(piece: Buffer): void {
    let from = 0;
    for (let index = 0; index < piece.length; index += 1) {
      const byte = piece[index] as number;
      const wasInEntry = this.#isInEntry;
      const isShell = this.#step(byte);
      if (!wasInEntry && this.#isInEntry) from = index;
      else if (wasInEntry && !this.#isInEntry) {
        this.#keep(piece.subarray(from, index + 1));
        this.#endEntry();
      } else if (isShell) this.#shell.push(byte);
    }
    if (this.#isInEntry) this.#keep(Buffer.from(piece.subarray(from)));
    if (this.#shell.length > MAX_SHELL_BYTES)
      throw badToc(`it has ${this.#shell.length} bytes beside its entries, must have at most ${MAX_SHELL_BYTES}`);
  }

  /** @throws InvalidArgument where it is not whole. */
  end(): TocEnd {
    let shell: unknown;
    try {
      shell = JSON.parse(Buffer.from(this.#shell).toString('utf8'));
    } catch (error) {
      throw badToc(`it is no JSON: ${String(error)}`);
    }
    const { version, entries, tarSplitDigest } = (shell ?? {}) as Record<string, unknown>;
    if (version !== 1) throw badToc(`its version is ${JSON.stringify(version)}, must be 1`);
    if (!Array.isArray(entries) || entries.length > 0) throw badToc('its entries are not a list of objects');
    if (tarSplitDigest === undefined) return {};
    if (typeof tarSplitDigest !== 'string' || !tarSplitDigest.startsWith('sha256:')) throw badToc('tarSplitDigest is no digest');
    return { tarSplitDigest: tarSplitDigest as Digest };
  }

  /** Takes one byte in. Returns whether it is part of what surrounds the entries. */
  #step(byte: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#isInString = false;
      return !this.#isInEntry;
    }
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      this.#depth += 1;
      if (this.#depth > MAX_DEPTH) throw badToc(`it is nested ${this.#depth} deep`);
      if (this.#depth === 3 && byte === OPEN_BRACE) this.#isInEntry = true;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      this.#depth -= 1;
      if (this.#depth < 0) throw badToc('it is no JSON');
      if (this.#depth === 2 && this.#isInEntry) this.#isInEntry = false;
    } else if (this.#depth === 2) {
      return !(byte === COMMA || byte === SPACE || byte === TAB || byte === NEWLINE || byte === RETURN);
    }
    return !this.#isInEntry;
  }

  #keep(part: Buffer): void {
    this.#entry.push(part);
    this.#entryBytes += part.length;
    if (this.#entryBytes > MAX_ENTRY_BYTES) throw badToc(`an entry has more than ${MAX_ENTRY_BYTES} bytes`);
  }

  #endEntry(): void {
    this.#entries += 1;
    if (this.#entries > MAX_ENTRIES) throw badToc(`it has more than ${MAX_ENTRIES} entries`);
    const bytes = this.#entry.length === 1 ? (this.#entry[0] as Buffer) : Buffer.concat(this.#entry);
    this.#entry = [];
    this.#entryBytes = 0;
    let fields: Record<string, unknown>;
    try {
      fields = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    } catch (error) {
      throw badToc(`an entry is no JSON: ${String(error)}`);
    }
    this.#take({
      type: textOf(fields, 'type'),
      name: textOf(fields, 'name'),
      sizeBytes: countOf(fields, 'size'),
      digest: textOf(fields, 'digest'),
      offset: countOf(fields, 'offset'),
      endOffset: countOf(fields, 'endOffset'),
      chunkBytes: countOf(fields, 'chunkSize'),
      chunkOffset: countOf(fields, 'chunkOffset'),
      chunkDigest: textOf(fields, 'chunkDigest'),
      isZeros: textOf(fields, 'chunkType') === 'zeros',
    });
  }
}

function textOf(fields: Record<string, unknown>, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string') throw badToc(`${name} of an entry is no text`);
  return value;
}

function countOf(fields: Record<string, unknown>, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw badToc(`${name} of an entry is no count`);
  return value;
}
