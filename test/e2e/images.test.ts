import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestsOf, ociArchive } from '../../scripts/make-demo-image.ts';
import type { Image } from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { createContainer, failureOf, outputOf, removePod, runContainer, runPod, shell, waitForExit } from '../support/pods.ts';
import { IMAGES, testImages } from '../support/test-image.ts';

const test = sharedDaemon({ images: ['busybox', 'layers'] });

async function imageStatus(daemon: TestDaemon, image: string): Promise<Image | undefined> {
  return (await daemon.images.imageStatus({ image: { image } })).image;
}

test('a loaded image is known by its name, its id, a prefix of its id and its digest', async (daemon) => {
  const { imageId, manifestDigest } = digestsOf((await testImages()).busybox);
  const repository = IMAGES.busybox.replace(/:1$/, '');
  for (const name of [IMAGES.busybox, imageId, imageId.slice(7), imageId.slice(7, 19), `${repository}@${manifestDigest}`]) {
    const image = await imageStatus(daemon, name);
    assert.equal(image?.id, imageId, name);
    assert.deepEqual(image.repoTags, [IMAGES.busybox]);
    assert.ok(image.size > 1_000_000n, `size ${image.size}`);
  }
});

test('ImageStatus of what is not there answers without an image', async (daemon) => {
  assert.equal(await imageStatus(daemon, 'localhost/podwright-test/absent:1'), undefined);
  assert.equal(await imageStatus(daemon, 'f'.repeat(64)), undefined);
});

test('ImageStatus verbose carries the config of the image', async (daemon) => {
  const { info } = await daemon.images.imageStatus({ image: { image: IMAGES.busybox }, verbose: true });

  assert.match(JSON.stringify(Object.values(info).map((text) => JSON.parse(text) as unknown)), /PATH=\/bin:\/usr\/bin/);
});

test('ListImages lists all, or the one of its filter', async (daemon) => {
  const names = async (filter: object): Promise<string[]> =>
    (await daemon.images.listImages({ filter })).images.flatMap((image) => image.repoTags).sort();

  assert.deepEqual(await names({}), [IMAGES.busybox, IMAGES.layers].sort());
  assert.deepEqual(await names({ image: { image: IMAGES.layers } }), [IMAGES.layers]);
  assert.deepEqual(await names({ image: { image: 'localhost/absent:1' } }), []);
});

test('ImageFsInfo names a directory that exists, and what is used of it', async (daemon) => {
  const { imageFilesystems, containerFilesystems } = await daemon.images.imageFsInfo({});

  for (const [usage] of [imageFilesystems, containerFilesystems]) {
    assert.ok(usage?.fsId);
    assert.ok((await stat(usage.fsId.mountpoint)).isDirectory());
    assert.notEqual(usage.timestamp, 0n);
  }
  // Two names would tell the kubelet that containers have a file system of their own.
  assert.deepEqual(imageFilesystems[0]?.fsId, containerFilesystems[0]?.fsId);
  assert.ok((imageFilesystems[0]?.usedBytes?.value ?? 0n) > 1_000_000n);
});

test('an image that a container uses is not removed, also where the container has ended', async (daemon) => {
  const pod = await runPod(daemon);
  await createContainer(daemon, pod, ['true'], { image: IMAGES.busybox });

  await failureOf(daemon.images.removeImage({ image: { image: IMAGES.busybox } }));
  assert.ok(await imageStatus(daemon, IMAGES.busybox));
});

test('RemoveImage by id takes all names and layers; five at once all succeed; loaded again it runs again', async (daemon) => {
  const { imageId } = digestsOf((await testImages()).layers);
  await Promise.all(Array.from({ length: 5 }, async () => daemon.images.removeImage({ image: { image: imageId } })));
  assert.equal(await imageStatus(daemon, IMAGES.layers), undefined);
  assert.ok(await imageStatus(daemon, IMAGES.busybox), 'the shared layer went with it');
  await daemon.images.removeImage({ image: { image: imageId } });

  await daemon.loadImages(['layers']);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('cat /data/kept'), { image: IMAGES.layers });
  await waitForExit(daemon, id);
  assert.deepEqual(await outputOf(daemon, id), ['from layer 1']);
});

test('a Docker archive gives the same image ids and runs', async (daemon) => {
  await daemon.images.removeImage({ image: { image: IMAGES.layers } });
  await daemon.loadImages(['layers'], 'docker');
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('cat /data/replaced; cat /opaque/new'), { image: IMAGES.layers });
  await waitForExit(daemon, id);

  assert.deepEqual(await outputOf(daemon, id), ['from layer 2from layer 3']);
  const { imageId } = digestsOf((await testImages()).layers);
  assert.equal((await imageStatus(daemon, IMAGES.layers))?.id, imageId);
  // Its layers are not compressed, so that their blobs are others: as before for the comparison.
  await removePod(daemon, pod.id);
  await daemon.images.removeImage({ image: { image: IMAGES.layers } });
  await daemon.loadImages(['layers']);
});

test('an image survives image save, RemoveImage and image load with its id', async (daemon) => {
  const { imageId } = digestsOf((await testImages()).busybox);
  for (const format of ['oci', 'docker'] as const) {
    const file = join(daemon.directory, `saved-${format}.tar`);
    await daemon.cli('image', 'save', '--format', format, '--output', file, IMAGES.busybox);
    await daemon.images.removeImage({ image: { image: imageId } });
    assert.equal(await imageStatus(daemon, IMAGES.busybox), undefined);
    await daemon.cli('image', 'load', file);
    assert.equal((await imageStatus(daemon, IMAGES.busybox))?.id, imageId, format);
  }
});

e2eTest(
  'image load takes the image for the platform that is configured',
  async (daemon) => {
    const { busybox } = await testImages();
    const others = ['s390x', 'arm64', 'amd64'].map((architecture) => ({ ...busybox, architecture }));
    const file = join(daemon.directory, 'platforms.tar');
    await writeFile(file, ociArchive(others));
    await daemon.cli('image', 'load', file);
    const [wanted] = others;
    assert.equal((await imageStatus(daemon, IMAGES.busybox))?.id, wanted && digestsOf(wanted).imageId);

    await writeFile(file, ociArchive(others.slice(1)));
    await assert.rejects(daemon.cli('image', 'load', file), /no image is for linux\/s390x, there are linux\/arm64, linux\/amd64/);
    await daemon.images.removeImage({ image: { image: IMAGES.busybox } });
  },
  { config: '[image]\nplatform = "linux/s390x"\n', images: [] },
);

test('what is no archive is refused with its reason, and nothing is kept', async (daemon) => {
  const before = (await daemon.images.listImages({})).images.length;
  await assert.rejects(daemon.cli('image', 'load', '/proc/self/status'), /./);

  assert.equal((await daemon.images.listImages({})).images.length, before);
});

test('PullImage with a deadline of 1 ms answers DEADLINE_EXCEEDED', async (daemon) => {
  const image = { image: 'localhost:1/podwright-test/absent:1' };

  assert.equal((await failureOf(daemon.images.pullImage({ image }, { timeoutMs: 1 }))).code, 'DEADLINE_EXCEEDED');
});
