import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readImageRecord } from '../../../src/image/image-record.ts';

const digest = (character: string): string => `sha256:${character.repeat(64)}`;
const RECORD = {
  version: 1,
  id: digest('a'),
  names: ['docker.io/library/a:1'],
  digests: [],
  sizeBytes: 5,
  chain: digest('b'),
  layers: [{ digest: digest('c'), mediaType: '', sizeBytes: 4, diffId: digest('d'), chain: digest('b') }],
  config: { os: 'linux', architecture: 'amd64', config: { Cmd: ['sh'] }, rootfs: { diff_ids: [digest('d')] } },
  configDigest: digest('a'),
  manifestDigest: digest('e'),
  manifestMediaType: 'application/vnd.oci.image.manifest.v1+json',
  pinned: false,
  updatedAtMs: 1,
};
const read = (changes: object): unknown => readImageRecord(JSON.stringify({ ...RECORD, ...changes }));

test('an image record comes back as it was, with what a newer version added', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(read({ added: [1] }))), { ...RECORD, added: [1] });
});

test('an image record that is not whole is refused by the name of its field', () => {
  const [layer] = RECORD.layers;
  const cases: [object, string][] = [
    [{ version: 2 }, 'version: must be 1, is 2'],
    [{ id: 'x' }, 'id: must be sha256:<64 hex>, is "x"'],
    [{ names: ['a', 1] }, 'names[1]: must be text, is 1'],
    [{ sizeBytes: undefined }, 'sizeBytes: must be a whole number from 0, is missing'],
    [{ layers: [] }, 'layers: must be a list of at least one layer, is an empty list'],
    [{ layers: [layer, { ...layer, diffId: null }] }, 'layers[1].diffId: must be sha256:<64 hex>, is null'],
    [{ config: null }, 'config: must be an object, is null'],
    [{ config: { ...RECORD.config, config: { Cmd: 'sh' } } }, 'config.config.Cmd: must be a list, is "sh"'],
    [{ manifestMediaType: undefined }, 'manifestMediaType: must be text, is missing'],
  ];
  for (const [changes, message] of cases) assert.throws(() => read(changes), { message });
  assert.throws(() => readImageRecord('{"version": 1, '), { message: /^must be JSON: / });
  assert.throws(() => readImageRecord('null'), { message: 'must be an object, is null' });
});
