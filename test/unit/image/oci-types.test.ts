import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEDIA, readConfig, readManifest } from '../../../src/image/oci-types.ts';
import type { Digest } from '../../../src/base/ids.ts';

const digest = (character: string): Digest => `sha256:${character.repeat(64)}` as Digest;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptor = { mediaType: 'x', digest: digest('a'), size: 1 };

test('readManifest takes OCI and Docker documents, by their own word or the registry’s', () => {
  const manifest = { schemaVersion: 2, config: descriptor, layers: [descriptor] };
  assert.equal(readManifest(json(manifest), MEDIA.dockerManifest, 'm').mediaType, MEDIA.dockerManifest);
  assert.equal(readManifest(json({ ...manifest, mediaType: MEDIA.ociManifest }), undefined, 'm').is, 'manifest');
  assert.equal(readManifest(json(manifest), `${MEDIA.ociManifest}; charset=utf-8`, 'm').is, 'manifest');
  assert.equal(readManifest(json({ manifests: [descriptor] }), undefined, 'm').is, 'index');
  assert.equal(readManifest(json({ manifests: [] }), MEDIA.dockerIndex, 'm').is, 'index');
});

test('readManifest refuses documents that can be read in two ways, or in none', () => {
  const cases: [unknown, RegExp][] = [
    [{ manifests: [], layers: [], config: descriptor }, /index and a manifest at once/],
    [{ schemaVersion: 1, fsLayers: [] }, /schema 1 manifest, which is no longer supported: .*skopeo copy --format oci/],
    [{ mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws' }, /schema 1 manifest/],
    [{ mediaType: 'application/vnd.oci.artifact.manifest.v1+json' }, /must be an OCI or Docker v2 manifest or index/],
    [{ mediaType: 'text/html', layers: [] }, /text\/html/],
    [{ config: descriptor }, /^read m: layers: must be a list, is missing$/],
    [{ layers: [] }, /^read m: config: must be an object, is missing$/],
    [
      { layers: [descriptor, { ...descriptor, digest: 'sha512:00' }], config: descriptor },
      /^read m: layers\[1\]\.digest: must be sha256:<64 hex>, is "sha512:00"$/,
    ],
    [{ layers: [{ ...descriptor, size: -1 }], config: descriptor }, /^read m: layers\[0\]\.size: must be a number of bytes, is -1$/],
    [{ layers: [{ ...descriptor, digest: 'sha256:../../etc' }], config: descriptor }, /layers\[0\]\.digest: must be sha256:<64 hex>/],
    [{ layers: [], config: { ...descriptor, digest: undefined } }, /^read m: config\.digest: must be sha256:<64 hex>, is missing$/],
    [{ mediaType: MEDIA.ociIndex, manifests: [descriptor, 5] }, /^read m: manifests\[1\]: must be an object, is 5$/],
    [[], /^read m: must be an object, is an empty list$/],
    [null, /^read m: must be an object, is null$/],
  ];
  for (const [value, words] of cases)
    assert.throws(() => readManifest(json(value), MEDIA.ociManifest, 'm'), { kind: 'InvalidArgument', message: words });
  assert.throws(() => readManifest(Buffer.from('<html>'), undefined, 'm'), /^DaemonError: read m: must be JSON: /);
});

test('readManifest passes over what is merely odd', () => {
  const odd = { ...descriptor, mediaType: 5, platform: 'linux', annotations: ['x'], unknown: {} };
  const index = readManifest(json({ manifests: [odd, { ...descriptor, platform: { os: 7 } }], mediaType: 5 }), undefined, 'm');
  assert.deepEqual(index, {
    is: 'index',
    mediaType: MEDIA.ociIndex,
    manifests: [
      { ...descriptor, mediaType: '', platform: undefined, annotations: undefined },
      { ...descriptor, platform: { os: '', architecture: '', variant: undefined }, annotations: undefined },
    ],
  });
});

test('readManifest reads what an entry of an index asks for, other names of processors, and where foreign layers are', () => {
  const platform = { os: 'linux', architecture: 'x86_64', variant: '', 'os.version': '6.1', 'os.features': ['a', 5], features: ['sse4'] };
  const index = readManifest(
    json({
      manifests: [
        { ...descriptor, platform },
        { ...descriptor, platform: { os: 'linux', architecture: 'armhf' } },
      ],
    }),
    undefined,
    'm',
  );
  assert.ok(index.is === 'index');
  assert.deepEqual(
    index.manifests.map((each) => each.platform),
    [
      { os: 'linux', architecture: 'amd64', variant: undefined, demands: ['6.1', 'a', 'sse4'] },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ],
  );
  const manifest = readManifest(
    json({ config: descriptor, layers: [{ ...descriptor, urls: ['u', 5] }], artifactType: 'a/b' }),
    undefined,
    'm',
  );
  assert.ok(manifest.is === 'manifest');
  assert.deepEqual([manifest.layers[0]?.urls, manifest.artifactType], [['u'], 'a/b']);
});

test('readConfig takes null for nothing, and refuses a field of another type by its name', () => {
  const rootfs = { diff_ids: [digest('a')] };
  const read = (config: unknown): unknown => readConfig(json({ rootfs, config }), 'c').config;
  assert.equal(read(null), undefined);
  assert.equal(read(undefined), undefined);
  assert.deepEqual(read({ User: null, Env: null, Cmd: ['sh'], StopSignal: null, Volumes: null, Other: 1 }), { Cmd: ['sh'] });
  const refused: Readonly<Record<string, unknown>> = {
    Cmd: 'sh -c true',
    Entrypoint: { 0: 'sh' },
    Env: ['A=b', 5],
    User: 5,
    WorkingDir: ['/'],
    StopSignal: 9,
    Volumes: ['/x'],
  };
  for (const [name, value] of Object.entries(refused))
    assert.throws(
      () => read({ [name]: value }),
      { kind: 'InvalidArgument', message: new RegExp(`^read c: config\\.${name}(\\[1\\])?: must be`) },
      name,
    );
  assert.throws(() => read({ Env: ['A=b', 5] }), { message: 'read c: config.Env[1]: must be text, is 5' });
  assert.throws(() => read('x'), { kind: 'InvalidArgument', message: 'read c: config: must be an object, is "x"' });
});

test('readConfig wants the diff ids of the layers', () => {
  assert.deepEqual(readConfig(json({ rootfs: { type: 'layers', diff_ids: [digest('a')] } }), 'c').rootfs.diff_ids, [digest('a')]);
  const cases: [unknown, string][] = [
    [{}, 'rootfs: must be an object, is missing'],
    [{ rootfs: {} }, 'rootfs.diff_ids: must be a list, is missing'],
    [{ rootfs: { diff_ids: 'x' } }, 'rootfs.diff_ids: must be a list, is "x"'],
    [{ rootfs: { diff_ids: [digest('a'), 'x'] } }, 'rootfs.diff_ids[1]: must be sha256:<64 hex>, is "x"'],
  ];
  for (const [bad, words] of cases)
    assert.throws(() => readConfig(json(bad), 'c'), { kind: 'InvalidArgument', message: `read c: ${words}` });
});

test('readConfig keeps what is of use, not history and labels, and of that no more than 1 MiB', () => {
  const rootfs = { type: 'layers', diff_ids: [digest('a')] };
  const config = { User: 'a', Labels: { l: '1' }, StopSignal: 'INT', Healthcheck: { Test: ['x'] }, OnBuild: ['y'] };
  const bytes = json({ os: 'linux', architecture: 'arm64', created: 'today', config, rootfs, history: [{ created_by: 'h' }], author: 'z' });
  assert.deepEqual(JSON.parse(JSON.stringify(readConfig(bytes, 'c'))), {
    os: 'linux',
    architecture: 'arm64',
    config: { User: 'a', StopSignal: 'INT' },
    rootfs: { diff_ids: [digest('a')] },
  });
  assert.equal(readConfig(json({ rootfs, config: null }), 'c').config, undefined);
  const long = { Env: Array.from({ length: 100 }, (_, index) => `V${index}=${'x'.repeat(100_000)}`) };
  assert.throws(() => readConfig(json({ rootfs, config: long }), 'c'), {
    kind: 'InvalidArgument',
    message: /kept of it has \d+ bytes, must have at most 1048576/,
  });
});
