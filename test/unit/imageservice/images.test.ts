import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../../../src/base/call.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { ImageId } from '../../../src/base/ids.ts';
import type { ImageRecord } from '../../../src/image/image-record.ts';
import { imageFsInfo } from '../../../src/imageservice/image-fs-info.ts';
import { imageMessage, userOf } from '../../../src/imageservice/image-messages.ts';
import { imageStatus } from '../../../src/imageservice/image-status.ts';
import { listImages, streamImages } from '../../../src/imageservice/list-images.ts';
import type { ImageServiceParts } from '../../../src/imageservice/parts.ts';
import { removeImage } from '../../../src/imageservice/remove-image.ts';
import { messages } from '../../../api/cri/runtime.ts';
import { IMAGE_ID } from '../../support/objects.ts';

const CALL: Call = { requestId: 'r', hasDeadline: false, signal: new AbortController().signal, log: silentLog };
const NAME = 'docker.io/library/busybox:latest';
const IMAGE = {
  id: IMAGE_ID,
  names: [NAME],
  digests: [`docker.io/library/busybox@sha256:${'d'.repeat(64)}`],
  sizeBytes: 5_000_000_000,
  config: { config: { User: '1000:1000' } },
  pinned: true,
} as unknown as ImageRecord;

/** An image store that has the one image, and remembers what was removed. */
function partsWith(images: readonly ImageRecord[]) {
  const removed: string[] = [];
  const store = {
    list: () => images,
    resolve: (text: string) => images.find(({ id, names }) => id === text || names.includes(text)),
    configDocument: async ({ config }: ImageRecord) => ({ ...config, history: ['h'] }),
    remove: async (id: string) => removed.push(id),
  };
  return { parts: { images: store } as unknown as Pick<ImageServiceParts, 'images'>, removed };
}

const asked = (image: string) => ({ image: messages.ImageSpec.decode(messages.ImageSpec.encode({ image })) });

test('an image as List and Status answer it; a size above 4 GiB stays whole', () => {
  assert.deepStrictEqual(imageMessage(IMAGE), {
    id: IMAGE_ID,
    repoTags: [NAME],
    repoDigests: IMAGE.digests,
    size: 5_000_000_000n,
    uid: { value: 1000n },
    username: '',
    pinned: true,
  });
});

test("an image's user is a uid where it is a number, else a name; the group is left out", () => {
  assert.deepStrictEqual(userOf('0'), { uid: 0n, username: '' });
  assert.deepStrictEqual(userOf('1000:2000'), { uid: 1000n, username: '' });
  assert.deepStrictEqual(userOf('nobody:nogroup'), { uid: undefined, username: 'nobody' });
  assert.deepStrictEqual(userOf('1000x'), { uid: undefined, username: '1000x' });
  assert.deepStrictEqual(userOf(''), { uid: undefined, username: '' });
  assert.deepStrictEqual(userOf(':5'), { uid: undefined, username: '' });
});

test('ImageStatus of an image that is not there is an answer without an image, not an error', async () => {
  const status = imageStatus(partsWith([IMAGE]).parts);
  assert.deepStrictEqual(await status({ ...asked('absent'), verbose: true }, CALL), {});
  assert.equal((await status({ ...asked(NAME), verbose: false }, CALL)).image?.id, IMAGE_ID);
  await assert.rejects(status({ ...asked(''), verbose: false }, CALL), { kind: 'InvalidArgument' });
  await assert.rejects(status({ image: undefined, verbose: false }, CALL), { kind: 'InvalidArgument' });
});

test('verbose ImageStatus has the whole config of the image', async () => {
  const { info } = await imageStatus(partsWith([IMAGE]).parts)({ ...asked(NAME), verbose: true }, CALL);
  const { imageSpec } = JSON.parse(info?.['info'] ?? '') as { imageSpec: unknown };
  assert.deepStrictEqual(imageSpec, { ...IMAGE.config, history: ['h'] });
});

test('List answers all images, or the one that the filter names', async () => {
  const other = { ...IMAGE, id: `sha256:${'f'.repeat(64)}` as ImageId, names: ['other:1'] };
  const list = listImages(partsWith([IMAGE, other]).parts);
  const count = async (filter: { image: ReturnType<typeof asked>['image'] } | undefined): Promise<number> =>
    (await list({ filter }, CALL)).images?.length ?? 0;
  assert.equal(await count(undefined), 2);
  assert.equal(await count(asked('')), 2);
  assert.equal(await count(asked('other:1')), 1);
  assert.equal(await count(asked('absent')), 0);
});

test('Stream gives one image a message, and none is no message', async () => {
  const stream = (images: readonly ImageRecord[]) => Array.fromAsync(streamImages(partsWith(images).parts)({ filter: undefined }, CALL));
  assert.deepStrictEqual((await stream([IMAGE, IMAGE])).map(({ images }) => images?.length), [1, 1]); // prettier-ignore
  assert.deepStrictEqual(await stream([]), []);
});

test('RemoveImage hands on whichever name, and one that is not there is removed', async () => {
  const { parts, removed } = partsWith([IMAGE]);
  const remove = removeImage(parts);
  await remove(asked(NAME), CALL);
  await remove(asked(IMAGE_ID), CALL);
  await remove(asked('absent'), CALL);
  assert.deepStrictEqual(removed, [NAME, IMAGE_ID, 'absent']);
  await assert.rejects(remove(asked(''), CALL), { kind: 'InvalidArgument' });
});

test('ImageFsInfo names both file systems by their mount points, with a time', async () => {
  const usage = async () => ({
    images: { mountpoint: '/images', usedBytes: 2 ** 40, inodesUsed: 7 },
    containers: { mountpoint: '/containers', usedBytes: 1, inodesUsed: 2 },
  });
  const { imageFilesystems, containerFilesystems } = await imageFsInfo({ usage })({}, CALL);
  const [images, containers] = [imageFilesystems?.[0], containerFilesystems?.[0]];
  assert.deepStrictEqual([images?.fsId?.mountpoint, images?.usedBytes?.value, images?.inodesUsed?.value], ['/images', 2n ** 40n, 7n]);
  assert.equal(containers?.fsId?.mountpoint, '/containers');
  assert.ok((images?.timestamp ?? 0n) > 0n);
});
