import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageSource } from '../../scripts/make-demo-image.ts';
import { FaultyRegistry } from './faulty-registry.ts';

const PIECES_PER_SECOND = 20;

/** A registry that sends layers no faster than it is told to, counts what it has sent, and can break off for good. */
export class SlowRegistry {
  readonly registry: FaultyRegistry;
  /** Of each layer, by digest: bytes that were handed to the connection. */
  readonly sent = new Map<string, number>();
  /** Of each layer at once. */
  bytesPerSecond: number;
  /** After so many bytes of a layer the connection breaks, and every other that comes. */
  breaksAfterBytes = Infinity;
  readonly #blobs = new Map<string, Buffer>();
  #isBroken = false;

  private constructor(registry: FaultyRegistry, bytesPerSecond: number) {
    this.registry = registry;
    this.bytesPerSecond = bytesPerSecond;
  }

  static async start(bytesPerSecond: number): Promise<SlowRegistry> {
    const holder: { slow?: SlowRegistry } = {};
    const registry = await FaultyRegistry.start({
      fault: async (request, response) => (await holder.slow?.answer(request.url ?? '', request.headers.range, response)) ?? false,
    });
    holder.slow = new SlowRegistry(registry, bytesPerSecond);
    return holder.slow;
  }

  get sentBytes(): number {
    return [...this.sent.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  addImage(image: Omit<ImageSource, 'name'>, repository: string, tag: string): { manifest: string; config: string } {
    for (const { digest, blob } of image.layers) this.#blobs.set(digest, blob);
    return this.registry.addImage(image, repository, tag);
  }

  /** Whether it has answered: what is no layer is left to the registry itself. */
  async answer(url: string, range: string | undefined, response: ServerResponse): Promise<boolean> {
    if (this.#isBroken) {
      response.destroy();
      return true;
    }
    const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(url)?.[1] ?? '';
    const blob = this.#blobs.get(digest);
    if (blob === undefined) return false;
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    const bytes = blob.subarray(Number(from), to === '' ? blob.length : Number(to) + 1);
    response.writeHead(range === undefined ? 200 : 206, {
      'content-length': bytes.length,
      ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${Number(from) + bytes.length - 1}/${blob.length}` }),
    });
    await this.#send(digest, bytes, response);
    return true;
  }

  async #send(digest: string, bytes: Buffer, response: ServerResponse): Promise<void> {
    for (let at = 0; at < bytes.length && !response.destroyed;) {
      const piece = bytes.subarray(at, at + Math.max(Math.floor(this.bytesPerSecond / PIECES_PER_SECOND), 1));
      if ((this.sent.get(digest) ?? 0) + piece.length > this.breaksAfterBytes) {
        this.#isBroken = true;
        await sleep(200); // what was sent before must arrive
        response.destroy();
        return;
      }
      response.write(piece);
      this.sent.set(digest, (this.sent.get(digest) ?? 0) + piece.length);
      at += piece.length;
      await sleep(1000 / PIECES_PER_SECOND);
    }
    response.end();
  }
}
