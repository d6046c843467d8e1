import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/base/ids.ts';
import { artifactTypeOf, checkLayerTypes, foreignIsMissing, isArtifact } from '../../../src/image/media-types.ts';
import type { Descriptor } from '../../../src/image/oci-types.ts';

const digest = `sha256:${'a'.repeat(64)}` as Digest;
const of = (mediaType: string): Descriptor => ({ mediaType, digest, size: 1 });

test('layers of both formats are taken however they are compressed, and the first other one is named', () => {
  const oci = 'application/vnd.oci.image.layer';
  const docker = 'application/vnd.docker.image.rootfs';
  const good = [
    '', `${oci}.v1.tar`, `${oci}.v1.tar+gzip`, `${oci}.v1.tar+zstd; x=y`, `${oci}.nondistributable.v1.tar+gzip`,
    `${docker}.diff.tar`, `${docker}.diff.tar.gzip`, `${docker}.diff.tar.zstd`, `${docker}.foreign.diff.tar.gzip`,
  ]; // prettier-ignore
  checkLayerTypes(good.map(of), 'image');
  for (const type of ['text/plain', `${oci}.v1.tar+xz`, `${oci}.v1`, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', 'constructor'])
    assert.throws(
      () => {
        checkLayerTypes([of(''), of(type)], 'image x');
      },
      {
        kind: 'InvalidArgument',
        message: `image x: layers[1] (${digest}) is of the media type "${type}", it must be a tar of the OCI or Docker v2 image format, plain or with gzip or zstd`,
      },
    );
  assert.throws(() => {
    checkLayerTypes([of(`${oci}.v1.tar+gzip+encrypted`)], 'image');
  }, /layers\[0\] .* is encrypted, which is not supported/);
});

test('what has another config than an image is an artifact, of the type that it or its config says', () => {
  for (const type of ['', 'application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json; charset=utf-8'])
    assert.equal(isArtifact({ config: of(type) }), false, type);
  const config = of('application/vnd.oci.empty.v1+json');
  assert.equal(isArtifact({ config }), true);
  assert.equal(artifactTypeOf({ config }), config.mediaType);
  assert.equal(artifactTypeOf({ config, artifactType: '' }), config.mediaType);
  assert.equal(artifactTypeOf({ config, artifactType: 'application/x' }), 'application/x');
});

test('a foreign layer that is missing is told with its places, which are never asked', () => {
  const layer = {
    ...of('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'),
    urls: ['https://a.example/1', 'https://b.example/2', 'c'],
  };
  assert.match(
    foreignIsMissing(layer).message,
    /it is at https:\/\/a\.example\/1, https:\/\/b\.example\/2, and layers are not fetched by URL/,
  );
  assert.match(foreignIsMissing({ ...layer, urls: undefined }).message, /it names no place/);
});
