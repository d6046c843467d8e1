/** sigstore signatures by certificates: those of a Fulcio, with Rekor's time, and those of a company's own authorities. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { CODE_SIGNING, extension, makeCertificate, newPair } from '../support/certificates.ts';
import type { CertificateOptions, MadeCertificate } from '../support/certificates.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf } from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { noSigning, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';
import { attachSignatures, byCertificate, byKey, cosignClaim, publicPem } from '../support/sigstore.ts';

const EMAIL = 'builder@example.test';
const ISSUER = 'https://issuer.example.test';
const HOUR_MS = 60 * 60_000;
/** A build of two days ago, whose certificate was for ten minutes. */
const USED_AT_MS = Math.floor(Date.now() / 1000) * 1000 - 48 * HOUR_MS;

let registry: TestRegistry;
let lab: TrustLab;
const rekor = newPair.ec();
const otherRekor = newPair.ec();
const key = newPair.ec();
const longLife = { from: new Date(Date.now() - 1000 * HOUR_MS), until: new Date(Date.now() + 1000 * HOUR_MS) };
const authorities = [extension.authority(true), extension.keyUsage(0x04)];
const root = makeCertificate({ subject: 'root', extensions: authorities, ...longLife });
const middle = makeCertificate({ subject: 'middle', issuer: root, extensions: authorities, ...longLife });

function certificate(email: string, more: Partial<CertificateOptions> = {}): MadeCertificate {
  const issuer = [extension.issuer(ISSUER), extension.issuerV2(ISSUER)];
  const extensions = [extension.keyUsage(0x80), extension.purposes(CODE_SIGNING), extension.names([`email:${email}`], true), ...issuer];
  const [from, until] = [new Date(USED_AT_MS - 60_000), new Date(USED_AT_MS + 540_000)];
  return makeCertificate({ subject: '', issuer: middle, from, until, extensions, ...more });
}

const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning,
  prepare: async () => {
    ({ registry, lab } = await startTrustLab());
    await writeFile(lab.path('registries.d', 'default.yaml'), 'default-docker: { use-sigstore-attachments: true }\n');
    await writeFile(lab.path('keys', 'root.pem'), root.pem);
    await writeFile(lab.path('keys', 'middle.pem'), middle.pem);
    await writeFile(lab.path('keys', 'rekor.pub'), publicPem(rekor));
    await writeFile(lab.path('keys', 'key.pub'), publicPem(key));
    return { config: `${await registry.daemonConfig({})}${lab.daemonConfig}` };
  },
});

async function pull(daemon: TestDaemon, image: string): Promise<void> {
  await daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
}

/** Refused, with words that name the policy's file, the place in it and what is wrong. */
async function refused(daemon: TestDaemon, image: string, words: RegExp): Promise<void> {
  const { message } = await failureOf(pull(daemon, image));
  assert.match(message, /^SignatureValidationFailed: /);
  assert.ok(message.includes(`is refused by ${lab.path('policy.json')}: transports.docker["${registry.host}"][0]: `), message); // prettier-ignore
  assert.match(message, words);
}

async function push(repository: string): Promise<{ name: string; digest: string; claim: string }> {
  const layers = [await makeLayer([{ path: 'which', kind: 'file', data: repository }])];
  const { manifestDigest: digest } = await registry.push({ layers, config: {} }, repository, ['1']);
  const name = `${registry.host}/${repository}:1`;
  return { name, digest, claim: cosignClaim(name, digest) };
}

const demand = async (more: object): Promise<void> =>
  lab.writePolicy({ default: [{ type: 'reject' }], transports: { docker: { [registry.host]: [{ type: 'sigstoreSigned', ...more }] } } });

test('an image that was signed with a certificate of Fulcio long ago is accepted; by anybody else, or at another time, refused', async (daemon) => {
  const { name, digest, claim } = await push('fulcio/image');
  const fulcio = { caPath: lab.path('keys', 'root.pem'), oidcIssuer: ISSUER, subjectEmail: EMAIL };
  const policy = { fulcio, rekorPublicKeyPath: lab.path('keys', 'rekor.pub') };
  const attach = async (made: MadeCertificate, at = USED_AT_MS, by = rekor): Promise<void> =>
    attachSignatures(registry, 'fulcio/image', digest, [byCertificate(claim, made, [middle, root], { rekor: by, at: at / 1000 })]);
  await demand(policy);
  await refused(daemon, name, /none was found/);
  await attach(certificate('mallory@example.test'));
  await refused(daemon, name, /its certificate is for the addresses "mallory@example\.test", must be for "builder@example\.test"/);
  await attach(certificate(EMAIL), USED_AT_MS + HOUR_MS);
  await refused(daemon, name, /its certificate was valid until \S+Z, it counts at \S+Z/);
  await attach(certificate(EMAIL), USED_AT_MS, otherRekor);
  await refused(daemon, name, /the signed entry timestamp of Rekor is by none of the policy's Rekor keys/);
  await attach(certificate(EMAIL, { issuer: makeCertificate({ subject: 'middle', extensions: authorities, ...longLife }) }));
  await refused(daemon, name, /its certificate leads to no authority of the policy: the signature of a certificate does not hold/);
  await attach(certificate(EMAIL));
  await pull(daemon, name);
  await demand({ ...policy, fulcio: { ...fulcio, oidcIssuer: 'https://other.example.test' } });
  await refused(daemon, name, /names the OIDC issuer "https:\/\/issuer\.example\.test", must name "https:\/\/other/); // also of an image that is here
  await demand({ ...policy, fulcio: { ...fulcio, caPath: lab.path('keys', 'none.pem') } });
  await refused(daemon, name, /fulcio CA \S+none\.pem: ENOENT/);
  await demand({ ...policy, fulcio: { ...fulcio, subject: EMAIL } });
  const { message } = await failureOf(pull(daemon, name));
  assert.match(message, /^SignatureValidationFailed: .*policy\.json: transports\.docker\S+\[0\]\.fulcio\.subject: must be absent/);
  await daemon.images.removeImage({ image: { image: name } });
});

test("an image that was signed with a certificate of the policy's own authorities is accepted while that is valid", async (daemon) => {
  const { name, digest, claim } = await push('pki/image');
  const pki = { caRootsPath: lab.path('keys', 'root.pem'), caIntermediatesPath: lab.path('keys', 'middle.pem'), subjectEmail: EMAIL };
  const attach = async (made: MadeCertificate): Promise<void> =>
    attachSignatures(registry, 'pki/image', digest, [byCertificate(claim, made, [])]);
  await demand({ pki });
  await attach(certificate(EMAIL));
  await refused(daemon, name, /its certificate was valid until/);
  await attach(certificate(EMAIL, longLife));
  await pull(daemon, name);
  await demand({ pki: { ...pki, caIntermediatesPath: undefined } });
  await refused(daemon, name, /its certificate leads to no authority of the policy/);
  await daemon.images.removeImage({ image: { image: name } });
});

test('an image that was signed with a key is accepted where the log of Rekor has it, and refused where it has another', async (daemon) => {
  const { name, digest, claim } = await push('logged/image');
  const attach = async (...parts: Parameters<typeof byKey>): Promise<void> =>
    attachSignatures(registry, 'logged/image', digest, [byKey(...parts)]);
  await demand({ keyPath: lab.path('keys', 'key.pub'), rekorPublicKeyPaths: [lab.path('keys', 'key.pub'), lab.path('keys', 'rekor.pub')] });
  await attach(claim, key);
  await refused(daemon, name, /it has no dev\.sigstore\.cosign\/bundle/);
  await attach(claim, key, { rekor, entry: () => ({ apiVersion: '0.0.1', kind: 'intoto', spec: {} }) });
  await refused(daemon, name, /the entry of Rekor: kind: must be hashedrekord, is "intoto"/);
  await attach(claim, key, { rekor });
  await pull(daemon, name);
  await daemon.images.removeImage({ image: { image: name } });
});
