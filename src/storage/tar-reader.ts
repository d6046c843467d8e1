import type { ByteString, Timestamp } from '../linux/at-calls.ts';
import { showBytes } from '../linux/at-calls.ts';
import { badTar, BLOCK_BYTES, readHeader, readPaxRecords, readPaxTime } from './tar-header.ts';
import type { RawHeader, TarEntry, TarEntryType } from './tar-header.ts';

/** What a {@link TarReader} hands its entries to, in the archive's order. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** A piece of the data of the file entry before; valid during the call only. */
  data(piece: Buffer): void;
  /** The file entry before is complete. */
  endOfFile(): void;
}

/** Most that one pax or GNU name header may hold, bytes: what Go's archive/tar and so the other runtimes accept. */
const MAX_EXTENSION_BYTES = 1024 * 1024;
const MAX_ID = 0xffff_fffe; // (uid_t)-1 means "leave as it is" to chown(2)

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

const ATTRIBUTE_PREFIX = 'SCHILY.xattr.';

/**
 * Reads a tar that is pushed in pieces of any size: ustar, pax, GNU (long names, base-256 numbers) and v7. Archives with GNU
 * sparse files are refused. Memory is bounded: data is passed on as it comes.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #header = Buffer.alloc(BLOCK_BYTES);
  #headerBytes = 0;
  /** What the bytes to come are. */
  #state: 'header' | 'file' | 'extension' | 'skip' | 'ended' = 'header';
  #left = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #extension: { readonly type: string; readonly data: Buffer; filled: number } | undefined;
  readonly #global = new Map<ByteString, Buffer>();
  #pax: Map<ByteString, Buffer> | undefined;
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Reads on. @throws InvalidArgument where this is no tar; what the sink throws passes through. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'ended') return; // what follows the two blocks of zeros is nobody's
      if (this.#state === 'header') at = this.#takeHeader(chunk, at);
      else at = this.#takeData(chunk, at);
    }
  }

  /** Says that nothing follows. @throws InvalidArgument where the archive stops inside an entry. */
  end(): void {
    if (this.#state === 'ended') return;
    if (this.#state !== 'header' || this.#headerBytes > 0 || this.#hasExtensions()) {
      throw badTar('unexpected end: the archive is truncated');
    }
  }

  /** Whether the end mark has been read. */
  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** For readers that can seek: passes over the data of the file entry just read. Returns how many bytes not to push. */
  skipFile(): number {
    if (this.#state !== 'file') return 0;
    const skipped = this.#left + this.#padding;
    this.#left = this.#padding = 0;
    this.#endData();
    return skipped;
  }

  #hasExtensions(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= BLOCK_BYTES) {
      this.#readHeader(chunk.subarray(at, at + BLOCK_BYTES));
      return at + BLOCK_BYTES;
    }
    const taken = Math.min(BLOCK_BYTES - this.#headerBytes, chunk.length - at);
    chunk.copy(this.#header, this.#headerBytes, at, at + taken);
    this.#headerBytes += taken;
    if (this.#headerBytes === BLOCK_BYTES) {
      this.#headerBytes = 0;
      this.#readHeader(this.#header);
    }
    return at + taken;
  }

  #takeData(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#left, chunk.length - at);
    if (taken > 0) {
      const piece = chunk.subarray(at, at + taken);
      if (this.#state === 'file') this.#sink.data(piece);
      else if (this.#extension !== undefined) {
        piece.copy(this.#extension.data, this.#extension.filled);
        this.#extension.filled += taken;
      }
      this.#left -= taken;
    }
    if (this.#left === 0) this.#endData();
    return at + taken;
  }

  #endData(): void {
    const ended = this.#state;
    this.#state = 'header';
    if (ended === 'file') this.#sink.endOfFile();
    else if (ended === 'extension') this.#endExtension();
    if (this.#padding > 0) {
      this.#state = 'skip';
      this.#left = this.#padding;
      this.#padding = 0;
    }
  }

  #readHeader(block: Buffer): void {
    const header = readHeader(block);
    if (header === undefined) {
      this.#zeroBlocks += 1;
      if (this.#hasExtensions()) throw badTar('unexpected end: the archive is truncated');
      if (this.#zeroBlocks === 2) this.#state = 'ended';
      return;
    }
    if (this.#zeroBlocks > 0) throw badTar('an entry follows a block of zeros: the archive is damaged');
    if (header.sizeBytes < 0) throw badTar(`entry '${showBytes(header.name)}': size ${header.sizeBytes} is negative`);
    if ('xgLK'.includes(header.type)) this.#beginExtension(header);
    else this.#beginEntry(header);
  }

  #begin(state: 'file' | 'extension' | 'skip', sizeBytes: number): void {
    this.#left = sizeBytes;
    this.#padding = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    this.#state = state;
    if (sizeBytes === 0) this.#endData();
  }

  #beginExtension(header: RawHeader): void {
    if (header.sizeBytes > MAX_EXTENSION_BYTES) {
      throw badTar(`a header of type ${header.type} has ${header.sizeBytes} bytes, must have at most ${MAX_EXTENSION_BYTES}`);
    }
    this.#extension = { type: header.type, data: Buffer.alloc(header.sizeBytes), filled: 0 };
    this.#begin('extension', header.sizeBytes);
  }

  #endExtension(): void {
    if (this.#extension === undefined) return;
    const { type, data } = this.#extension;
    this.#extension = undefined;
    if (type === 'x') {
      this.#pax = readPaxRecords(data);
    } else if (type === 'g') {
      for (const [key, value] of readPaxRecords(data)) this.#global.set(key, value);
    } else {
      const end = data.indexOf(0);
      const name = data.toString('latin1', 0, end === -1 ? data.length : end);
      if (type === 'L') this.#longName = name;
      else this.#longLink = name;
    }
  }

  #beginEntry(raw: RawHeader): void {
    const pax = this.#global.size === 0 ? (this.#pax ?? new Map<ByteString, Buffer>()) : new Map([...this.#global, ...(this.#pax ?? [])]);
    const name = this.#longName ?? paxText(pax, 'path') ?? raw.name;
    const linkName = this.#longLink ?? paxText(pax, 'linkpath') ?? raw.linkName;
    this.#pax = this.#longName = this.#longLink = undefined;
    const shown = showBytes(name);
    if (raw.type === 'V') {
      this.#begin('skip', raw.sizeBytes); // a volume label of GNU tar
      return;
    }
    if (raw.type === 'S' || [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
      throw badTar(`entry '${shown}' is a GNU sparse file, which is not supported: make the archive without --sparse`);
    }
    // Before POSIX, a directory was a file whose name ends in a slash.
    const type = (raw.type === '0' || raw.type === '\0') && name.endsWith('/') ? 'directory' : TYPES[raw.type];
    if (type === undefined) throw badTar(`entry '${shown}' has the unknown type ${JSON.stringify(raw.type)}`);
    const sizeBytes = paxNumber(pax, 'size', shown) ?? raw.sizeBytes;
    this.#sink.entry({
      type,
      name,
      linkName: type === 'hardlink' || type === 'symlink' ? linkName : '',
      mode: raw.mode,
      uid: checkId(paxNumber(pax, 'uid', shown) ?? raw.uid, 'uid', shown),
      gid: checkId(paxNumber(pax, 'gid', shown) ?? raw.gid, 'gid', shown),
      sizeBytes: type === 'file' ? sizeBytes : 0,
      modified: modifiedOf(pax, raw),
      deviceMajor: raw.deviceMajor,
      deviceMinor: raw.deviceMinor,
      attributes: attributesIn(pax),
    });
    // Some archivers state a size on links and directories without data behind it; image tools all read that as 0.
    if (type === 'file') this.#begin('file', sizeBytes);
    else if (raw.type === '0' || raw.type === '\0') this.#begin('skip', sizeBytes);
  }
}

function paxText(pax: Map<ByteString, Buffer>, key: string): ByteString | undefined {
  const value = pax.get(key);
  return value === undefined || value.length === 0 ? undefined : value.toString('latin1');
}

function paxNumber(pax: Map<ByteString, Buffer>, key: string, entry: string): number | undefined {
  const value = paxText(pax, key);
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(value)) throw badTar(`entry '${entry}': ${key} ${JSON.stringify(value)} is not a number`);
  return Number(value);
}

function checkId(id: number, what: string, entry: string): number {
  if (id < 0 || id > MAX_ID) throw badTar(`entry '${entry}': ${what} ${id} is out of range, must be 0 to ${MAX_ID}`);
  return id;
}

function modifiedOf(pax: Map<ByteString, Buffer>, raw: RawHeader): Timestamp {
  const value = paxText(pax, 'mtime');
  return value === undefined ? { seconds: raw.modifiedSeconds, nanoseconds: 0 } : readPaxTime(value);
}

const NO_ATTRIBUTES: ReadonlyMap<ByteString, Buffer> = new Map();

function attributesIn(pax: Map<ByteString, Buffer>): ReadonlyMap<ByteString, Buffer> {
  let found: Map<ByteString, Buffer> | undefined;
  for (const [key, value] of pax) {
    if (key.startsWith(ATTRIBUTE_PREFIX)) (found ??= new Map()).set(key.slice(ATTRIBUTE_PREFIX.length), value);
  }
  return found ?? NO_ATTRIBUTES;
}
