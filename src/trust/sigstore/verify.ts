import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import { BadSignature } from '../signature.ts';
import type { Signature } from '../signature.ts';
import { ALTERNATIVE_NAMES, readCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { checkChain } from './certificate-chain.ts';
import { oidcIssuerOf } from './fulcio-issuer.ts';
import { isForHost } from './hostname.ts';
import { holds } from './keys.ts';
import { pemBlocks } from './pem.ts';
import { checkLogged, readSignatureText, wholePemBlock } from './rekor.ts';
import type { TrustRoot } from './trust-root.ts';

/** What the layer of a cosign signature says about it, and most characters of each. cosign, specs/SIGNATURE_SPEC.md */
const SIGNATURE = { name: 'dev.cosignproject.cosign/signature', limit: 64 * 1024 };
const BUNDLE = { name: 'dev.sigstore.cosign/bundle', limit: 64 * 1024 };
const CERTIFICATE = { name: 'dev.sigstore.cosign/certificate', limit: 64 * 1024 };
const CHAIN = { name: 'dev.sigstore.cosign/chain', limit: 128 * 1024 };
/** Most certificates of a chain that comes with a signature: they are read in one turn of the event loop. Fulcio's has two or three. */
const MAX_CHAIN = 10;

type Sigstore = Signature & { readonly kind: 'sigstore' };

/** Checks that one whom the policy trusts has signed the claim. @throws BadSignature. */
export async function checkSigned(signature: Sigstore, root: TrustRoot): Promise<void> {
  const { payload } = signature;
  const bytes = readSignatureText(annotation(signature, SIGNATURE), SIGNATURE.name);
  const keys = await signersOf(signature, bytes, root);
  for (const key of keys) if (await holds(key, payload, bytes, 'sha256')) return;
  throw new BadSignature(root.by === 'key' ? 'it is by none of the keys, or does not hold' : 'it is not by the key of its certificate');
}

/** The keys that may have signed it. */
async function signersOf(signature: Sigstore, bytes: Buffer, root: TrustRoot): Promise<readonly KeyObject[]> {
  const { payload } = signature;
  if (root.by === 'key') {
    if (root.rekor === undefined) return root.keys;
    const infos = root.keys.map((key) => key.export({ type: 'spki', format: 'der' }));
    const { signer } = await checkLogged(needed(signature, BUNDLE), root.rekor, { signers: infos, signature: bytes, payload });
    return root.keys.filter((_, index) => infos[index]?.equals(signer));
  }
  if (root.by === 'pki') {
    const leaf = readLeaf(needed(signature, CERTIFICATE));
    const intermediates = [...root.intermediates, ...readIntermediates(annotation(signature, CHAIN))];
    await checkChain(leaf, { roots: root.roots, intermediates, at: new Date() });
    const { subjectEmail, subjectHostname } = root;
    if (subjectEmail !== undefined) checkEmail(leaf, subjectEmail);
    if (subjectHostname !== undefined && !isForHost(leaf.names, subjectHostname))
      throw new BadSignature(`its certificate is for the hosts ${shown(leaf.names.hosts)}, must be for ${JSON.stringify(subjectHostname)}`);
    return [keyOf(leaf)];
  }
  const bundle = needed(signature, BUNDLE);
  const der = wholePemBlock(needed(signature, CERTIFICATE));
  if (der === undefined) throw new BadSignature(`its ${CERTIFICATE.name} must be one block of PEM, and no more`);
  const { at } = await checkLogged(bundle, root.rekor, { signers: [der], signature: bytes, payload });
  const leaf = readOne(der);
  const intermediates = readIntermediates(annotation(signature, CHAIN));
  await checkChain(leaf, { roots: root.roots, intermediates, at, checkedElsewhere: [ALTERNATIVE_NAMES] });
  const issuer = oidcIssuerOf(leaf);
  if (issuer !== root.oidcIssuer)
    throw new BadSignature(`its certificate names the OIDC issuer ${shown([issuer])}, must name ${JSON.stringify(root.oidcIssuer)}`);
  checkEmail(leaf, root.subjectEmail);
  return [keyOf(leaf)];
}

function checkEmail({ names }: Certificate, email: string): void {
  if (!names.emails.includes(email))
    throw new BadSignature(`its certificate is for the addresses ${shown(names.emails)}, must be for ${JSON.stringify(email)}`);
}

function keyOf({ publicKey }: Certificate): KeyObject {
  return publicKey ?? refuse('the key of its certificate is of a kind that is not known');
}

function readLeaf(text: string): Certificate {
  const [first] = orRefuse(CERTIFICATE.name, () => pemBlocks(text, 1));
  return first === undefined ? refuse(`its ${CERTIFICATE.name} has no certificate`) : readOne(first.der);
}

function readOne(der: Buffer): Certificate {
  return orRefuse(CERTIFICATE.name, () => readCertificate(der));
}

/** The chain that comes with a signature, without its last one: that is the root, as it says, and only the policy's count. */
function readIntermediates(text: string | undefined): Certificate[] {
  if (text === undefined || text === '') return [];
  return orRefuse(CHAIN.name, () => pemBlocks(text, MAX_CHAIN).map(({ der }) => readCertificate(der))).slice(0, -1);
}

function orRefuse<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    return refuse(`its ${name} cannot be read: ${messageOf(error)}`);
  }
}

function needed(signature: Sigstore, what: { readonly name: string; readonly limit: number }): string {
  return annotation(signature, what) ?? refuse(`it has no ${what.name}`);
}

function annotation({ annotations }: Sigstore, { name, limit }: { readonly name: string; readonly limit: number }): string | undefined {
  const text = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
  return text !== undefined && text.length > limit ? refuse(`its ${name} has ${text.length} characters, must have at most ${limit}`) : text;
}

function refuse(why: string): never {
  throw new BadSignature(why);
}

function shown(names: readonly string[]): string {
  return names.length === 0 ? '(none)' : JSON.stringify(names.slice(0, 5).map((name) => name.slice(0, 200))).slice(1, -1);
}
