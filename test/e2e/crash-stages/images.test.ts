/** What is done to an image, killed at every mark; pulls have theirs in pull-crash.test.ts. */
// long: 50 s
import assert from 'node:assert/strict';
import { crashTest, limit, SLEEP } from '../../support/crash-test.ts';
import { assertNothingNew } from '../../support/e2e-test.ts';
import { removePod, runContainer, runPod } from '../../support/pods.ts';
import { IMAGES } from '../../support/test-image.ts';

crashTest({
  name: 'image load',
  mustPass: [],
  prepare: async () => undefined,
  request: async (daemon) => daemon.loadImages(['layers']),
  afterCrash: async (daemon, _prepared, before) => {
    const { image } = await daemon.images.imageStatus({ image: { image: IMAGES.layers } });
    if (image === undefined) return assertNothingNew(daemon, before);
    const pod = await runPod(daemon);
    await runContainer(daemon, pod, SLEEP, { image: IMAGES.layers });
    await removePod(daemon, pod.id);
  },
});

crashTest<string>({
  name: 'RemoveImage',
  mustPass: ['image-remove.forgotten'],
  prepare: async (daemon) => {
    await daemon.loadImages(['layers']);
    return IMAGES.layers;
  },
  request: async (daemon, image) => daemon.images.removeImage({ image: { image } }, limit),
  afterCrash: async (daemon, image) => {
    assert.equal((await daemon.images.imageStatus({ image: { image } })).image, undefined, 'it came back');
  },
});
