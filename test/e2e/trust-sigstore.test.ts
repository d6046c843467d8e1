/** sigstore signatures by key, kept in the registry beside the image as cosign does (`sha256-<hex>.sig`). */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { writeJson } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { listenUntilEnd } from '../support/listen.ts';
import { failureOf } from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { noSigning, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';
import { attachSignatures, cosignClaim, signBytes } from '../support/sigstore.ts';

let registry: TestRegistry;
let lab: TrustLab;
let hides = false;
const pairs = {
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: generateKeyPairSync('ed25519'),
  other: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning,
  prepare: async () => {
    ({ registry, lab } = await startTrustLab());
    for (const [name, { publicKey }] of Object.entries(pairs))
      await writeFile(lab.path('keys', `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeJson(lab.path('registries.d', 'default.yaml'), { 'default-docker': { 'use-sigstore-attachments': true } });
    return { config: `${await registry.daemonConfig({ 'hidden.test': await startHidingMirror() })}${lab.daemonConfig}` };
  },
});

/** A mirror of the registry that has no signatures, as it says. */
async function startHidingMirror(): Promise<string> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      if (request.url?.endsWith('.sig') === true && hides) {
        response.writeHead(404).end();
        return;
      }
      const got = await fetch(`${registry.url}${request.url}`, { headers: { accept: request.headers.accept ?? '*/*' } });
      const type = got.headers.get('content-type') ?? '';
      const digest = got.headers.get('docker-content-digest') ?? '';
      response.writeHead(got.status, { 'content-type': type, ...(digest === '' ? {} : { 'docker-content-digest': digest }) });
      response.end(Buffer.from(await got.arrayBuffer()));
    };
    void answer();
  });
  return await listenUntilEnd(server);
}

/** Puts a signature where cosign puts it. */
async function attach(repository: string, digest: string, payload: string, privateKey: KeyObject): Promise<void> {
  const annotations = { 'dev.cosignproject.cosign/signature': signBytes(payload, privateKey) };
  await attachSignatures(registry, repository, digest, [{ payload, annotations }]);
}

async function pull(daemon: TestDaemon, image: string): Promise<void> {
  await daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
}

const demand = async (more: object): Promise<void> => lab.writePolicy({ default: [{ type: 'sigstoreSigned', ...more }] });

test('a signature by the right key is accepted; another key, digest or name, a changed claim, or none is refused', async (daemon) => {
  const layers = [await makeLayer([{ path: 'which', kind: 'file', data: 'sigstore' }])];
  const { manifestDigest: digest } = await registry.push({ layers, config: {} }, 'sig/image', ['1']);
  const name = `${registry.host}/sig/image:1`;
  const claim = (of: string, what = digest): string => cosignClaim(of, what);
  const refused = async (words: RegExp): Promise<void> => {
    const { message } = await failureOf(pull(daemon, name));
    assert.match(message, /^SignatureValidationFailed: /);
    assert.match(message, words);
  };
  await demand({ keyPath: lab.path('keys', 'ecdsa.pub') });
  await refused(/none was found/);
  for (const kind of ['ecdsa', 'rsa', 'ed25519'] as const) {
    await attach('sig/image', digest, claim(name), pairs[kind].privateKey);
    await demand({ keyPath: lab.path('keys', `${kind}.pub`) });
    await pull(daemon, name);
    await daemon.images.removeImage({ image: { image: name } });
    await demand({ keyPath: lab.path('keys', 'other.pub') });
    await refused(/by none of the keys/);
  }
  const { privateKey } = pairs.ecdsa;
  await demand({ keyPaths: [lab.path('keys', 'other.pub'), lab.path('keys', 'ecdsa.pub')] });
  await attach('sig/image', digest, claim(name, `sha256:${'0'.repeat(64)}`), privateKey);
  await refused(/it is for sha256:0{64}/);
  await attach('sig/image', digest, claim(`${registry.host}/sig/other:1`), privateKey);
  await refused(/matchRepoDigestOrExact does not accept/);
  await attach('sig/image', digest, claim(name.slice(0, -2)), privateKey);
  await refused(/matchRepoDigestOrExact does not accept/);
  await demand({ keyPath: lab.path('keys', 'ecdsa.pub'), signedIdentity: { type: 'matchRepository' } });
  await pull(daemon, name);
  await demand({ keyPath: lab.path('keys', 'ecdsa.pub'), rekorPublicKeyPath: lab.path('keys', 'other.pub') });
  await refused(/it has no dev\.sigstore\.cosign\/bundle/); // also of an image that is here
  await demand({ keyPath: lab.path('keys', 'ecdsa.pub'), rekor: 'x' });
  await refused(/policy \S+policy\.json: default\[0\]\.rekor: must be absent/);
  await daemon.images.removeImage({ image: { image: name } });
});

test('a mirror that hides the signatures of an image cannot make it pass without', async (daemon) => {
  const layers = [await makeLayer([{ path: 'which', kind: 'file', data: 'hidden' }])];
  const { manifestDigest } = await registry.push({ layers, config: {} }, 'hidden/image', ['1']);
  const name = 'hidden.test/hidden/image:1';
  await attach('hidden/image', manifestDigest, cosignClaim(name, manifestDigest), pairs.ecdsa.privateKey);
  await demand({ keyPath: lab.path('keys', 'ecdsa.pub') });
  await pull(daemon, name); // the mirror is right in all else
  hides = true;
  for (const state of ['here', 'not here']) {
    const { message } = await failureOf(pull(daemon, name));
    assert.match(message, /^SignatureValidationFailed: .*a signature of sha256:\w+ must be there, none was found/, state);
    await daemon.images.removeImage({ image: { image: name } });
  }
});
