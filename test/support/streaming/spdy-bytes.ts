import { constants, createDeflate } from 'node:zlib';
import { HEADER_DICTIONARY } from '../../../src/streaming/spdy/dictionary.ts';
import { controlFrame, dataHeader, FrameType } from '../../../src/streaming/spdy/frames.ts';

/** Compresses header blocks as a SPDY/3 client does: one zlib stream, flushed after each block. */
export class HeaderDeflater {
  readonly #deflate = createDeflate({ dictionary: HEADER_DICTIONARY });
  #pieces: Buffer[] = [];

  constructor() {
    this.#deflate.on('data', (piece: Buffer) => this.#pieces.push(piece));
  }

  async deflate(block: Uint8Array): Promise<Buffer> {
    this.#deflate.write(block);
    await new Promise<void>((resolve) => {
      this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve);
    });
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }

  close(): void {
    this.#deflate.destroy();
  }
}

/** A header block before its compression. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers);
  const text = (value: string): Buffer[] => {
    const bytes = Buffer.from(value);
    return [word(bytes.length), bytes];
  };
  return Buffer.concat([word(entries.length), ...entries.flatMap(([name, value]) => [...text(name), ...text(value)])]);
}

export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function synStream(streamId: number, compressedHeaders: Uint8Array, fin = false): Buffer {
  return controlFrame(FrameType.SynStream, fin ? 1 : 0, [streamId, 0], Buffer.concat([Buffer.alloc(2), compressedHeaders]));
}

export function dataFrame(streamId: number, data: Uint8Array, fin = false): Buffer {
  return Buffer.concat([dataHeader(streamId, data.length, fin), data]);
}
