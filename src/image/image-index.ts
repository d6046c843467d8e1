import { isDigest } from '../base/ids.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import type { ShortNames } from '../registry/short-names.ts';
import type { ImageRecord } from './image-record.ts';
import { formatReference, parseReference, repositoryOf, withTag } from './reference.ts';
import { meaningsOf } from './short-names.ts';

/** With fewer digits, nearly any word made of the letters a to f would be taken for an id. */
const MIN_PREFIX_DIGITS = 3;

/** Images in memory, by id and by all that may name them. */
export class ImageIndex {
  readonly #images = new Map<ImageId, ImageRecord>();
  readonly #byName = new Map<string, ImageId>();

  get(id: ImageId): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** In no order. */
  all(): ImageRecord[] {
    return [...this.#images.values()];
  }

  hasName(name: string): boolean {
    return this.#byName.has(name);
  }

  /** The image that has a name. */
  named(name: string): ImageRecord | undefined {
    const id = this.#byName.get(name);
    return id && this.#images.get(id);
  }

  /** Adds an image, or puts it in the place of the one with its id. It has its names from now on. */
  add(record: ImageRecord): void {
    this.delete(record.id);
    this.#images.set(record.id, record);
    for (const name of record.names) this.#byName.set(name, record.id);
  }

  delete(id: ImageId): void {
    for (const name of this.#images.get(id)?.names ?? []) if (this.#byName.get(name) === id) this.#byName.delete(name);
    this.#images.delete(id);
  }

  clear(): void {
    this.#images.clear();
    this.#byName.clear();
  }

  /**
   * The image that `text` means: an id, `repository:tag` (short names as a pull has them, and as docker), `repository@digest` (a tag before
   * it counts for nothing), or the first digits of just one id. Undefined where there is none, also for what is no reference.
   */
  find(text: string, shortNames: ShortNames): ImageId | undefined {
    const asId = (isDigest(text) ? text : `sha256:${text}`) as ImageId;
    if (this.#images.has(asId)) return asId;
    if (isDigest(asId)) return isDigest(text) ? this.byDigest(text) : undefined;
    return this.#findByName(text, shortNames) ?? this.#findByPrefix(text);
  }

  /** The image that has a manifest or an index of this digest. */
  byDigest(digest: Digest): ImageId | undefined {
    for (const { id, digests } of this.#images.values()) if (digests.some((name) => name.endsWith(`@${digest}`))) return id;
    return undefined;
  }

  #findByName(text: string, shortNames: ShortNames): ImageId | undefined {
    for (const name of [...meaningsOf(text, shortNames).names, text]) {
      const id = this.#findByWholeName(name);
      if (id !== undefined) return id;
    }
    return undefined;
  }

  #findByWholeName(text: string): ImageId | undefined {
    let reference;
    try {
      reference = withTag(parseReference(text));
    } catch {
      return undefined;
    }
    if (reference.digest === undefined) return this.#byName.get(formatReference(reference));
    const wanted = `${repositoryOf(reference)}@${reference.digest}`;
    for (const { id, digests } of this.#images.values()) if (digests.includes(wanted)) return id;
    return undefined;
  }

  #findByPrefix(text: string): ImageId | undefined {
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    if (!/^sha256:[0-9a-f]+$/.test(prefix) || prefix.length < 'sha256:'.length + MIN_PREFIX_DIGITS) return undefined;
    const matches = [...this.#images.keys()].filter((id) => id.startsWith(prefix));
    return matches.length === 1 ? matches[0] : undefined;
  }
}
