import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageRefOf } from '../../../src/image/image-ref.ts';
import type { ImageRecord } from '../../../src/image/image-record.ts';

const digest = (letter: string): `sha256:${string}` => `sha256:${letter.repeat(64)}`;
const [ID, MANIFEST, INDEX] = [digest('1'), digest('a'), digest('b')];
const image = (digests: readonly string[], names: readonly string[] = []): ImageRecord =>
  ({ id: ID, digests, names, manifestDigest: MANIFEST }) as unknown as ImageRecord;

test('imageRefOf() names the digest under the name that the user wrote, and an index rather than its manifest', () => {
  const [first, second] = ['docker.io/library/web', 'quay.io/team/web'];
  const both = image([`${first}@${MANIFEST}`, `${second}@${MANIFEST}`, `${second}@${INDEX}`], [`${first}:1`]);
  assert.equal(imageRefOf(both, 'quay.io/team/web:1', ID), `${second}@${INDEX}`);
  assert.equal(imageRefOf(both, `quay.io/team/web@${MANIFEST}`, ID), `${second}@${MANIFEST}`);
  assert.equal(imageRefOf(both, 'web', ID), `${first}@${MANIFEST}`);
  assert.equal(imageRefOf(both, '', ID), `${first}@${MANIFEST}`, 'by a name of the image where the request has none');
  assert.equal(imageRefOf(both, 'other.io/web:1'), `${first}@${MANIFEST}`);
  assert.equal(imageRefOf(image([`${second}@${MANIFEST}`]), ID), `${second}@${MANIFEST}`);
  assert.equal(imageRefOf(image([]), 'web:1', ID), ID, 'an image that was loaded without a digest');
});
