/** PullImage and RemoveImage with registries of our own: open, with a password, over https, slow, broken. */
// long: 40 s
import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../scripts/make-demo-image.ts';
import type { ManifestForm, PushedImage } from '../../scripts/push-image.ts';
import type { AuthConfig, Image, Init } from '../../api/cri/runtime.ts';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { findProgram } from '../support/find-program.ts';
import { Gate } from '../support/gate.ts';
import { containerStatus, failureOf, outputOf, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../support/registry.ts';
import type { RegistryOptions } from '../support/registry.ts';
import { testImages } from '../support/test-image.ts';

/** Names under which the daemon knows the registries. */
const OPEN = 'open.test';
const PRIVATE = 'private.test';
const SLOW = 'slow.test';
const OTHER = 'other.test';

let open: TestRegistry;
let guarded: TestRegistry;
let gate: Gate;
const test = sharedDaemon({
  images: [],
  skip: noRegistry,
  prepare: async () => {
    open = await registry();
    guarded = await registry({ private: true });
    gate = await Gate.to(open.host);
    atEnd(async () => gate.close());
    return { config: await open.daemonConfig({ [OPEN]: open.host, [OTHER]: open.host, [PRIVATE]: guarded.host, [SLOW]: gate.host }) };
  },
});

/** A registry that ends with this file. */
async function registry(options?: RegistryOptions): Promise<TestRegistry> {
  const started = await TestRegistry.start(options);
  atEnd(async () => started.stop());
  return started;
}

let serial = 0;

/** An image that no other test has: busybox and a layer of its own, which holds `size` bytes that do not compress. */
async function freshImage(size = 1000): Promise<ImageSource> {
  serial += 1;
  const { busybox } = await testImages();
  const noise = Buffer.alloc(size);
  for (let at = 0, value = serial; at < size; at += 1) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) >>> 0;
    noise[at] = value >>> 24;
  }
  const own = await makeLayer([
    { path: 'which', kind: 'file', data: `image ${serial}` },
    { path: 'noise', kind: 'file', data: noise },
  ]);
  return { ...busybox, layers: [...busybox.layers, own], config: { ...busybox.config, Labels: { serial: String(serial) } } };
}

async function push(registry: TestRegistry, repository: string, tags: readonly string[], form?: ManifestForm): Promise<PushedImage> {
  return registry.push(await freshImage(), repository, tags, form);
}

async function pull(daemon: TestDaemon, image: string, auth?: Init<AuthConfig>): Promise<string> {
  return (await daemon.images.pullImage({ image: { image }, auth }, { timeoutMs: 60_000 })).imageRef;
}

async function imageStatus(daemon: TestDaemon, image: string): Promise<Image | undefined> {
  return (await daemon.images.imageStatus({ image: { image } })).image;
}

async function removeImage(daemon: TestDaemon, image: string): Promise<void> {
  await daemon.images.removeImage({ image: { image } });
  assert.equal(await imageStatus(daemon, image), undefined);
}

test('what a pull may say without effect changes nothing of it', async (daemon) => {
  const { imageId } = await push(open, 'said/more', ['1']);
  const name = `${OPEN}/said/more:1`;
  const image = { image: name, annotations: { a: 'b' }, userSpecifiedImage: 'other:1', runtimeHandler: 'no-such', imageRef: 'sha256:0' };
  const sandboxConfig = {
    metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 0 },
    annotations: { a: 'b' },
    linux: { cgroupParent: '/no-such' },
  };

  assert.equal((await daemon.images.pullImage({ image, sandboxConfig })).imageRef, imageId);
  assert.equal((await daemon.images.imageStatus({ image })).image?.id, imageId);
  assert.deepEqual((await daemon.images.listImages({ filter: { image } })).images.map(({ id }) => id), [imageId]); // prettier-ignore
  await daemon.images.removeImage({ image });
  assert.equal(await imageStatus(daemon, name), undefined);
});

for (const form of ['oci', 'oci-index', 'docker', 'docker-list'] as const) {
  test(`an image (${form}) is pulled by tag and by digest, runs, and has one id everywhere`, async (daemon) => {
    const { imageId, manifestDigest, digest } = await push(open, `forms/${form}`, ['1'], form);
    const byTag = `${OPEN}/forms/${form}:1`;
    const byDigest = `${OPEN}/forms/${form}@${digest}`;

    assert.equal(await pull(daemon, byTag), imageId);
    const image = await imageStatus(daemon, byTag);
    assert.equal(image?.id, imageId);
    assert.deepEqual(image.repoTags, [byTag]);
    const digests = [...new Set([manifestDigest, digest])].map((each) => `${OPEN}/forms/${form}@${each}`);
    assert.deepEqual([...image.repoDigests].sort(), digests.sort());
    assert.equal((await imageStatus(daemon, byDigest))?.id, imageId);

    const pod = await runPod(daemon);
    for (const [index, name] of [byTag, byDigest, imageId].entries()) {
      const container = await runContainer(daemon, pod, shell('cat /which'), { image: name, name: `c${index}` });
      const status = await waitForExit(daemon, container);
      assert.equal(status.imageId, imageId, name);
      const imageRef = `${OPEN}/forms/${form}@${digest}`;
      assert.equal(status.imageRef, imageRef, name);
      const [listed] = (await daemon.runtime.listContainers({ filter: { id: container } })).containers;
      assert.deepEqual([listed?.imageId, listed?.imageRef], [imageId, imageRef], name);
      assert.deepEqual(await outputOf(daemon, container), [`image ${serial}`]);
    }
    await removePod(daemon, pod.id);

    await removeImage(daemon, byDigest);
    assert.equal(await imageStatus(daemon, byTag), undefined);
    assert.equal(await pull(daemon, byDigest), imageId);
    assert.deepEqual((await imageStatus(daemon, byDigest))?.repoTags, []);
    await removeImage(daemon, imageId);
  });
}

test('an image that is here is pulled again without its layers, and its new names are added', async (daemon) => {
  const { imageId } = await push(open, 'again', ['1', '2']);
  await pull(daemon, `${OPEN}/again:1`);
  const before = (await open.asked()).filter(({ path }) => path.includes('/blobs/')).length;

  assert.equal(await pull(daemon, `${OPEN}/again:1`), imageId);
  assert.equal(await pull(daemon, `${OPEN}/again:2`), imageId);
  assert.equal(await pull(daemon, `${OTHER}/again:1`), imageId);
  assert.equal((await open.asked()).filter(({ path }) => path.includes('/blobs/')).length, before);
  const names = [`${OPEN}/again:1`, `${OPEN}/again:2`, `${OTHER}/again:1`];
  assert.deepEqual([...((await imageStatus(daemon, imageId))?.repoTags ?? [])].sort(), names.sort());

  // By one of its names in one registry: all of them go.
  await removeImage(daemon, `${OPEN}/again:2`);
  for (const name of [...names, imageId]) assert.equal(await imageStatus(daemon, name), undefined, name);
});

test('RemoveImage by five names of one image at once: all succeed, and it is gone', async (daemon) => {
  const { imageId, digest } = await push(open, 'five', ['1', '2', '3']);
  for (const tag of ['1', '2', '3']) await pull(daemon, `${OPEN}/five:${tag}`);
  const names = [imageId, `${OPEN}/five:1`, `${OPEN}/five:2`, `${OPEN}/five:3`, `${OPEN}/five@${digest}`];

  await Promise.all(names.map(async (image) => daemon.images.removeImage({ image: { image } })));
  assert.equal(await imageStatus(daemon, imageId), undefined);
});

test('a tag that moves: the new image has the name, the old one keeps its digest', async (daemon) => {
  const old = await push(open, 'moving', ['1']);
  await pull(daemon, `${OPEN}/moving:1`);
  const fresh = await push(open, 'moving', ['1']);
  assert.equal(await pull(daemon, `${OPEN}/moving:1`), fresh.imageId);

  assert.equal((await imageStatus(daemon, `${OPEN}/moving:1`))?.id, fresh.imageId);
  const left = await imageStatus(daemon, old.imageId);
  assert.deepEqual(left?.repoTags, []);
  assert.deepEqual(left.repoDigests, [`${OPEN}/moving@${old.digest}`]);
  await removeImage(daemon, old.imageId);
  await removeImage(daemon, fresh.imageId);
});

const base64 = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');
const CREDENTIALS: Readonly<Record<string, Init<AuthConfig>>> = {
  'user and password': ACCOUNT,
  'auth, which is both in base64': { auth: base64 },
  'user and password for this registry': { ...ACCOUNT, serverAddress: PRIVATE },
};
for (const [what, auth] of Object.entries(CREDENTIALS)) {
  test(`a private image is pulled with ${what}`, async (daemon) => {
    const { imageId } = await push(guarded, 'secret', ['1']);

    assert.equal(await pull(daemon, `${PRIVATE}/secret:1`, auth), imageId);
    await removeImage(daemon, imageId);
  });
}

const WRONG: Readonly<Record<string, Init<AuthConfig> | undefined>> = {
  'no credentials': undefined,
  'a wrong password': { username: ACCOUNT.username, password: 'wrong' },
  'credentials of another registry': { ...ACCOUNT, serverAddress: OPEN },
};
for (const [what, auth] of Object.entries(WRONG)) {
  test(`a private image is refused with ${what}, also while it is here`, async (daemon) => {
    const { imageId } = await push(guarded, 'secret', ['2']);
    const name = `${PRIVATE}/secret:2`;
    const absent = await failureOf(pull(daemon, name, auth));
    assert.equal(absent.code, 'PERMISSION_DENIED');
    assert.match(absent.message, /private\.test\/secret:2.* 401 /);
    assert.equal(await imageStatus(daemon, name), undefined);

    await pull(daemon, name, ACCOUNT);
    assert.equal((await failureOf(pull(daemon, name, auth))).code, 'PERMISSION_DENIED');
    await removeImage(daemon, imageId);
  });
}

test('a pull with the right password is not joined by one with a wrong one', async (daemon) => {
  const { imageId } = await push(guarded, 'secret', ['3']);
  const name = `${PRIVATE}/secret:3`;
  const wrong = { username: ACCOUNT.username, password: 'wrong' };
  const [right, refused] = await Promise.allSettled([pull(daemon, name, ACCOUNT), failureOf(pull(daemon, name, wrong))]);

  assert.deepEqual(right, { status: 'fulfilled', value: imageId });
  assert.equal(refused.status === 'fulfilled' && refused.value.code, 'PERMISSION_DENIED');
  await removeImage(daemon, imageId);
});

test('five equal pulls at once are one: each blob is fetched once', async (daemon) => {
  const { imageId } = await push(open, 'joined', ['1']);
  const before = (await open.asked()).length;
  const ids = await Promise.all(Array.from({ length: 5 }, async () => pull(daemon, `${OPEN}/joined:1`)));

  assert.deepEqual(
    ids,
    Array.from({ length: 5 }, () => imageId),
  );
  const asked = (await open.asked()).slice(before).filter(({ method, status }) => method === 'GET' && status === 200);
  const paths = asked.map(({ path }) => path);
  assert.equal(paths.length, new Set(paths).size, `fetched twice: ${paths.join(' ')}`);
  assert.equal(paths.filter((path) => path.includes('/blobs/')).length, 3, 'the config and two layers');
  await removeImage(daemon, imageId);
});

interface SlowImage extends PushedImage {
  readonly name: string;
  /** Starts a pull of it, which hangs in the middle of the layer while the gate is shut. */
  readonly start: () => { readonly controller: AbortController; readonly result: Promise<string> };
}

async function slowImage(daemon: TestDaemon, repository: string): Promise<SlowImage> {
  const pushed = await open.push(await freshImage(4 << 20), repository, ['1']);
  const name = `${SLOW}/${repository}:1`;
  const start = (): { controller: AbortController; result: Promise<string> } => {
    const controller = new AbortController();
    const answer = daemon.images.pullImage({ image: { image: name } }, { signal: controller.signal, timeoutMs: 60_000 });
    const result = answer.then(({ imageRef }) => imageRef);
    result.catch(() => undefined);
    return { controller, result };
  };
  return { ...pushed, name, start };
}

/** The gate is as it was, whatever happens. */
async function withGateShut(bytesLeft: number, work: () => Promise<void>): Promise<void> {
  gate.shut(bytesLeft);
  try {
    await work();
  } finally {
    gate.open();
  }
}

test('a pull that is cancelled in the middle of a layer ends at once and leaves nothing; the next one is right', async (daemon) => {
  const { name, imageId, start } = await slowImage(daemon, 'cancelled');
  const before = await inventoryOf(daemon);
  await withGateShut(1 << 20, async () => {
    const call = start();
    await until('the layer is stuck', async () => gate.waiting > 0);
    const cancelledAt = Date.now();
    call.controller.abort();
    assert.equal((await failureOf(call.result)).code, 'CANCELLED');
    await assertNothingNew(daemon, before);
    assert.ok(Date.now() - cancelledAt < 5_000, `it took ${Date.now() - cancelledAt} ms to take the pull back`);
  });
  assert.equal(await imageStatus(daemon, name), undefined);

  assert.equal(await pull(daemon, name), imageId);
  await removeImage(daemon, name);
});

test('a pull whose deadline passes in the middle of a layer answers DEADLINE_EXCEEDED and leaves nothing', async (daemon) => {
  const { name } = await slowImage(daemon, 'late');
  const before = await inventoryOf(daemon);
  await withGateShut(1 << 20, async () => {
    const started = Date.now();
    const { code } = await failureOf(daemon.images.pullImage({ image: { image: name } }, { timeoutMs: 1500 }));
    assert.equal(code, 'DEADLINE_EXCEEDED');
    assert.ok(Date.now() - started < 4_000, `the answer took ${Date.now() - started} ms`);
    await assertNothingNew(daemon, before);
  });
});

test('a deadline of 1 ms answers DEADLINE_EXCEEDED and leaves nothing', async (daemon) => {
  await push(open, 'hurried', ['1']);
  const before = await inventoryOf(daemon);
  for (let round = 0; round < 10; round += 1) {
    const image = { image: `${OPEN}/hurried:1` };
    assert.equal((await failureOf(daemon.images.pullImage({ image }, { timeoutMs: 1 }))).code, 'DEADLINE_EXCEEDED');
  }
  await assertNothingNew(daemon, before);
});

test('of two equal pulls one is cancelled: the other gets the image', async (daemon) => {
  const { imageId, name, start } = await slowImage(daemon, 'shared');
  let other: Promise<string> | undefined;
  await withGateShut(1 << 20, async () => {
    const call = start();
    await until('the layer is stuck', async () => gate.waiting > 0);
    other = pull(daemon, name);
    call.controller.abort();
    assert.equal((await failureOf(call.result)).code, 'CANCELLED');
  });

  assert.equal(await other, imageId);
  await removeImage(daemon, name);
});

test('a connection that breaks in the middle of a layer is taken up again', async (daemon) => {
  const { imageId, name, start } = await slowImage(daemon, 'broken-off');
  let result: Promise<string> | undefined;
  await withGateShut(1 << 20, async () => {
    ({ result } = start());
    await until('the layer is stuck', async () => gate.waiting > 0);
    gate.breakAll();
  });

  assert.equal(await result, imageId);
  await removeImage(daemon, name);
});

test('what is not in the registry answers NOT_FOUND with its name', async (daemon) => {
  const { code, message } = await failureOf(pull(daemon, `${OPEN}/absent:1`));

  assert.equal(code, 'NOT_FOUND');
  assert.match(message, /open\.test\/absent:1/);
});

test('a registry that is down answers with the word that the kubelet knows, and nothing is left', async (daemon) => {
  const { imageId } = await push(guarded, 'down', ['1']);
  const before = await inventoryOf(daemon);
  await guarded.halt();
  try {
    const { message } = await failureOf(pull(daemon, `${PRIVATE}/down:1`, ACCOUNT));
    assert.match(message, /^RegistryUnavailable: /);
    await assertNothingNew(daemon, before);
  } finally {
    await guarded.resume();
  }
  assert.equal(await pull(daemon, `${PRIVATE}/down:1`, ACCOUNT), imageId);
  await removeImage(daemon, imageId);
});

test('a layer with wrong bytes, or too few, is refused, and nothing is left', async (daemon) => {
  const image = await freshImage(200_000);
  await open.push(image, 'damaged', ['1']);
  const blob = image.layers[1]!;
  const before = await inventoryOf(daemon);
  for (const damage of [
    async (file: string) => writeFile(file, Buffer.alloc(blob.blob.length)),
    async (file: string) => writeFile(file, Buffer.from(blob.blob).fill(1, 100_000, 100_010)),
    async (file: string) => truncate(file, blob.blob.length - 1000),
  ]) {
    await damage(open.blobFile(blob.digest));
    const { message } = await failureOf(pull(daemon, `${OPEN}/damaged:1`));
    assert.match(message, /open\.test\/damaged/);
    await assertNothingNew(daemon, before);
  }
  await writeFile(open.blobFile(blob.digest), blob.blob);
  await removeImage(daemon, await pull(daemon, `${OPEN}/damaged:1`));
});

test('an image that is removed while an equal layer is pulled is whole when the pull is done', async (daemon) => {
  const { busybox } = await testImages();
  const shared = await freshImage(2 << 20);
  const other = await makeLayer([{ path: 'other', kind: 'file', data: 'other' }]);
  await open.push(shared, 'one', ['1']);
  await open.push({ ...busybox, layers: [...shared.layers, other] }, 'two', ['1']);
  for (let round = 0; round < 5; round += 1) {
    await pull(daemon, `${OPEN}/one:1`);
    await Promise.all([pull(daemon, `${OPEN}/two:1`), removeImage(daemon, `${OPEN}/one:1`)]);
    const pod = await runPod(daemon);
    const container = await runContainer(daemon, pod, shell('cat /other /which'), { image: `${OPEN}/two:1` });
    await waitForExit(daemon, container);
    assert.deepEqual(await outputOf(daemon, container), [`otherimage ${serial}`]);
    assert.equal((await containerStatus(daemon, container)).exitCode, 0);
    await removePod(daemon, pod.id);
    await removeImage(daemon, `${OPEN}/two:1`);
  }
});

const noOpenssl = (await findProgram('openssl')) === undefined && 'openssl is not in PATH';

/** A certificate for 127.0.0.1 that signs itself. */
async function makeCertificate(directory: string, name: string): Promise<{ certificate: string; key: string }> {
  const certificate = join(directory, `${name}.crt`);
  const key = join(directory, `${name}.key`);
  const subject = ['-subj', '/CN=registry.test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject]); // prettier-ignore
  return { certificate, key };
}

e2eTest(
  'https is the rule: a certificate must be one that the node trusts, and plain http is refused',
  async (daemon) => {
    const { imageId } = await push(open, 'secured', ['1']);

    assert.equal(await pull(daemon, 'secure.test/secured:1'), imageId);
    await removeImage(daemon, imageId);
    for (const name of ['unknown.test', 'plain.test']) {
      const { message } = await failureOf(pull(daemon, `${name}/secured:1`));
      assert.match(message, new RegExp(`^RegistryUnavailable: .*${name.replace('.', '\\.')}/secured:1`));
    }
  },
  {
    images: [],
    skip: noRegistry || noOpenssl,
    prepare: async () => {
      const plain = await registry();
      const trusted = await makeCertificate(plain.directory, 'trusted');
      const secure = await registry({ contentOf: plain, tls: trusted });
      const unknown = await registry({ contentOf: plain, tls: await makeCertificate(plain.directory, 'unknown') });
      open = plain;
      const locations = { 'secure.test': secure.host, 'unknown.test': unknown.host, 'plain.test': plain.host };
      return { env: { NODE_EXTRA_CA_CERTS: trusted.certificate }, config: await secure.daemonConfig(locations, false) };
    },
  },
);
