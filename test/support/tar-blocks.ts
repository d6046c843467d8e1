import { createHash } from 'node:crypto';
import { createGzip } from 'node:zlib';
import { makeTar } from '../../scripts/tar-writer.ts';
import { sha256 } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';

/** Headers of tar that the test writer has no word for. All texts are latin1, as in the archive. */

/** A header block whose fields `change` has set; the checksum is made right. */
export function rawHeader(change: (block: Buffer) => void, name = 'raw'): Buffer {
  const block = Buffer.from(makeTar([{ path: name, kind: 'file' }]).subarray(0, 512));
  change(block);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Writes an octal number field of 12 characters: size at 124, mtime at 136. */
export function octalField(block: Buffer, value: number, at: number): void {
  block.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1');
}

/** A member of a type by its letter, with its data. */
export function rawMember(type: string, data: string | Buffer, name = 'raw'): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
  const head = rawHeader((block) => {
    octalField(block, bytes.length, 124);
    block.write(type, 156, 'latin1');
  }, name);
  return Buffer.concat([head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A record of a pax header: "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** A pax header for the next entry (`x`) or for all that follow (`g`). A key may come more than once. */
export function paxHeader(type: 'x' | 'g', records: Iterable<readonly [key: string, value: string]>): Buffer {
  return rawMember(type, [...records].map(([key, value]) => paxRecord(key, value)).join(''));
}

export const END_OF_TAR = Buffer.alloc(1024);

/** A gzip layer of pieces that are made one after the other, so that the whole tar is never in memory. */
export async function gzipLayer(pieces: Iterable<Buffer>): Promise<ImageLayer> {
  const gzip = createGzip({ level: 1 });
  const hash = createHash('sha256');
  const compressed: Buffer[] = [];
  gzip.on('data', (piece: Buffer) => compressed.push(piece));
  const ended = new Promise<void>((resolve, reject) => gzip.once('end', resolve).once('error', reject));
  for (const piece of pieces) {
    hash.update(piece);
    if (!gzip.write(piece)) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip.end();
  await ended;
  const blob = Buffer.concat(compressed);
  return { diffId: `sha256:${hash.digest('hex')}`, digest: sha256(blob), compression: 'gzip', blob, tar: Buffer.alloc(0) };
}
