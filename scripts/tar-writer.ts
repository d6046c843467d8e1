/** One member of an archive. Times are 0 unless given, so that the same input makes the same bytes. */
export interface TarEntry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'hardlink' | 'symlink' | 'fifo' | 'character' | 'block';
  /** Permission bits with set-uid, set-gid and sticky. Default 0755 for directories, 0644 for the rest. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
  readonly linkTarget?: string;
  readonly data?: string | Uint8Array;
  /** Device numbers, for character and block. */
  readonly device?: readonly [major: number, minor: number];
  /** Extended attributes, written as SCHILY.xattr records. */
  readonly xattrs?: Readonly<Record<string, string | Uint8Array>>;
}

const TYPE_FLAGS = { file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' } as const;
const BLOCK_BYTES = 512;

/** Writes a tar in memory: ustar headers, pax records where a name is too long or attributes are given (pax(1p)). */
export class TarWriter {
  readonly #parts: Buffer[] = [];

  add(entry: TarEntry): this {
    const records = paxRecords(entry);
    if (records.length > 0) {
      const body = Buffer.concat(records);
      this.#push(header({ path: 'pax', kind: 'file', mode: 0o644 }, body.length, 'x'), body);
    }
    const data = Buffer.from(entry.data ?? '');
    this.#push(header(entry, data.length, TYPE_FLAGS[entry.kind]), data);
    return this;
  }

  /** The whole archive with its end mark. */
  finish(): Buffer {
    return Buffer.concat([...this.#parts, Buffer.alloc(2 * BLOCK_BYTES)]);
  }

  #push(head: Buffer, body: Buffer): void {
    this.#parts.push(head, body, Buffer.alloc((BLOCK_BYTES - (body.length % BLOCK_BYTES)) % BLOCK_BYTES));
  }
}

/** The archive of these members. */
export function makeTar(entries: Iterable<TarEntry>): Buffer {
  const writer = new TarWriter();
  for (const entry of entries) writer.add(entry);
  return writer.finish();
}

function paxRecords(entry: TarEntry): Buffer[] {
  const records: Buffer[] = [];
  if (Buffer.byteLength(nameOf(entry)) > 100) records.push(paxRecord('path', nameOf(entry)));
  if (Buffer.byteLength(entry.linkTarget ?? '') > 100) records.push(paxRecord('linkpath', entry.linkTarget ?? ''));
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) records.push(paxRecord(`SCHILY.xattr.${name}`, value));
  return records;
}

/** A record is "LENGTH KEY=VALUE\n", and LENGTH counts itself. */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (rest.length + String(length).length !== length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function nameOf(entry: TarEntry): string {
  return entry.kind === 'directory' && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path;
}

function header(entry: TarEntry, sizeBytes: number, typeFlag: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const [major, minor] = entry.device ?? [0, 0];
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  block.write(nameOf(entry).slice(0, 100), 0, 100, 'utf8');
  octal(entry.mode ?? (entry.kind === 'directory' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  block.fill(' ', 148, 156);
  block.write(typeFlag, 156, 'latin1');
  block.write((entry.linkTarget ?? '').slice(0, 100), 157, 100, 'utf8');
  block.write('ustar\u000000', 257, 'latin1');
  octal(major, 329, 8);
  octal(minor, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
