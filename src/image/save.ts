import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { finished, pipeline } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import { pipeline as pipe } from 'node:stream';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import { decompressor, detectCompression, MAGIC_BYTES } from '../storage/decompress.ts';
import type { ImageParts } from './assemble.ts';
import { MEDIA } from './oci-types.ts';
import { parseReference } from './reference.ts';
import type { ImageRecord } from './store.ts';

export interface SaveOptions {
  /** `oci`: a tar of an OCI layout; `docker`: what `docker save` writes, with plain layers. */
  readonly format: 'oci' | 'docker';
  readonly signal: AbortSignal;
}

const BLOCK_BYTES = 512;

/**
 * Writes images as one archive, the same bytes for the same images. Ends `target`.
 * @throws FailedPrecondition before the first byte where a layer's blob is not kept; the target's error when it fails.
 */
export async function saveArchive(
  parts: ImageParts,
  images: readonly ImageRecord[],
  target: Writable,
  { format, signal }: SaveOptions,
): Promise<void> {
  const artifact = images.find((image) => image.artifact !== undefined);
  if (artifact !== undefined && format === 'docker') {
    const words = `save images: ${artifact.names[0] ?? artifact.id} is an artifact, which docker's format cannot hold: save it as oci`;
    throw new DaemonError('InvalidArgument', words);
  }
  const digests = [...new Set(images.flatMap((image) => image.layers.map((layer) => layer.digest)))];
  for (const digest of digests) {
    if (!parts.blobs.has(digest))
      throw new DaemonError(
        'FailedPrecondition',
        `save images: layer ${digest} is kept unpacked only, its blob must be there: ${howToGetBlobs(parts)}`,
      );
  }
  // An image must not be removed from under the reader.
  const release = parts.images.retain([
    ...digests,
    ...images.flatMap(({ manifestDigest, configDigest, chain }) => [manifestDigest, configDigest, chain]),
  ]);
  const stop = (): void => {
    target.destroy(reasonOf(signal));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) throw reasonOf(signal);
    const archive = new ArchiveWriter(target);
    if (format === 'oci') await writeOci(parts, images, archive);
    else await writeDocker(parts, images, archive);
    await archive.end();
  } catch (error) {
    throw signal.aborted ? reasonOf(signal) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    release();
  }
}

function howToGetBlobs({ images }: ImageParts): string {
  const anew = 'remove the image, and pull or load it anew';
  return images.discardsBlobs ? `set image.discard_blobs = false, ${anew}` : anew;
}

async function writeOci(parts: ImageParts, images: readonly ImageRecord[], archive: ArchiveWriter): Promise<void> {
  await archive.addBytes('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  const manifests = images.flatMap((image) => {
    const descriptor = { mediaType: image.manifestMediaType, digest: image.manifestDigest, size: parts.blobs.sizeOf(image.manifestDigest) };
    if (image.names.length === 0) return [descriptor];
    return image.names.map((name) => ({
      ...descriptor,
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': parseReference(name).tag ?? '' },
    }));
  });
  await archive.addBytes('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests })));
  const blobs = new Set(
    images.flatMap(({ manifestDigest, configDigest, layers }) => [manifestDigest, configDigest, ...layers.map(({ digest }) => digest)]),
  );
  for (const digest of blobs) {
    await archive.addStream(`blobs/sha256/${hexOf(digest)}`, parts.blobs.sizeOf(digest), createReadStream(parts.blobs.path(digest)));
  }
}

async function writeDocker(parts: ImageParts, images: readonly ImageRecord[], archive: ArchiveWriter): Promise<void> {
  const entries = images.map((image) => ({
    Config: `${hexOf(image.configDigest)}.json`,
    RepoTags: image.names,
    Layers: image.layers.map(({ diffId }) => `${hexOf(diffId)}.tar`),
  }));
  await archive.addBytes('manifest.json', Buffer.from(JSON.stringify(entries)));
  for (const digest of new Set(images.map(({ configDigest }) => configDigest)))
    await archive.addBytes(`${hexOf(digest)}.json`, await parts.blobs.read(digest));
  const layers = new Map(images.flatMap((image) => image.layers.map(({ diffId, digest }) => [diffId, digest] as const)));
  for (const [diffId, digest] of layers) await addPlainLayer(parts, archive, `${hexOf(diffId)}.tar`, digest);
}

/** Adds a layer, decompressed. Its size comes first in the archive, so the layer is written to a file of ours to learn it. */
async function addPlainLayer(parts: ImageParts, archive: ArchiveWriter, name: string, digest: Digest): Promise<void> {
  const path = parts.blobs.path(digest);
  const file = await open(path, 'r');
  const start = Buffer.alloc(MAGIC_BYTES);
  try {
    await file.read(start, 0, MAGIC_BYTES, 0);
  } finally {
    await file.close();
  }
  const compression = detectCompression(start);
  if (compression === 'none') {
    await archive.addStream(name, parts.blobs.sizeOf(digest), createReadStream(path));
    return;
  }
  const temporary = parts.blobs.newIngestPath();
  try {
    // By path: the close() of a FileHandle waits for ever for streams that it has made and that do not close themselves.
    const stream = pipe(createReadStream(path), decompressor(compression), () => undefined);
    await pipeline(stream, createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
    await archive.addStream(name, (await stat(temporary)).size, createReadStream(temporary));
  } finally {
    await rm(temporary, { force: true });
  }
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** Writes a ustar of regular files to a stream, with its back-pressure. */
class ArchiveWriter {
  readonly #target: Writable;

  constructor(target: Writable) {
    this.#target = target;
  }

  async addBytes(name: string, bytes: Buffer): Promise<void> {
    await this.#write(header(name, bytes.length));
    await this.#write(bytes);
    await this.#pad(bytes.length);
  }

  async addStream(name: string, sizeBytes: number, content: Readable): Promise<void> {
    await this.#write(header(name, sizeBytes));
    let written = 0;
    for await (const piece of content) {
      const bytes = piece as Buffer;
      written += bytes.length;
      await this.#write(bytes);
    }
    if (written !== sizeBytes) throw new DaemonError('Internal', `save images: ${name} has ${written} bytes, must have ${sizeBytes}`);
    await this.#pad(sizeBytes);
  }

  async end(): Promise<void> {
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    this.#target.end();
    await finished(this.#target, { readable: false }); // a Duplex (a response) may never end its other half
  }

  async #pad(sizeBytes: number): Promise<void> {
    const padding = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
    if (padding > 0) await this.#write(Buffer.alloc(padding));
  }

  async #write(bytes: Buffer): Promise<void> {
    const target = this.#target;
    if (target.destroyed) throw target.errored ?? new DaemonError('Canceled', 'save images: whoever reads the archive has left');
    if (target.write(bytes)) return;
    const gone = new AbortController();
    try {
      await Promise.race([
        once(target, 'drain', { signal: gone.signal }),
        once(target, 'close', { signal: gone.signal }).then(() => {
          throw target.errored ?? new DaemonError('Canceled', 'save images: whoever reads the archive has left');
        }),
      ]);
    } finally {
      gone.abort();
    }
  }
}

/** A ustar header of a regular file, 0644, of root, with time 0. POSIX, ustar Interchange Format. */
function header(name: string, sizeBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 100, 'latin1'); // our names are ASCII and shorter
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  if (sizeBytes < 0o100000000000) block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    block[124] = 0x80; // base-256, GNU tar
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write('00000000000\0', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
