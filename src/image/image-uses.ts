import { DaemonError } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';
import type { ShortNames } from '../registry/short-names.ts';
import type { ImageName } from '../trust/image-name.ts';
import type { ImageTrust } from '../trust/image-trust.ts';
import { parseReference, repositoryOf, withTag } from './reference.ts';
import { meaningsOf } from './short-names.ts';
import type { ImageRecord, ImageStore } from './store.ts';

/** An image that a container is to be made with. */
export interface ImageUse {
  readonly namespace: string;
  /** What names it, for the refusal: `config.image`. */
  readonly field: string;
  readonly image: ImageRecord;
  /** As the request has it: the name that a person wrote counts, where it is there. */
  readonly asked: { readonly image: string; readonly userSpecifiedImage: string };
}

/** Most that all signatures of one image may take to be verified, milliseconds. */
const TIMEOUT_MS = 60_000;

/** Whether images that are here may be used by pods of a namespace, where that has a signature policy of its own. */
export class ImageUses {
  readonly #images: ImageStore;
  readonly #trust: ImageTrust;
  readonly #shortNames: () => ShortNames;

  constructor(images: ImageStore, trust: ImageTrust, shortNames: () => ShortNames) {
    this.#images = images;
    this.#trust = trust;
    this.#shortNames = shortNames;
  }

  /** Goes by the signatures that were found at the pull; no registry is asked. @throws SignatureValidationFailed. */
  async check(use: ImageUse): Promise<void> {
    const { manifestDigest, digests } = use.image;
    await this.#trust.checkUse(
      use.namespace,
      () => ({
        name: this.#nameOf(use),
        // Whatever manifest is signed, it is of this image: they have the config in common, and the layers with it.
        manifests: [...new Set([manifestDigest, ...digests.map((name) => name.slice(name.indexOf('@') + 1) as Digest)])],
        signaturesOf: async (manifest) => await this.#images.signatures.read(manifest),
      }),
      AbortSignal.timeout(TIMEOUT_MS),
    );
  }

  /** The same for a checkpoint that is no image. @throws SignatureValidationFailed. */
  async checkArchive(namespace: string): Promise<void> {
    await this.#trust.checkArchiveUse(namespace);
  }

  /** The name that scopes and signatures must be of. It must be the image's own, or a policy by names alone would say nothing. */
  #nameOf({ image, field, asked }: ImageUse): ImageName {
    const text = asked.userSpecifiedImage || (isDigest(asked.image) ? '' : asked.image);
    if (text === '') refuse(`${field}.user_specified_image is empty, must be given where the namespace has a signature policy`);
    for (const meaning of meaningsOf(text, this.#shortNames()).names) {
      const { domain, path, tag, digest } = withTag(parseReference(meaning));
      const repository = repositoryOf({ domain, path });
      const isKnown = [...image.digests, ...image.names].some((name) => name.startsWith(`${repository}@`) || name.startsWith(`${repository}:`)); // prettier-ignore
      if (isKnown) return digest === undefined ? { domain, path, tag } : { domain, path, digest };
    }
    return refuse(`${field} names ${text}, by which the image ${image.id} was not pulled or loaded`);
  }
}

function refuse(words: string): never {
  throw new DaemonError('SignatureValidationFailed', words);
}
