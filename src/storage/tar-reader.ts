import type { ByteString, Timestamp } from '../linux/at-calls.ts';
import { showBytes } from '../linux/at-calls.ts';
import { NO_RECORDS, paxNumber, paxText, readPaxRecords, readPaxTime } from './pax-records.ts';
import type { PaxRecords } from './pax-records.ts';
import { paxSparse, readOldPairs, readOldSize, SparseFile } from './sparse-file.ts';
import type { SparseHeader, SparseSink } from './sparse-file.ts';
import { badTar, BLOCK_BYTES, placed, readHeader } from './tar-header.ts';
import type { RawHeader, TarEntry, TarEntryType } from './tar-header.ts';

/** What a {@link TarReader} hands its entries to, in the archive's order. */
export interface TarSink extends SparseSink {
  entry(entry: TarEntry): void;
  /** A piece of the last file entry's data; valid during the call only. */
  data(piece: Buffer): void;
  /** A hole in the last file entry: so many zero bytes come next, which the archive does not store. */
  hole(sizeBytes: number): void;
  /** The last file entry is complete. */
  endOfFile(): void;
}

/** Most that one pax or GNU name header may hold, bytes: what Go's archive/tar and so the other runtimes accept. */
const MAX_EXTENSION_BYTES = 1024 * 1024;
const MAX_ID = 0xffff_fffe;
/** (uid_t)-1: "leave as it is" to chown(2). */
const NO_ID = 0xffff_ffff;

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/**
 * Reads a tar that is pushed in pieces of any size: ustar, pax, GNU (long names, base-256 numbers, sparse files) and v7.
 *
 * Memory is bounded, whatever the archive says: data is passed on as it comes, a header for the next entry has a limit and
 * takes the place of the one before, and pax headers for all entries are passed over. They could be without number, and image
 * tools write nothing but comments into them (git archive the commit).
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
  #pax: PaxRecords | undefined;
  /** A header of type S whose map goes on in further blocks. */
  #oldSparse: { readonly raw: RawHeader; readonly sizeBytes: number; readonly pairs: number[] } | undefined;
  /** The file whose data is being read, where it is sparse. */
  #sparse: SparseFile | undefined;
  /** The entry that was read last. */
  #last: ByteString | undefined;
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Reads on. @throws InvalidArgument where this is no tar; what the sink throws passes through. */
  push(chunk: Buffer): void {
    let at = 0;
    try {
      while (at < chunk.length) {
        if (this.#state === 'ended') return; // what follows the two blocks of zeros is nobody's
        if (this.#state === 'header') at = this.#takeHeader(chunk, at);
        else at = this.#takeData(chunk, at);
      }
    } catch (error) {
      throw placed(error, this.#place());
    }
  }

  /** Says that nothing follows. @throws InvalidArgument where the archive stops inside an entry. */
  end(): void {
    if (this.#state === 'ended') return;
    if (this.#state !== 'header' || this.#headerBytes > 0 || this.#hasExtensions()) {
      throw placed(badTar('unexpected end: the archive is truncated'), this.#place());
    }
  }

  #place(): string {
    if (this.#last === undefined) return 'at its start';
    return `${this.#state === 'file' ? 'in' : 'behind'} entry '${showBytes(this.#last)}'`;
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
      if (this.#state === 'file') (this.#sparse ?? this.#sink).data(piece);
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
    const padding = this.#padding;
    this.#state = 'header';
    this.#padding = 0; // the end of a header may begin the file's data, which has padding of its own
    if (ended === 'file') this.#endFile();
    else if (ended === 'extension') this.#endExtension();
    if (padding > 0) {
      this.#state = 'skip';
      this.#left = padding;
    }
  }

  #endFile(): void {
    this.#sparse?.end();
    this.#sparse = undefined;
    this.#sink.endOfFile();
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
    if (header.type === 'g') this.#begin('skip', header.sizeBytes);
    else if ('xLK'.includes(header.type)) this.#beginExtension(header.type, header.sizeBytes);
    else if (header.type === 'S') this.#beginOldSparse(header, block);
    else this.#beginEntry(header, undefined);
  }

  #beginOldSparse(raw: RawHeader, block: Buffer): void {
    this.#oldSparse = { raw, sizeBytes: readOldSize(block), pairs: [] };
    if (readOldPairs(block, true, this.#oldSparse.pairs)) this.#beginExtension('S', BLOCK_BYTES);
    else this.#endOldSparse();
  }

  #endOldSparse(): void {
    if (this.#oldSparse === undefined) return;
    const { raw, sizeBytes, pairs } = this.#oldSparse;
    this.#oldSparse = undefined;
    this.#beginEntry(raw, { sizeBytes, pairs });
  }

  #begin(state: 'file' | 'extension' | 'skip', sizeBytes: number): void {
    this.#left = sizeBytes;
    this.#padding = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    this.#state = state;
    if (sizeBytes === 0) this.#endData();
  }

  #beginExtension(type: string, sizeBytes: number): void {
    if (sizeBytes > MAX_EXTENSION_BYTES) {
      throw badTar(`a header of type ${type} has ${sizeBytes} bytes, must have at most ${MAX_EXTENSION_BYTES}`);
    }
    this.#extension = { type, data: Buffer.alloc(sizeBytes), filled: 0 };
    this.#begin('extension', sizeBytes);
  }

  #endExtension(): void {
    if (this.#extension === undefined) return;
    const { type, data } = this.#extension;
    this.#extension = undefined;
    if (type === 'x') {
      this.#pax = readPaxRecords(data);
    } else if (type === 'S') {
      if (readOldPairs(data, false, this.#oldSparse?.pairs ?? [])) this.#beginExtension('S', BLOCK_BYTES);
      else this.#endOldSparse();
    } else {
      const end = data.indexOf(0);
      const name = data.toString('latin1', 0, end === -1 ? data.length : end);
      if (type === 'L') this.#longName = name;
      else this.#longLink = name;
    }
  }

  #beginEntry(raw: RawHeader, oldSparse: SparseHeader | undefined): void {
    const pax = this.#pax ?? NO_RECORDS;
    const name = this.#longName ?? paxText(pax, 'GNU.sparse.name') ?? paxText(pax, 'path') ?? raw.name;
    const linkName = this.#longLink ?? paxText(pax, 'linkpath') ?? raw.linkName;
    this.#pax = this.#longName = this.#longLink = undefined;
    if (raw.type === 'V') {
      this.#begin('skip', raw.sizeBytes); // a volume label of GNU tar
      return;
    }
    this.#last = name;
    try {
      this.#passEntry(raw, name, linkName, pax, oldSparse);
    } catch (error) {
      throw placed(error, `entry '${showBytes(name)}'`);
    }
  }

  #passEntry(raw: RawHeader, name: ByteString, linkName: ByteString, pax: PaxRecords, oldSparse: SparseHeader | undefined): void {
    // Before POSIX, a directory was a file whose name ends in a slash.
    const type = raw.type === '\0' && name.endsWith('/') ? 'directory' : TYPES[raw.type];
    if (type === undefined) throw badTar(`it has the unknown type ${JSON.stringify(raw.type)}`);
    const sparse = type === 'file' ? (oldSparse ?? paxSparse(pax)) : undefined;
    const storedBytes = paxNumber(pax, 'size') ?? raw.sizeBytes;
    this.#sparse = sparse === undefined ? undefined : new SparseFile(this.#sink, sparse, storedBytes);
    this.#sink.entry({
      type,
      name,
      linkName: type === 'hardlink' || type === 'symlink' ? linkName : '',
      mode: raw.mode,
      uid: readId(paxNumber(pax, 'uid', true) ?? raw.uid, 'uid'),
      gid: readId(paxNumber(pax, 'gid', true) ?? raw.gid, 'gid'),
      sizeBytes: type === 'file' ? (sparse?.sizeBytes ?? storedBytes) : 0,
      storedBytes: type === 'file' ? storedBytes : 0,
      isSparse: sparse !== undefined,
      modified: modifiedOf(pax, raw),
      deviceMajor: raw.deviceMajor,
      deviceMinor: raw.deviceMinor,
      attributes: pax.attributes,
    });
    // Some archivers state a size on links and directories without data behind it; image tools all read that as 0.
    if (type === 'file') this.#begin('file', storedBytes);
    else if (raw.type === '\0') this.#begin('skip', storedBytes);
  }
}

/** An owner. The id -1 is nobody's: chown(2) leaves a new file with root then, and so do other runtimes. */
function readId(id: number, what: string): number {
  if (id === -1 || id === NO_ID) return 0;
  if (id < 0 || id > MAX_ID) throw badTar(`${what} ${id} is out of range, must be 0 to ${MAX_ID}`);
  return id;
}

function modifiedOf(pax: PaxRecords, raw: RawHeader): Timestamp {
  const value = paxText(pax, 'mtime');
  return value === undefined ? { seconds: raw.modifiedSeconds, nanoseconds: 0 } : readPaxTime(value);
}
