import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../src/base/ids.ts';
import type { Descriptor, Platform } from '../../../src/image/oci-types.ts';
import {
  candidatesFor,
  choosePlatform,
  foreignPlatform,
  hostPlatform,
  namedPlatform,
  noImageFor,
  parsePlatform,
  x86Levels,
} from '../../../src/image/platform.ts';

const digest = (character: string): Digest => `sha256:${character.repeat(64)}` as Digest;
const descriptor = { mediaType: 'x', digest: digest('a'), size: 1 };

test('choosePlatform takes the exact variant, then an older one, and never an attestation', () => {
  const entry = (platform: string | undefined, character: string): Descriptor => ({
    ...descriptor,
    digest: digest(character),
    platform: platform === undefined ? undefined : parsePlatform(platform),
  });
  const list = [
    entry('unknown/unknown', '0'),
    entry('linux/amd64', '1'),
    entry('linux/arm/v6', '2'),
    entry('linux/arm/v7', '3'),
    entry('linux/arm64/v8', '4'),
    entry('windows/amd64', '5'),
  ];
  const chosen = (platform: string, from = list): string | undefined => choosePlatform(from, parsePlatform(platform))?.digest.charAt(7);
  assert.equal(chosen('linux/amd64'), '1');
  assert.equal(chosen('linux/arm64'), '4');
  assert.equal(chosen('linux/arm'), '3');
  assert.equal(chosen('linux/arm/v6'), '2');
  assert.equal(chosen('linux/arm/v8'), '3');
  assert.equal(chosen('linux/arm/v5'), undefined);
  assert.equal(chosen('linux/s390x'), undefined);
  assert.equal(chosen('linux/s390x', [entry(undefined, '9')]), '9');
  assert.throws(() => parsePlatform('linux'), { kind: 'InvalidArgument' });
});

const amd64 = (...variants: (string | undefined)[]): Descriptor[] =>
  variants.map((variant) => ({ ...descriptor, platform: { os: 'linux', architecture: 'amd64', variant } }));

function variants(manifests: readonly Descriptor[], wanted: Platform): (string | undefined)[] {
  return candidatesFor(manifests, wanted).map(({ platform }) => platform?.variant);
}

test('amd64/v1 is plain amd64, and higher levels are taken where the processor has them', () => {
  const old = { os: 'linux', architecture: 'amd64' };
  const host = { ...old, newer: ['v3', 'v2'] };
  assert.deepEqual(variants(amd64('v1'), old), ['v1']);
  assert.deepEqual(variants(amd64('v4', 'v3', 'v2'), old), []);
  assert.deepEqual(variants(amd64('v4', 'v2', 'v3'), host), ['v3', 'v2']);
  // Where there is one for every machine, every machine takes it.
  assert.deepEqual(variants(amd64('v3', undefined, 'v2'), host), [undefined, 'v3', 'v2']);
  assert.deepEqual(variants(amd64('v2', 'v1', 'v3'), { ...old, variant: 'v2' }), ['v2', 'v1']);
});

test('x86Levels are those of the psABI, and none is skipped', () => {
  const flags = [
    'cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3',
    'abm avx avx2 bmi1 bmi2 f16c fma movbe xsave',
    'avx512f avx512bw avx512cd avx512dq avx512vl',
  ];
  const text = (...words: (string | undefined)[]): string => `processor\t: 0\nflags\t\t: fpu ${words.join(' ')} vme\nbugs\t\t: x\n`;
  assert.deepEqual(x86Levels(text()), []);
  assert.deepEqual(x86Levels(text(flags[0])), ['v2']);
  assert.deepEqual(x86Levels(text(flags[0], flags[1])), ['v3', 'v2']);
  assert.deepEqual(x86Levels(text(...flags)), ['v4', 'v3', 'v2']);
  assert.deepEqual(x86Levels(text(flags[1], flags[2])), []);
  assert.deepEqual(x86Levels(''), []);
});

test('what an index has is said with its variants, and not without end', () => {
  const wanted = parsePlatform('linux/amd64');
  assert.throws(() => noImageFor(amd64('v4'), wanted), {
    kind: 'NotFound',
    message: 'no image is for linux/amd64, there are linux/amd64/v4',
  });
  assert.throws(
    () => noImageFor(amd64(...Array.from({ length: 70_000 }, () => 'v9')), { ...wanted, newer: ['v2'] }),
    ({ message }: Error) => {
      assert.match(message, /^no image is for linux\/amd64 \(this processor has v2 too\), there are linux\/amd64\/v9, .*, and 69980 more$/);
      return message.length < 600;
    },
  );
});

test('namedPlatform has what the processor runs beyond its name, unless the name has a variant or is of another machine', async () => {
  const host = await hostPlatform();
  const name = `linux/${host.architecture}`;
  assert.deepEqual(await namedPlatform(name), host);
  for (const text of [`${name}/v1`, 'linux/s390x', `windows/${host.architecture}`])
    assert.deepEqual(await namedPlatform(text), parsePlatform(text));
  await assert.rejects(namedPlatform('linux'), { kind: 'InvalidArgument' });
});

test('foreignPlatform names the platform of an image that is not for this machine', () => {
  const machine = { os: 'linux', architecture: 'amd64' };
  assert.equal(foreignPlatform({ os: 'linux', architecture: 'arm64' }, machine), 'linux/arm64');
  assert.equal(foreignPlatform({ os: 'windows', architecture: 'amd64' }, machine), 'windows/amd64');
  for (const config of [{ os: 'linux', architecture: 'amd64' }, {}, { os: '', architecture: '' }])
    assert.equal(foreignPlatform(config, machine), undefined);
});

test('of equal entries the one that asks for nothing more comes first, and what the others ask for is told', () => {
  const entry = (demands: string[] | undefined, variant?: string): Descriptor => ({
    ...descriptor,
    platform: { os: 'linux', architecture: 'amd64', variant, ...(demands === undefined ? {} : { demands }) },
  });
  const wanted = { os: 'linux', architecture: 'amd64' };
  const list = [entry(['6.1', 'special']), entry(undefined), entry(['sse4'])];
  assert.deepEqual(
    candidatesFor(list, wanted).map(({ platform }) => platform?.demands),
    [undefined, ['sse4'], ['6.1', 'special']],
  );
  // The peers take it where there is no other.
  assert.equal(candidatesFor([entry(['special'])], wanted).length, 1);
  assert.throws(() => noImageFor([entry(['6.1', 'special'])], { os: 'linux', architecture: 'arm64' }), {
    message: 'no image is for linux/arm64, there are linux/amd64 (6.1, special)',
  });
});
