/** Keys and authorities of the corpus of policies, all its own. */
import { CODE_SIGNING, extension, makeCertificate, newPair } from '../../support/certificates.ts';
import type { CertificateOptions, Extension, MadeCertificate } from '../../support/certificates.ts';
import { byCertificate, cosignClaim } from '../../support/sigstore.ts';
import type { BundleOptions, CosignSignature } from '../../support/sigstore.ts';

/** The image of one case. */
export interface CaseImage {
  readonly host: string;
  /** With its tag. */
  readonly name: string;
  readonly digest: string;
}

export interface PolicyCase {
  readonly name: string;
  readonly verdict: 'accepted' | 'refused';
  /** What our refusal says. */
  readonly words?: RegExp;
  /** Why ours is not that of containers/image; always on the side that refuses. */
  readonly stricter?: string;
  /** The fields of `sigstoreSigned`. */
  readonly policy: Readonly<Record<string, unknown>> | ((image: CaseImage) => Readonly<Record<string, unknown>>);
  readonly sign: (payload: string, image: CaseImage) => readonly CosignSignature[];
}

const HOUR_MS = 60 * 60_000;
export const ago = (hours: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 - hours * HOUR_MS);
export const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
export const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const EMAIL = 'dev@example.test';
export const ISSUER = 'https://issuer.example.test';
export const rekor = newPair.ec();
export const otherRekor = newPair.ec();
const signsCertificates = extension.keyUsage(0x04);

export function authority(subject: string, issuer?: MadeCertificate, more: Partial<CertificateOptions> = {}): MadeCertificate {
  const span = { from: ago(24 * 365), until: ago(-24 * 365) };
  return makeCertificate({ subject, issuer, ...span, extensions: [extension.authority(true), signsCertificates], ...more });
}

export const root = authority('root');
export const otherRoot = authority('root'); // the same name, another key
export const intermediate = authority('intermediate', root, {
  extensions: [extension.authority(true, 0), signsCertificates, extension.purposes(CODE_SIGNING)],
});

/** What Fulcio gives for ten minutes; all of it is over by now. */
export const SIGNED_AT = ago(24);
export function leaf(more: Partial<CertificateOptions> & { readonly extra?: readonly Extension[] } = {}): MadeCertificate {
  const { extra, ...options } = more;
  return makeCertificate({
    subject: '',
    issuer: intermediate,
    from: new Date(SIGNED_AT.getTime() - 60_000),
    until: new Date(SIGNED_AT.getTime() + 540_000),
    extensions: extra ?? leafExtensions(),
    ...options,
  });
}

export function leafExtensions(names: readonly string[] = [`email:${EMAIL}`], issuers: readonly Extension[] = bothIssuers()): Extension[] {
  return [extension.keyUsage(0x80), extension.purposes(CODE_SIGNING), extension.names(names, true), ...issuers];
}

export function bothIssuers(first = ISSUER, second = first): Extension[] {
  return [extension.issuer(first), extension.issuerV2(second)];
}

export const logged: BundleOptions = { rekor, at: seconds(SIGNED_AT) };
export const rekorData = { rekorPublicKeyData: base64(pemOf(rekor)) };

export function fulcio(
  changes: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { fulcio: { caData: base64(root.pem), oidcIssuer: ISSUER, subjectEmail: EMAIL, ...changes }, ...rekorData, ...more };
}

/** Signed as cosign does with Fulcio. */
export function byFulcio(
  payload: string,
  certificate = leaf(),
  chain: readonly { readonly pem: string }[] = [intermediate, root],
): CosignSignature[] {
  return [byCertificate(payload, certificate, chain, logged)];
}

export function pki(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const { subjectEmail = EMAIL, ...others } = changes;
  return { pki: { caRootsData: base64(root.pem), ...(subjectEmail === null ? {} : { subjectEmail }), ...others } };
}

/** Of a year, as a company gives them. */
export function pkiLeaf(names: readonly string[] = [`email:${EMAIL}`], more: Partial<CertificateOptions> = {}): MadeCertificate {
  const extensions = [extension.keyUsage(0x80), extension.purposes(CODE_SIGNING), extension.names(names)];
  return makeCertificate({ subject: 'signer', issuer: intermediate, from: ago(24), until: ago(-24), extensions, ...more });
}

export function byPki(
  payload: string,
  certificate = pkiLeaf(),
  chain: readonly { readonly pem: string }[] = [intermediate, root],
): CosignSignature[] {
  return [byCertificate(payload, certificate, chain)];
}

export function pemOf(
  { publicKey }: { readonly publicKey: MadeCertificate['pair']['publicKey'] },
  type: 'spki' | 'pkcs1' = 'spki',
): string {
  return publicKey.export({ type, format: 'pem' }).toString();
}

export function claim({ name, digest }: CaseImage, changes: { readonly name?: string; readonly digest?: string } = {}): string {
  return cosignClaim(changes.name ?? name, changes.digest ?? digest);
}
