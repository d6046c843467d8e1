import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { sha256 } from '../../../scripts/make-demo-image.ts';
import type { ImageLayer, LayerCompression } from '../../../scripts/make-demo-image.ts';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { END_OF_TAR, octalField, rawHeader } from '../tar-blocks.ts';

/** What a layer's tar is made of: entries, and blocks as they stand. */
export type Part = TarEntry | Buffer;

/** A row of the corpus. With neither `refused` nor `differs` containerd and we make the same of it. */
export interface OddImage {
  readonly name: string;
  /** The layers, lowest first. */
  readonly layers: readonly (readonly Part[] | (() => Promise<ImageLayer> | ImageLayer))[];
  /** We refuse it in these words. */
  readonly refused?: RegExp;
  /** What containerd does where it is not the same. 'not asked': it has no part in it. */
  readonly containerd?: 'unpacks' | 'refuses' | 'not asked';
  /** Why it is not the same: what docs/decisions/0003 and its kin say. */
  readonly why?: string;
  /** What is different: our line for `LAYER/PATH`; undefined where we make nothing of that name. */
  readonly differs?: Readonly<Record<string, RegExp | undefined>>;
  /** Comes by a pull and not by an archive. */
  readonly isPulled?: boolean;
}

/** The tar of these parts without its end mark. */
export function tarOf(parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map((part) => (Buffer.isBuffer(part) ? part : makeTar([part]).subarray(0, -END_OF_TAR.length))));
}

export function layerOf(tar: Buffer, blob = tar, compression: LayerCompression = 'none'): ImageLayer {
  return { diffId: sha256(tar), digest: sha256(blob), compression, blob, tar };
}

export function plainLayer(parts: readonly Part[]): ImageLayer {
  return layerOf(Buffer.concat([tarOf(parts), END_OF_TAR]));
}

export async function zip(data: Buffer): Promise<Buffer> {
  return promisify(gzip)(data, { level: 1 });
}

export async function zstd(data: Buffer): Promise<Buffer> {
  return promisify(zstdCompress)(data);
}

export const file = (path: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'file', data: path, ...extra });
export const dir = (path: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'directory', ...extra });
export const symlink = (path: string, linkTarget: string): TarEntry => ({ path, kind: 'symlink', linkTarget });
export const link = (path: string, linkTarget: string, extra: Partial<TarEntry> = {}): TarEntry => ({
  path,
  kind: 'hardlink',
  linkTarget,
  ...extra,
});
/** An empty file that hides a name of the layers below. */
export const white = (path: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'file', ...extra });

/** A header by its type letter and changed fields, with its data. */
export function member(name: string, type: string, data = '', change: (block: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.from(data, 'latin1');
  const head = rawHeader((block) => {
    octalField(block, bytes.length, 124);
    block.write(type, 156, 'latin1');
    change(block);
  }, name);
  return Buffer.concat([head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** Writes a number in base 256, as GNU tar does where octal digits do not suffice. */
export function base256(block: Buffer, value: bigint, at: number, width: number): void {
  const bytes = Buffer.from(
    BigInt.asUintN(width * 8, value)
      .toString(16)
      .padStart(width * 2, '0'),
    'hex',
  );
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  bytes.copy(block, at);
}

/** A layer that odd ones lie on. */
export const BASE: readonly Part[] = [
  dir('etc', { mode: 0o750, uid: 3, gid: 4, mtime: 1000 }),
  file('etc/passwd'),
  file('etc/group'),
  dir('opt', { mtime: 2000, xattrs: { 'user.mark': 'below' } }),
  dir('opt/data', { mtime: 2000 }),
  file('opt/data/old'),
  dir('usr/lib'),
  symlink('lib', 'usr/lib'),
  file('lib/library'),
];
