/** sigstoreSigned accepts what the library of CRI-O, podman and skopeo accepts, containers/image, and nothing else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { ensureDir, remove, writeJson } from 'fs-extra/esm';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { messageOf } from '../../../src/base/errors.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { signatureSource } from '../../../src/image/signature-source.ts';
import { Logins } from '../../../src/registry/logins.ts';
import { RegistriesConf } from '../../../src/registry/registries-conf.ts';
import { RegistryClient } from '../../../src/registry/registry-client.ts';
import { StallWatch } from '../../../src/registry/stall-watch.ts';
import { Gpg } from '../../../src/trust/gpg.ts';
import { ImageTrust } from '../../../src/trust/image-trust.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { attachSignatures } from '../../support/sigstore.ts';
import { DER_CASES } from './der-cases.ts';
import { DOCUMENT_CASES } from './document-cases.ts';
import { FULCIO_CASES } from './fulcio-cases.ts';
import { KEY_CASES } from './key-cases.ts';
import { PKI_CASES } from './pki-cases.ts';
import { base64, claim, pemOf, rekor } from './policy-lab.ts';
import type { CaseImage } from './policy-lab.ts';

const CASES = [
  ...KEY_CASES.map((one) => ({ ...one, group: 'key' })),
  ...FULCIO_CASES.map((one) => ({ ...one, group: 'fulcio' })),
  ...PKI_CASES.map((one) => ({ ...one, group: 'pki' })),
  ...DER_CASES.map((one) => ({ ...one, group: 'der' })),
  ...DOCUMENT_CASES.map((one) => ({ ...one, group: 'document' })),
];
const SCRIPT = join(import.meta.dirname, '../../../scripts/build-policy-reference.sh');
const built = await execa('bash', [SCRIPT], { reject: false });
const notBuilt = built.exitCode !== 0 && `the policies' reference is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

let directory: string;
let registry: TestRegistry;
let client: RegistryClient;
const images: CaseImage[] = [];
const REPOSITORY = 'cases/app';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const policyOf = (index: number): string => join(directory, `policy-${index}.json`);

before(async () => {
  if (noRegistry !== false) return;
  directory = await mkdtemp(join(tmpdir(), 'pw-policies-'));
  registry = await TestRegistry.start();
  await ensureDir(join(directory, 'registries.d'));
  await writeJson(join(directory, 'registries.d', 'default.yaml'), { 'default-docker': { 'use-sigstore-attachments': true, lookaside: `file://${directory}` } }); // prettier-ignore
  const conf = join(directory, 'registries.conf');
  await writeFile(conf, `[[registry]]\nprefix = "${registry.host}"\nlocation = "${registry.host}"\ninsecure = true\n`);
  const registries = await RegistriesConf.load(conf, join(directory, 'none'));
  client = new RegistryClient(() => registries);
  const layers = [await makeLayer([{ path: 'file', kind: 'file', data: 'x' }])];
  await registry.push({ layers, config: {} }, REPOSITORY, ['any'], 'oci');
  const pushed = await fetch(`${registry.url}/v2/${REPOSITORY}/manifests/any`, { headers: { accept: MANIFEST } });
  const manifest = (await pushed.json()) as object;
  for (const index of CASES.keys()) await prepare(index, manifest); // side by side, the registry loses a blob that two bring
});

/** A manifest of its own for a case, with its signatures, and its policy. */
async function prepare(index: number, manifest: object): Promise<void> {
  const { policy, sign } = CASES[index] ?? assert.fail();
  const body = JSON.stringify({ ...manifest, annotations: { case: String(index) } });
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const url = `${registry.url}/v2/${REPOSITORY}/manifests/case${index}`;
  assert.equal((await fetch(url, { method: 'PUT', headers: { 'content-type': MANIFEST }, body })).status, 201);
  const image = { host: registry.host, name: `${registry.host}/${REPOSITORY}:case${index}`, digest };
  const signatures = sign(claim(image), image);
  if (signatures.length > 0) await attachSignatures(registry, REPOSITORY, digest, signatures);
  const requirement = { type: 'sigstoreSigned', ...(typeof policy === 'function' ? policy(image) : policy) };
  await writeJson(policyOf(index), { default: [{ type: 'reject' }], transports: { docker: { [registry.host]: [requirement] } } });
  images[index] = image;
}

after(async () => {
  if (noRegistry !== false) return;
  await client.close();
  await registry.stop();
  await remove(directory);
});

/** Undefined where it is accepted, else why not. */
async function ours(index: number): Promise<string | undefined> {
  return await whyNot(policyOf(index), images[index] ?? assert.fail());
}

async function whyNot(signaturePolicy: string, { name, digest }: Pick<CaseImage, 'name' | 'digest'>): Promise<string | undefined> {
  const places = {
    signaturePolicy, signaturePolicyDir: join(directory, 'none'), registriesD: join(directory, 'registries.d'),
    verifierBinDir: '', verifierMax: 0, verifierTimeoutMs: 0,
  }; // prettier-ignore
  const gpg = new Gpg(join(directory, 'gpg'), {});
  const trust = new ImageTrust({ places: () => places, gpg, parseName: parseReference, environment: {}, log: silentLog });
  const reference = parseReference(name);
  const watch = new StallWatch(10_000);
  const { signal } = new AbortController();
  const repository = client.repository(
    { domain: reference.domain, path: reference.path, suffix: `:${reference.tag}` },
    new Logins(undefined),
    watch,
  );
  try {
    const pull = await trust.forPull('');
    await pull.check({ name: reference, manifestDigest: digest as Digest }, signatureSource(client, repository, watch, signal), signal);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

for (const [index, { group, name, verdict, words }] of CASES.entries()) {
  test(`${group}: ${name}: ${verdict}`, { skip: noRegistry }, async () => {
    const why = await ours(index);
    assert.equal(why === undefined ? 'accepted' : 'refused', verdict, why);
    assert.match(why ?? '', words ?? /^/);
    if (why !== undefined) assert.ok(why.includes(policyOf(index)), why);
  });
}

test('containers/image comes to the same verdicts', { skip: noRegistry || notBuilt }, async () => {
  const input = JSON.stringify(images.map(({ name }, index) => ({ policy: policyOf(index), image: name })));
  const { stdout } = await execa(built.stdout, [join(directory, 'registries.d')], { input });
  const answers = JSON.parse(stdout) as { accepted: boolean; why: string }[];
  const differences: string[] = [];
  for (const [index, { accepted, why }] of answers.entries()) {
    const { group, name, verdict, stricter } = CASES[index] ?? assert.fail();
    const theirs = accepted ? 'accepted' : 'refused';
    if (stricter === undefined ? theirs !== verdict : !accepted || verdict === 'accepted')
      differences.push(`${group}: ${name}: ${theirs} ${why}`);
  }
  assert.equal(answers.length, CASES.length);
  assert.deepEqual(differences, []);
});

test('what containers/image signs is accepted', { skip: noRegistry || notBuilt }, async () => {
  const layers = [await makeLayer([{ path: 'file', kind: 'file', data: 'signed' }])];
  const { manifestDigest: digest } = await registry.push({ layers, config: {} }, 'signed/app', ['1'], 'oci');
  const image = { name: `${registry.host}/signed/app:1`, digest };
  const { stdout } = await execa(built.stdout, ['sign', join(directory, 'registries.d'), image.name]);
  const policy = join(directory, 'policy-signed.json');
  await writeJson(policy, { default: [{ type: 'sigstoreSigned', keyData: base64(stdout) }] });
  assert.equal(await whyNot(policy, image), undefined);
  await writeJson(policy, { default: [{ type: 'sigstoreSigned', keyData: base64(pemOf(rekor)) }] });
  assert.match((await whyNot(policy, image)) ?? '', /by none of the keys/);
});
