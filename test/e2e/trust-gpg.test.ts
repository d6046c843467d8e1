/** Signature policies: default, scopes, namespaces, and OpenPGP signatures (signedBy), over a registry of our own. */
// long: 40 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { ManifestForm, PushedImage } from '../../scripts/push-image.ts';
import { crictlCommand, noCrictl } from '../support/crictl.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf } from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { IMAGES } from '../support/test-image.ts';
import { noSigning, signWithSkopeo, simpleClaim, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';

let registry: TestRegistry;
let lab: TrustLab;
let key: string;
let otherKey: string;
const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning || noCrictl,
  prepare: async () => {
    ({ registry, lab } = await startTrustLab());
    key = await lab.home.makeKey('signer');
    otherKey = await lab.home.makeKey('somebody else');
    await lab.home.writeKey(key, lab.path('keys', 'signer.asc'));
    await lab.home.writeKey(otherKey, lab.path('keys', 'other.gpg'), 'binary');
    return { config: `${await registry.daemonConfig({ 'mirrored.test': registry.host })}${lab.daemonConfig}` };
  },
});

let serial = 0;

async function push(repository: string, form?: ManifestForm): Promise<PushedImage & { readonly name: string }> {
  serial += 1;
  const layer = await makeLayer([{ path: 'which', kind: 'file', data: `image ${serial}` }]);
  return { ...(await registry.push({ layers: [layer], config: {} }, repository, ['1'], form)), name: `${registry.host}/${repository}:1` };
}

async function sign(image: string, fingerprint: string, identity?: string): Promise<void> {
  const gpg = { home: lab.home, fingerprint };
  await signWithSkopeo(image, { registriesD: lab.path('registries.d'), gpg, ...(identity === undefined ? {} : { identity }) });
}

async function pull(daemon: TestDaemon, image: string, namespace?: string): Promise<string> {
  const sandboxConfig = namespace === undefined ? undefined : { metadata: { name: 'p', namespace, uid: 'u', attempt: 0 } };
  return (await daemon.images.pullImage({ image: { image }, sandboxConfig }, { timeoutMs: 60_000 })).imageRef;
}

async function pulled(daemon: TestDaemon, image: string, namespace?: string): Promise<void> {
  await pull(daemon, image, namespace);
  await daemon.images.removeImage({ image: { image } });
}

/** A refusal that the kubelet knows by its first word, after which nothing of the image is here. */
async function refused(daemon: TestDaemon, image: string, words: RegExp, namespace?: string): Promise<void> {
  const { code, message } = await failureOf(pull(daemon, image, namespace));
  assert.match(message, /^SignatureValidationFailed: /);
  assert.match(message, words);
  assert.equal(code, 'UNKNOWN'); // under which alone the kubelet looks at the words
  assert.equal((await daemon.images.imageStatus({ image: { image } })).image, undefined);
}

const ANYTHING = [{ type: 'insecureAcceptAnything' }];
const signedBy = (more: object = {}): object[] => [
  { type: 'signedBy', keyType: 'GPGKeys', keyPath: lab.path('keys', 'signer.asc'), ...more },
];
const forAll = (requirements: object[]): object => ({ default: requirements });
const identity = (signedIdentity: object): object => forAll(signedBy({ signedIdentity }));

test('an image with a signature of the right key is pulled, as crictl sees it too', async (daemon) => {
  const { name, imageId } = await push('gpg/right');
  await sign(name, key);
  await lab.writePolicy(forAll(signedBy()));
  const { stdout } = await execa(...(await crictlCommand(daemon, ['pull', name])));
  assert.match(stdout, new RegExp(imageId));
  await pulled(daemon, name);
});

test('an image without a signature, or with one of another key, is refused, also by crictl', async (daemon) => {
  await lab.writePolicy(forAll(signedBy()));
  const unsigned = await push('gpg/unsigned');
  await refused(daemon, unsigned.name, /policy\.json: default\[0\]: signedBy: a signature of sha256:\w+ must be there, none was found/);
  const { name } = await push('gpg/wrong-key');
  await sign(name, otherKey);
  await refused(daemon, name, /NO_PUBKEY/);
  const crictl = await execa(...(await crictlCommand(daemon, ['pull', name])), { reject: false });
  assert.notEqual(crictl.exitCode, 0);
  assert.match(crictl.stderr, /SignatureValidationFailed: pull /);
});

test('of several keys and several signatures one is enough, and keys come as file, files or data', async (daemon) => {
  const { name } = await push('gpg/several');
  await sign(name, otherKey);
  await sign(name, key);
  const keyPaths = [lab.path('keys', 'other.gpg'), lab.path('keys', 'signer.asc')];
  await lab.writePolicy(forAll(signedBy()));
  await pulled(daemon, name);
  await lab.writePolicy(forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyPaths }]));
  await pulled(daemon, name);
  const { stdout } = await execa('base64', ['-w0', lab.path('keys', 'other.gpg')]);
  await lab.writePolicy(forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyData: stdout }]));
  await pulled(daemon, name);
  // All demands must be met: both have signed.
  await lab.writePolicy(forAll([...signedBy(), { type: 'signedBy', keyType: 'GPGKeys', keyData: stdout }]));
  await pulled(daemon, name);
});

test('an expired key, an expired signature, a signature of another image and a broken one are refused', async (daemon) => {
  const { name, manifestDigest } = await push('gpg/bad');
  await lab.writePolicy(forAll(signedBy()));
  const put = async (bytes: Uint8Array): Promise<void> => lab.putSignature('gpg/bad', manifestDigest, bytes);
  const claim = simpleClaim(name, manifestDigest);

  await put(await lab.home.sign(key, simpleClaim(name, `sha256:${'0'.repeat(64)}`)));
  await refused(daemon, name, /it is for sha256:0{64}, must be for sha256:/);
  const good = await lab.home.sign(key, claim);
  await put(good.subarray(0, -9));
  await refused(daemon, name, /gpgv says /);
  await put(Buffer.from('no signature'));
  await refused(daemon, name, /NODATA/);
  await put(await lab.home.sign(key, claim.replace('"optional"', '"critical":{},"optional"')));
  await refused(daemon, name, /key "critical" is there twice/);
  await put(await lab.home.sign(key, claim.replace('atomic', 'some other')));
  await refused(daemon, name, /critical\.type: must be atomic container signature/);

  const expired = await lab.home.makeKey('expired', { expires: 'seconds=3600', atTime: '20200101T000000' });
  const keyPath = await lab.home.writeKey(expired, lab.path('keys', 'expired.asc'));
  await put(await lab.home.sign(expired, claim, ['--faked-system-time', '20200101T000500']));
  await lab.writePolicy(forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyPath }]));
  await refused(daemon, name, /its key has expired/);
  const old = await lab.home.makeKey('old', { atTime: '20200101T000000' });
  const oldKeyPath = await lab.home.writeKey(old, lab.path('keys', 'old.asc'));
  await lab.writePolicy(forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyPath: oldKeyPath }]));
  await put(await lab.home.sign(old, claim, ['--faked-system-time', '20200101T000500', '--default-sig-expire', '1d']));
  await refused(daemon, name, /it has expired/);
  await put(await lab.home.sign(old, claim));
  await pulled(daemon, name);

  await put(good);
  await lab.writePolicy(forAll(signedBy()));
  await pulled(daemon, name);
});

test('the signed name must be the one that signedIdentity wants', async (daemon) => {
  const { name, manifestDigest } = await push('gpg/names');
  const byDigest = `${name.slice(0, name.lastIndexOf(':'))}@${manifestDigest}`;
  await sign(name, key);
  await lab.writePolicy(identity({ type: 'matchExact' }));
  await pulled(daemon, name);
  await refused(daemon, byDigest, /which matchExact does not accept/);
  await lab.writePolicy(identity({ type: 'matchRepoDigestOrExact' }));
  await pulled(daemon, name);
  await pulled(daemon, byDigest);

  // The same image under another name, with the signature of the first: what a thief of signatures would do.
  await execa('skopeo', ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false', '--preserve-digests', `docker://${name}`, `docker://${registry.host}/gpg/copy:1`]); // prettier-ignore
  await lab.putSignature('gpg/copy', manifestDigest, await lab.home.sign(key, simpleClaim(name, manifestDigest)));
  const copy = `${registry.host}/gpg/copy:1`;
  await lab.writePolicy(forAll(signedBy()));
  await refused(daemon, copy, /it is for the name ".*gpg\/names:1", which matchRepoDigestOrExact does not accept/);
  await lab.writePolicy(identity({ type: 'matchRepository' }));
  await refused(daemon, copy, /matchRepository does not accept/);
  await lab.writePolicy(identity({ type: 'exactReference', dockerReference: name }));
  await pulled(daemon, copy);
  await lab.writePolicy(identity({ type: 'exactReference', dockerReference: `${name}.2` }));
  await refused(daemon, copy, /exactReference does not accept/);
  await lab.writePolicy(identity({ type: 'exactRepository', dockerRepository: `${registry.host}/gpg/names` }));
  await pulled(daemon, copy);
  await lab.writePolicy(
    identity({ type: 'remapIdentity', prefix: `${registry.host}/gpg/copy`, signedPrefix: `${registry.host}/gpg/names` }),
  );
  await pulled(daemon, copy);
  await lab.writePolicy(identity({ type: 'remapIdentity', prefix: `${registry.host}/gpg/cop`, signedPrefix: `${registry.host}/gpg/nam` }));
  await refused(daemon, copy, /remapIdentity does not accept/);
});

test('of an index the signature of the manifest for this platform counts', async (daemon) => {
  const { name, digest, manifestDigest } = await push('gpg/index', 'oci-index');
  await lab.writePolicy(forAll(signedBy()));
  await lab.putSignature('gpg/index', digest, await lab.home.sign(key, simpleClaim(name, digest)));
  await refused(daemon, name, /none was found/);
  await lab.putSignature('gpg/index', manifestDigest, await lab.home.sign(key, simpleClaim(name, manifestDigest)));
  await pulled(daemon, name);
});

test('the closest scope decides, and it alone', async (daemon) => {
  const { name } = await push('scopes/deep/image');
  const repository = name.slice(0, -2);
  const reject = [{ type: 'reject' }];
  const docker: Record<string, object[]> = {};
  const policy = { default: reject, transports: { docker } };
  const steps = ['', registry.host, `${registry.host}/scopes`, `${registry.host}/scopes/deep`, repository, name];
  for (const scope of steps) {
    docker[scope] = ANYTHING;
    await lab.writePolicy(policy);
    await pulled(daemon, name);
    docker[scope] = reject;
    await lab.writePolicy(policy);
    await refused(daemon, name, new RegExp(`transports\\.docker\\["${scope.replaceAll('.', '\\.')}"\\]\\[0\\]: reject`));
  }
  // What only begins like the name is another scope; so is another transport.
  const others = { [`${registry.host}/scop`]: reject, [`${repository}s`]: reject, 'scopes/deep/image': reject };
  await lab.writePolicy({ default: ANYTHING, transports: { docker: others, 'docker-daemon': { '': reject } } });
  await pulled(daemon, name);
});

test('a namespace with a policy of its own goes by that alone', async (daemon) => {
  const { name } = await push('namespaces/image');
  await lab.writePolicy(forAll([{ type: 'reject' }]));
  await lab.writePolicy(forAll(ANYTHING), 'lenient');
  await lab.writePolicy(forAll(signedBy()), 'strict');
  await refused(daemon, name, /policy\.json: default\[0\]: reject/);
  await refused(daemon, name, /policy\.json: default\[0\]: reject/, 'without');
  await pulled(daemon, name, 'lenient');
  await refused(daemon, name, /policies\/strict\.json: default\[0\]: signedBy/, 'strict');
  const { message } = await failureOf(pull(daemon, name, '../policies/lenient'));
  assert.match(message, /namespace is "\.\.\/policies\/lenient", must have no "\/"/);
  await Promise.all(['lenient', 'strict'].map(async (namespace) => remove(lab.path('policies', `${namespace}.json`))));
});

test('an archive may be loaded where the policy says so for its kind', async (daemon) => {
  const load = async (format: 'oci' | 'docker'): Promise<void> => daemon.loadImages(['busybox'], format);
  await lab.writePolicy({ default: [{ type: 'reject' }], transports: { 'docker-archive': { '': ANYTHING } } });
  await assert.rejects(load('oci'), /oci-archive is refused by .*policy\.json: default\[0\]: reject/);
  await load('docker');
  await daemon.images.removeImage({ image: { image: IMAGES.busybox } });
  await lab.writePolicy({ default: ANYTHING, transports: { 'docker-archive': { '': signedBy() } } });
  await assert.rejects(load('docker'), /docker-archive is refused by .*: signedBy: a signature must be there, an archive has none/);
  await load('oci');
  await daemon.images.removeImage({ image: { image: IMAGES.busybox } });
});

test('a lookaside may be a web server; one that does not answer refuses nothing for good', async (daemon) => {
  const { name, manifestDigest } = await push('gpg/web');
  const signature = await lab.home.sign(key, simpleClaim(name, manifestDigest));
  const path = `/sigs/gpg/web@${manifestDigest.replace(':', '=')}/signature-1`;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.statusCode = request.url === path ? 200 : 404;
    response.end(request.url === path ? signature : 'no');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lookaside = `http://127.0.0.1:${port}/sigs`;
  await writeFile(lab.path('registries.d', 'web.yaml'), `docker:\n  ${registry.host}/gpg/web:\n    lookaside: ${lookaside}\n`);
  await lab.writePolicy(forAll(signedBy()));
  try {
    const auth = { username: 'u', password: 'secret' };
    await daemon.images.pullImage({ image: { image: name }, auth });
    await daemon.images.removeImage({ image: { image: name } });
    assert.deepEqual(asked, [`${path} undefined`, `${path.slice(0, -1)}2 undefined`]);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
  const { message } = await failureOf(pull(daemon, name));
  assert.match(message, /^RegistryUnavailable: pull .*ECONNREFUSED/);
  await remove(lab.path('registries.d', 'web.yaml'));
});

test('a policy, a key or a registries.d file that is wrong refuses every pull in words, until it is mended', async (daemon) => {
  const { name } = await push('broken/image');
  const broken: [string | object, RegExp][] = [
    ['{', /policy .*policy\.json: must be JSON/],
    ['{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}', /key "default" is there twice/],
    [{}, /default: must be a list, is missing/],
    [{ default: [] }, /default: must be a list of at least one requirement/],
    [{ default: ANYTHING, extra: 1 }, /extra: must be absent/],
    [{ default: [{ type: 'insecureAcceptAnything', keyPath: '/x' }] }, /default\[0\]\.keyPath: must be absent/],
    [{ default: [{ type: 'signedBaseLayer' }] }, /default\[0\]\.type: must be one of/],
    [{ default: ANYTHING, transports: { dockre: {} } }, /transports\.dockre: must be absent/],
    [{ default: ANYTHING, transports: { docker: { 'Host name': ANYTHING } } }, /"Host name"\]: must be under a scope/],
    [forAll([{ type: 'signedBy', keyType: 'X509Certificates', keyPath: '/x' }]), /keyType: must be GPGKeys/],
    [forAll([{ type: 'signedBy', keyType: 'GPGKeys' }]), /default\[0\]: must be given keyPath, keyPaths or keyData/],
    [forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/x', keyData: 'eA==' }]), /must be given just one of keyPath, keyData/],
    [identity({ type: 'matchAny' }), /signedIdentity\.type: must be one of/],
    [identity({ type: 'exactReference', dockerReference: 'a/b' }), /dockerReference: must be the name of an image with its tag or digest/],
    [forAll([{ type: 'sigstoreSigned', pki: {} }]), /default\[0\]\.pki: must be given subjectEmail or subjectHostname/],
    [forAll([{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/no-such.gpg' }]), /key \/no-such\.gpg: ENOENT/],
  ];
  for (const [policy, words] of broken) {
    await lab.writePolicy(policy);
    await refused(daemon, name, words);
  }
  await rm(lab.path('policy.json'));
  await refused(daemon, name, /policy .*policy\.json: ENOENT/);
  await mkdir(lab.path('policy.json'));
  await refused(daemon, name, /policy\.json: it is no regular file/);
  await remove(lab.path('policy.json'));
  await execa('mkfifo', [lab.path('policy.json')]);
  await refused(daemon, name, /policy\.json: it is no regular file/);
  await remove(lab.path('policy.json'));

  await lab.writePolicy(forAll(signedBy()));
  await writeFile(lab.path('registries.d', 'wrong.yaml'), 'docker:\n  a.test:\n    lookaside: nowhere\n');
  await refused(daemon, name, /registries\.d: read .*wrong\.yaml: docker\["a\.test"\]\.lookaside: must be a URL/);
  await writeFile(lab.path('registries.d', 'wrong.yaml'), 'default-docker: {}\n');
  await refused(daemon, name, /default-docker is in .*default\.yaml as well/);
  await remove(lab.path('registries.d', 'wrong.yaml'));

  await lab.writePolicy(forAll(ANYTHING));
  await pulled(daemon, name);
});
