/** CreateContainer in a namespace with a signature policy of its own: by what was kept at the pull, without a registry. */
// long: 40 s
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { busyboxLayer, ociArchive, sha256 } from '../../scripts/make-demo-image.ts';
import { COUNT } from '../support/counting.ts';
import { findCriu } from '../support/criu.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { createContainer, failureOf, podConfig, removePod, runContainer, runPod, shell, waitForOutput } from '../support/pods.ts';
import type { ContainerOptions, Pod } from '../support/pods.ts';
import { noRegistry } from '../support/registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { noSigning, signWithSkopeo, startTrustLab } from '../support/signing.ts';
import type { TrustLab } from '../support/signing.ts';
import { IMAGES } from '../support/test-image.ts';

const { path: criu, skip: noCriu } = await findCriu();
let registry: TestRegistry;
let lab: TrustLab;
let fingerprint: string;
const test = sharedDaemon({
  images: [],
  skip: noRegistry || noSigning,
  prepare: async () => {
    ({ registry, lab } = await startTrustLab());
    fingerprint = await lab.home.makeKey('signer');
    await lab.home.writeKey(fingerprint, lab.path('keys', 'signer.asc'));
    return { config: `${await registry.daemonConfig({})}${lab.daemonConfig}\n[checkpoint]\ncriu = "${criu}"\n` };
  },
});

const SLEEP = ['sleep', '3600'];
const ANYTHING = [{ type: 'insecureAcceptAnything' }];
const signed = (): object => ({ default: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: lab.path('keys', 'signer.asc') }] });

async function push(repository: string): Promise<string> {
  const config = { Env: ['PATH=/bin'], Labels: { of: repository } };
  await registry.push({ layers: [await busyboxLayer()], config }, repository, ['1']);
  return `${registry.host}/${repository}:1`;
}

async function sign(image: string): Promise<void> {
  await signWithSkopeo(image, { registriesD: lab.path('registries.d'), gpg: { home: lab.home, fingerprint } });
}

async function podIn(daemon: TestDaemon, namespace: string): Promise<Pod> {
  const config = podConfig(daemon);
  return runPod(daemon, { change: { ...config, metadata: { ...config.metadata, namespace } } });
}

async function refused(daemon: TestDaemon, pod: Pod, options: ContainerOptions, words: RegExp): Promise<void> {
  const { code, message } = await failureOf(createContainer(daemon, pod, SLEEP, options));
  assert.match(message, /^SignatureValidationFailed: /);
  assert.match(message, words);
  assert.equal(code, 'UNKNOWN');
  assert.deepEqual((await daemon.runtime.listContainers({})).containers, []);
}

async function kept(daemon: TestDaemon): Promise<string[]> {
  return await readdir(join(daemon.root, 'storage/images/signatures'));
}

test('a container is made of what was signed at its pull, without the registry, also after a restart', async (daemon) => {
  const good = await push('uses/good');
  const bad = await push('uses/bad');
  const early = await push('uses/early');
  await sign(good);
  await sign(early);
  await daemon.images.pullImage({ image: { image: early } }); // no namespace has a policy yet: nobody looks for signatures
  await lab.writePolicy(signed(), 'strict');
  await lab.writePolicy({ default: [{ type: 'reject' }] }, 'closed');
  await lab.writePolicy({ default: [{ type: 'reject' }], transports: { docker: { [good]: ANYTHING } } }, 'narrow');
  const { imageRef: goodId } = await daemon.images.pullImage({ image: { image: good } });
  await daemon.images.pullImage({ image: { image: bad } });
  assert.equal((await kept(daemon)).length, 2);
  await remove(lab.path('lookaside'));
  await registry.stop();
  try {
    const [open, strict, closed, narrow] = [
      await podIn(daemon, 'open'),
      await podIn(daemon, 'strict'),
      await podIn(daemon, 'closed'),
      await podIn(daemon, 'narrow'),
    ];
    await refused(daemon, strict, { image: bad }, /uses\/bad:1 is refused by .*strict\.json: default\[0\]: signedBy: a signature of .* must be there, none was found/); // prettier-ignore
    await refused(daemon, strict, { image: early }, /no signatures are kept of sha256:\w+: .*must be pulled again/);
    await refused(daemon, closed, { image: good }, /closed\.json: default\[0\]: reject/);
    await refused(daemon, narrow, { image: bad }, /narrow\.json: default\[0\]: reject/);
    // A good name for a bad image, and none at all.
    const lie = { image: { image: bad, userSpecifiedImage: good } };
    await refused(daemon, narrow, { change: lie }, /config\.image names .*uses\/good:1, by which the image .* was not pulled or loaded/);
    const { image: badImage } = await daemon.images.imageStatus({ image: { image: bad } });
    await refused(daemon, strict, { change: { image: { image: badImage?.id ?? '' } } }, /config\.image\.user_specified_image is empty/);
    // Images that are mounted count as well.
    await refused(daemon, strict, { image: good, imageVolumes: { '/m': { image: bad } } }, /uses\/bad:1 is refused by/);

    await daemon.kill9();
    await daemon.start();
    await createContainer(daemon, strict, SLEEP, { name: 'a', image: good, imageVolumes: { '/m': { image: good } } });
    await createContainer(daemon, narrow, SLEEP, { name: 'b', change: { image: { image: goodId, userSpecifiedImage: good } } });
    await createContainer(daemon, open, SLEEP, { name: 'c', image: bad });
    await refusedAfterChange(daemon, strict, good);
    for (const { id } of [open, strict, closed, narrow]) await removePod(daemon, id);
  } finally {
    for (const namespace of ['strict', 'closed', 'narrow']) await remove(lab.path('policies', `${namespace}.json`));
  }
  await daemon.images.removeImage({ image: { image: bad } });
  assert.equal((await kept(daemon)).length, 1);
  for (const image of [good, early]) await daemon.images.removeImage({ image: { image } });
  assert.deepEqual(await kept(daemon), []);
});

/** What was kept is verified each time: another signature in the file is none. */
async function refusedAfterChange(daemon: TestDaemon, pod: Pod, image: string): Promise<void> {
  const directory = join(daemon.root, 'storage/images/signatures');
  for (const file of await readdir(directory)) {
    const path = join(directory, file);
    const text = await readFile(path, 'utf8');
    if (text.includes('"bytes"')) {
      await writeFile(path, text.replaceAll(/"bytes":"[^"]*"/g, '"bytes":"AAAA"'));
      const again = await failureOf(createContainer(daemon, pod, SLEEP, { name: 'z', image }));
      assert.match(again.message, /^SignatureValidationFailed: .*gpgv says/);
    }
    await writeFile(path, 'no JSON');
  }
  const { message } = await failureOf(createContainer(daemon, pod, SLEEP, { name: 'z', image }));
  assert.match(message, /^SignatureValidationFailed: the signatures kept in .* cannot be read, pull the image again/);
}

test('a loaded image, and a checkpoint, an image or not, are refused where the namespace wants signatures', async (daemon) => {
  await daemon.loadImages(['busybox'], 'oci');
  const strict = await podIn(daemon, 'strict');
  await lab.writePolicy(signed(), 'strict');
  await refused(daemon, strict, { image: IMAGES.busybox }, /no signatures are kept of sha256/);
  if (noCriu === false) {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, shell(COUNT));
    await waitForOutput(daemon, id, 'count 2');
    const directory = join(daemon.directory, 'checkpoints');
    await mkdir(directory, { recursive: true });
    const location = join(directory, 'one.tar');
    await daemon.runtime.checkpointContainer({ containerId: id, location, timeout: 60n });
    await removePod(daemon, pod.id);
    const fresh = await podIn(daemon, 'strict');
    await refused(daemon, fresh, { image: location }, /oci-archive is refused by .*strict\.json: default\[0\]: signedBy/);
    const tar = await readFile(location);
    const digest = sha256(tar);
    const name = 'localhost/checkpoint:1';
    const annotations = { 'io.kubernetes.cri-o.annotations.checkpoint.name': 'main' };
    const archive = join(directory, 'image.tar');
    const layers = [{ diffId: digest, digest, compression: 'none' as const, blob: tar, tar }];
    await writeFile(archive, ociArchive([{ name, layers, config: {}, annotations }]));
    await daemon.cli('image', 'load', archive);
    const docker = { [name]: ANYTHING };
    await lab.writePolicy({ default: [{ type: 'reject' }], transports: { docker } }, 'strict');
    // The checkpoint may be used, the image that it was made from may not.
    await refused(daemon, fresh, { image: name }, /podwright-test\/busybox:1 is refused by .*reject/);
    await lab.writePolicy({ default: ANYTHING, transports: { docker: { [name]: [{ type: 'reject' }] } } }, 'strict');
    await refused(daemon, fresh, { image: name }, /localhost\/checkpoint:1 is refused by .*reject/);
    await lab.writePolicy({ default: ANYTHING }, 'strict');
    const restored = await createContainer(daemon, fresh, SLEEP, { image: name });
    await daemon.runtime.startContainer({ containerId: restored });
    await removePod(daemon, fresh.id);
    await daemon.images.removeImage({ image: { image: name } });
  }
  await removePod(daemon, strict.id);
  await remove(lab.path('policies', 'strict.json'));
  await daemon.images.removeImage({ image: { image: IMAGES.busybox } });
});
