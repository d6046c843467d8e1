/** Signs images as cosign 1 and 2 do: with a key, with a certificate, with an entry in Rekor's log; each part may be wrong. */
import assert from 'node:assert/strict';
import { createHash, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { pem } from './certificates.ts';
import type { MadeCertificate, Pair } from './certificates.ts';
import type { TestRegistry } from './registry.ts';
import { simpleClaim } from './signing.ts';

/** A layer of what lies at `sha256-<hex>.sig`. */
export interface CosignSignature {
  readonly payload: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export function cosignClaim(name: string, digest: string): string {
  return simpleClaim(name, digest).replace('atomic container signature', 'cosign container image signature');
}

export function signBytes(payload: string | Buffer, key: KeyObject): string {
  return sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(payload), key).toString('base64');
}

export function publicPem({ publicKey }: Pair): string {
  return pem(publicKey.export({ type: 'spki', format: 'der' }), 'PUBLIC KEY');
}

export interface BundleOptions {
  readonly rekor: Pair;
  /** Seconds since 1970. */
  readonly at?: number;
  /** The entry, where that is not {@link rekorEntry}. */
  readonly entry?: (signature: string, payload: string, signer: string) => Readonly<Record<string, unknown>>;
  /** What becomes of the payload after it was signed. */
  readonly change?: (payload: Record<string, unknown>) => Record<string, unknown>;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The entry of a `hashedrekord`, whose parts a test may change. */
export function rekorEntry(signature: string, payload: string, signer: string): Record<string, unknown> {
  const hash = { algorithm: 'sha256', value: createHash('sha256').update(payload).digest('hex') };
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: { data: { hash }, signature: { content: signature, publicKey: { content: base64(signer) } } },
  };
}

/** A `dev.sigstore.cosign/bundle`. */
export function rekorBundle(signature: string, payload: string, signer: string, options: BundleOptions): string {
  const { rekor, at = Math.floor(Date.now() / 1000), entry = rekorEntry, change } = options;
  const body = base64(JSON.stringify(entry(signature, payload, signer)));
  const logged: Record<string, unknown> = { body, integratedTime: at, logID: 'c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d', logIndex: 7 }; // prettier-ignore
  const timestamp = signBytes(JSON.stringify(logged), rekor.privateKey); // its keys are sorted: RFC 8785
  return JSON.stringify({ SignedEntryTimestamp: timestamp, Payload: change === undefined ? logged : change(logged) });
}

/** Signed by a key, and in the log where there is one. */
export function byKey(payload: string, pair: Pair, bundle?: BundleOptions): CosignSignature {
  const signature = signBytes(payload, pair.privateKey);
  return {
    payload,
    annotations: {
      'dev.cosignproject.cosign/signature': signature,
      ...(bundle === undefined ? {} : { 'dev.sigstore.cosign/bundle': rekorBundle(signature, payload, publicPem(pair), bundle) }),
    },
  };
}

/** Signed by the key of a certificate. @param chain from the one that has signed it to the root */
export function byCertificate(
  payload: string,
  certificate: Pick<MadeCertificate, 'pem' | 'key'>,
  chain: readonly { readonly pem: string }[],
  bundle?: BundleOptions,
): CosignSignature {
  const signature = signBytes(payload, certificate.key);
  return {
    payload,
    annotations: {
      'dev.cosignproject.cosign/signature': signature,
      'dev.sigstore.cosign/certificate': certificate.pem,
      ...(chain.length === 0 ? {} : { 'dev.sigstore.cosign/chain': chain.map((one) => one.pem).join('') }),
      ...(bundle === undefined ? {} : { 'dev.sigstore.cosign/bundle': rekorBundle(signature, payload, certificate.pem, bundle) }),
    },
  };
}

/** The same with some annotations changed, or left out. */
export function withAnnotations(signature: CosignSignature, changes: Readonly<Record<string, string | undefined>>): CosignSignature {
  const annotations = Object.entries({ ...signature.annotations, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined); // prettier-ignore
  return { ...signature, annotations: Object.fromEntries(annotations) };
}

const digestOf = (bytes: string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function putBlob(registry: TestRegistry, repository: string, bytes: string): Promise<{ digest: string; size: number }> {
  const started = await fetch(`${registry.url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(started.headers.get('location') ?? '', registry.url);
  location.searchParams.set('digest', digestOf(bytes));
  assert.equal((await fetch(location, { method: 'PUT', body: bytes })).status, 201);
  return { digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
}

/** Puts signatures where cosign puts them. */
export async function attachSignatures(
  registry: TestRegistry,
  repository: string,
  digest: string,
  signatures: readonly CosignSignature[],
): Promise<void> {
  const layers: object[] = [];
  for (const { payload, annotations } of signatures) {
    const blob = await putBlob(registry, repository, payload);
    layers.push({ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', ...blob, annotations });
  }
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await putBlob(registry, repository, '{}')) };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers });
  const url = `${registry.url}/v2/${repository}/manifests/${digest.replace(':', '-')}.sig`;
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': mediaType }, body });
  assert.equal(answer.status, 201, await answer.text());
}
