/**
 * The log of a container, as the CRI has it: lines of `TIME STREAM TAG TEXT`, where a line of the container may stand in several, all
 * but the last with the tag P. What goes through is never kept: a line may be of any length.
 */
export type LogStream = 'stdout' | 'stderr';

/** One logged line's words before its text, and where they begin in the file. */
export interface LogHeader {
  readonly time: string;
  readonly stream: LogStream;
  readonly isPartial: boolean;
}

export interface LogFilter {
  /** Lines that were written before this are left out, Unix time, milliseconds. */
  readonly sinceMs?: number | undefined;
  /** Where in the file each stream's first line stands that counts, bytes. */
  readonly from?: Readonly<Record<LogStream, number>> | undefined;
  readonly timestamps: boolean;
}

/** Text of the container, for one of its streams. */
export type LogOutput = (stream: LogStream, text: Buffer) => void;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const EMPTY = Buffer.alloc(0);
/** A time, a stream and a tag; a line whose third space is not within this is of another form, bytes. */
export const LONGEST_HEADER_BYTES = 160;

/** Of RFC 3339. */
const LOOKS_LIKE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** Undefined where it is of another form. */
export function parseHeader(text: string): LogHeader | undefined {
  const [time = '', stream, tags] = text.split(' ');
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const [tag] = (tags ?? '').split(':');
  if ((tag !== 'P' && tag !== 'F') || !LOOKS_LIKE_TIME.test(time)) return undefined;
  return { time, stream, isPartial: tag === 'P' };
}

/** Takes a log file piece by piece, and gives out what the container wrote. */
export class LogParser {
  readonly #filter: LogFilter;
  readonly #output: LogOutput;
  /** Streams that are within a line of the container, and whether it is shown. */
  readonly #open = new Map<LogStream, boolean>();
  /** Streams that have come to the first time that counts. */
  readonly #reached = new Set<LogStream>();
  #head: Buffer = EMPTY;
  #lineAt = 0;
  #line: { readonly header: LogHeader; readonly isShown: boolean } | undefined;
  /** Positions of an earlier file say nothing of this one. */
  #isFirstFile = true;

  constructor(filter: LogFilter, output: LogOutput) {
    this.#filter = filter;
    this.#output = output;
  }

  /** The next bytes, which stand at `position` of the file. */
  push(chunk: Buffer, position: number): void {
    let at = 0;
    while (at < chunk.length) at = this.#line === undefined ? this.#takeHead(chunk, at, position) : this.#takeText(chunk, at, this.#line);
  }

  /** What follows is another file, from its start. */
  nextFile(): void {
    this.#head = EMPTY;
    this.#line = undefined;
    this.#isFirstFile = false;
  }

  #takeHead(chunk: Buffer, at: number, position: number): number {
    if (this.#head.length === 0) this.#lineAt = position + at;
    const { end, isWhole } = endOfHead(this.#head, chunk, at);
    const text = this.#head.length === 0 ? chunk.subarray(at, end) : Buffer.concat([this.#head, chunk.subarray(at, end)]);
    if (!isWhole) {
      this.#head = Buffer.from(text); // what it stands in is used again
      return end;
    }
    this.#head = EMPTY;
    const isLine = text.at(-1) === NEWLINE;
    const header = parseHeader(text.toString('latin1', 0, text.length - 1));
    if (header === undefined) {
      this.#odd(text, isLine);
      return end;
    }
    const isShown = this.#begin(header);
    this.#line = { header, isShown };
    if (isLine) this.#end(header, isShown); // an empty line without the space before its text
    return end;
  }

  /** A line of another form, which something else has written here: shown as it is, rather than hidden. */
  #odd(text: Buffer, isWhole: boolean): void {
    const header = { time: '', stream: 'stdout', isPartial: false } as const;
    const isShown = this.#filter.from === undefined || !this.#isFirstFile || this.#lineAt >= this.#filter.from.stdout;
    if (isShown) this.#output('stdout', text);
    this.#line = isWhole ? undefined : { header, isShown };
  }

  #begin(header: LogHeader): boolean {
    const { stream, time } = header;
    const going = this.#open.get(stream);
    if (going !== undefined) return going;
    const isShown = this.#counts(header);
    this.#open.set(stream, isShown);
    if (isShown && this.#filter.timestamps) this.#output(stream, Buffer.from(`${time} `));
    return isShown;
  }

  #counts({ stream, time }: LogHeader): boolean {
    const { from, sinceMs } = this.#filter;
    if (from !== undefined && this.#isFirstFile && this.#lineAt < from[stream]) return false;
    if (sinceMs === undefined || this.#reached.has(stream)) return true;
    if (Date.parse(time) < sinceMs) return false;
    this.#reached.add(stream);
    return true;
  }

  #takeText(chunk: Buffer, at: number, { header, isShown }: { readonly header: LogHeader; readonly isShown: boolean }): number {
    const newline = chunk.indexOf(NEWLINE, at);
    const end = newline < 0 ? chunk.length : newline;
    if (isShown && end > at) this.#output(header.stream, chunk.subarray(at, end));
    if (newline < 0) return end;
    this.#end(header, isShown);
    return end + 1;
  }

  #end({ stream, isPartial }: LogHeader, isShown: boolean): void {
    this.#line = undefined;
    if (isPartial) return;
    this.#open.delete(stream);
    if (isShown) this.#output(stream, Buffer.of(NEWLINE));
  }
}

/** Behind the third space, the newline, or all that may be taken, whichever comes first; or as far as there is something. */
function endOfHead(head: Buffer, chunk: Buffer, at: number): { readonly end: number; readonly isWhole: boolean } {
  let spaces = 0;
  for (const byte of head) if (byte === SPACE) spaces += 1;
  const most = at + LONGEST_HEADER_BYTES - head.length;
  for (let end = at; end < Math.min(chunk.length, most); end += 1) {
    const byte = chunk[end];
    if (byte === SPACE) spaces += 1;
    if (byte === NEWLINE || spaces === 3) return { end: end + 1, isWhole: true };
  }
  return most <= chunk.length ? { end: most, isWhole: true } : { end: chunk.length, isWhole: false };
}
