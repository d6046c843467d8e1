/** What came with an image as its signature; nobody has checked any of it. */
export type Signature =
  /** An OpenPGP message with the claim in it: "simple signing", containers-signature(5). */
  | { readonly kind: 'simple'; readonly bytes: Buffer }
  /** A claim, and what a layer of a cosign signature says about it. */
  | { readonly kind: 'sigstore'; readonly payload: Buffer; readonly annotations: Readonly<Record<string, string>> };

/** Most bytes of one signature, as containers/image has it, and of all of one image: they are in memory together. */
export const SIGNATURE_LIMIT_BYTES = 4 * 1024 * 1024;
/** Most signatures of one image, likewise. */
export const MAX_SIGNATURES = 128;

/** A signature that does not hold, or not for this image: the next one may. */
export class BadSignature extends Error {
  override readonly name = 'BadSignature';
}
