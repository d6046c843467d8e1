/** OCI artifacts from a registry, seen by the CRI and from inside the containers that mount them. */
// long: 25 s
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { artifactManifest, pushArtifact } from '../../scripts/push-image.ts';
import type { ArtifactFile } from '../../scripts/push-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, createContainer, execOutput, failureOf, removeAllPods, runContainer, runPod, shell } from '../support/pods.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { noUserNamespaces, userNamespaceArgs, withUsers } from '../support/user-namespaces.ts';

let registry: TestRegistry;
const prepare = async (): Promise<{ config: string }> => {
  registry = await TestRegistry.start();
  return { config: `${await registry.daemonConfig({})}\n[image]\npinned = ["*/pinned:*"]\n` };
};
const test = sharedDaemon({ skip: noRegistry, prepare, args: noUserNamespaces === false ? userNamespaceArgs : [] });
after(async () => registry.stop());

const SLEEP = ['sleep', '3600'];
const FILES: readonly ArtifactFile[] = [
  { name: 'model.safetensors', data: Buffer.alloc(1_000_000, 'weights') },
  { name: 'tokenizer/vocab.json', data: Buffer.from('{"a":1}') },
  { name: 'tokenizer/deep/run.sh', data: Buffer.from('#!/bin/sh\necho ran\n') },
];

/** Pushes and pulls an artifact. */
async function pull(daemon: TestDaemon, repository: string, files = FILES): Promise<{ name: string; id: string }> {
  await pushArtifact(files, { registry: registry.url, repository, tags: ['1'] });
  const name = `${registry.host}/${repository}:1`;
  const { imageRef } = await daemon.images.pullImage({ image: { image: name } });
  return { name, id: imageRef };
}

test('an artifact is pulled, listed, told whole, pinned by name, and removed', async (daemon) => {
  const { name, id } = await pull(daemon, 'models/pinned');
  const { images } = await daemon.images.listImages({});
  const listed = images.find((image) => image.id === id);
  assert.deepEqual([listed?.repoTags, listed?.repoDigests, listed?.pinned, listed?.uid], [[name], [`${registry.host}/models/pinned@${id}`], true, undefined]); // prettier-ignore
  assert.ok((listed?.size ?? 0n) > 1_000_000n && (listed?.size ?? 0n) < 1_010_000n, `${listed?.size}`);
  const { info } = await daemon.images.imageStatus({ image: { image: name }, verbose: true });
  const told = JSON.parse(info['info'] ?? '') as { artifactType: string; manifest: { layers: object[] } };
  assert.deepEqual([told.artifactType, told.manifest.layers.length], ['application/vnd.example.model', 3]);
  await daemon.images.removeImage({ image: { image: name } });
  assert.deepEqual(await daemon.images.imageStatus({ image: { image: id } }).then(({ image }) => image), undefined);
});

test('an artifact is mounted whole, by a directory and by a file, read-only and not to be run; it stays while it is used', async (daemon) => {
  const { name, id } = await pull(daemon, 'models/tiny');
  const pod = await runPod(daemon);
  const imageVolumes = {
    '/model': { image: id },
    '/part': { image: name, subPath: 'tokenizer' },
    '/etc/vocab.json': { image: name, subPath: 'tokenizer/vocab.json' },
  };
  const container = await runContainer(daemon, pod, SLEEP, { imageVolumes });
  assert.equal(await execOutput(daemon, container, shell('find /model -type f | sort | xargs stat -c "%a %u %s %n"')), [
    '644 0 1000000 /model/model.safetensors',
    '644 0 19 /model/tokenizer/deep/run.sh',
    '644 0 7 /model/tokenizer/vocab.json',
  ].join('\n')); // prettier-ignore
  assert.equal(
    await execOutput(daemon, container, shell('cat /part/vocab.json /etc/vocab.json; ls /part')),
    '{"a":1}{"a":1}deep\nvocab.json',
  );
  assert.match(await execOutput(daemon, container, shell('{ echo >/model/x; echo >/model/model.safetensors; /part/deep/run.sh; } 2>&1; true')), /Read-only file system[^]*Read-only file system[^]*Permission denied/); // prettier-ignore
  const { mounts } = await containerStatus(daemon, container);
  const mounted = mounts.flatMap(({ image }) => (image?.imageRef ? [[image.image, image.imageRef]] : []));
  assert.deepEqual(mounted, [[id, id], [name, id], [name, id]]); // prettier-ignore
  // What the container reads is the blob itself.
  const blobs = join(daemon.root, 'storage/blobs/sha256');
  const links = await Promise.all((await readdir(blobs)).map(async (blob) => (await lstat(join(blobs, blob))).nlink));
  assert.equal(links.filter((count) => count === 2).length, 3);

  const remove = async (): Promise<unknown> => daemon.images.removeImage({ image: { image: name } });
  assert.equal((await failureOf(remove())).code, 'FAILED_PRECONDITION');
  await daemon.kill9();
  await daemon.start();
  assert.equal((await failureOf(remove())).code, 'FAILED_PRECONDITION');
  assert.equal(await execOutput(daemon, container, ['cat', '/part/vocab.json']), '{"a":1}');
  await removeAllPods(daemon);
  await remove();
});

test('a file of 64 MB is read whole inside a container, and so is one of thousands that a manifest of over 1 MB names', async (daemon) => {
  const weights = randomBytes(64_000_000);
  const small = Buffer.from('one of many');
  const many = Array.from({ length: 3000 }, (_, index) => ({ name: `many/${index}/${'n'.repeat(240)}`, data: small }));
  assert.ok(artifactManifest(many).length > 1_000_000);
  const model = await pull(daemon, 'models/large', [{ name: 'weights', data: weights }]);
  const names = await pull(daemon, 'models/many', many);
  const pod = await runPod(daemon);
  const container = await runContainer(daemon, pod, SLEEP, {
    imageVolumes: { '/model': { image: model.name }, '/names': { image: names.name } },
  });
  const seen = await execOutput(daemon, container, shell('sha256sum /model/weights; find /names -type f | wc -l; cat /names/many/2999/*'));
  assert.deepEqual(seen.split('\n'), [`${createHash('sha256').update(weights).digest('hex')}  /model/weights`, '3000', 'one of many']);
  await removeAllPods(daemon);
  for (const { name } of [model, names]) await daemon.images.removeImage({ image: { image: name } });
});

test('a container of an artifact, a sub path that it lacks, and a mount of one without titles are refused in words', async (daemon) => {
  const { name } = await pull(daemon, 'models/tiny');
  const bare = await pull(daemon, 'models/bare', [{ data: Buffer.from('x') }]);
  const pod = await runPod(daemon);
  const refusals: readonly [() => Promise<unknown>, string, RegExp][] = [
    [async () => createContainer(daemon, pod, SLEEP, { image: name }), 'INVALID_ARGUMENT', /config\.image is \S+models\/tiny:1, an artifact \(application\/vnd\.example\.model\) that has no programs to run/],
    [async () => createContainer(daemon, pod, SLEEP, { imageVolumes: { '/m': { image: name, subPath: 'absent' } } }), 'INVALID_ARGUMENT', /^ImageVolumeMountFailed: .*"absent"/],
    [async () => createContainer(daemon, pod, SLEEP, { imageVolumes: { '/m': { image: bare.name } } }), 'FAILED_PRECONDITION', /^ImageVolumeMountFailed: .*which has no file to show/],
  ]; // prettier-ignore
  for (const [call, expected, words] of refusals) {
    const { code, message } = await failureOf(call());
    assert.equal(code, expected);
    assert.match(message, words);
  }
  assert.deepEqual((await daemon.runtime.listContainers({})).containers, []);
  await removeAllPods(daemon);
  for (const image of [name, bare.name]) await daemon.images.removeImage({ image: { image } });
});

if (noUserNamespaces === false) {
  test('a pod with a user namespace reads an artifact as its own root', async (daemon) => {
    const { name } = await pull(daemon, 'models/tiny');
    const pod = await runPod(daemon, withUsers());
    const container = await runContainer(daemon, pod, SLEEP, { imageVolumes: { '/model': { image: name } }, ...withUsers() });
    assert.equal(await execOutput(daemon, container, ['stat', '-c', '%u:%g %a', '/model/model.safetensors', '/model/tokenizer']), '0:0 644\n0:0 755'); // prettier-ignore
    await removeAllPods(daemon);
    await daemon.images.removeImage({ image: { image: name } });
  });
}
