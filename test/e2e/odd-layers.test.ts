import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxLayer, makeLayer, ociArchive } from '../../scripts/make-demo-image.ts';
import type { ImageRunConfig } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, removeAllPods, runContainer, runPod, shell } from '../support/pods.ts';

const shared = sharedDaemon();

/** A test after which the images it loaded are removed again. */
function test(name: string, body: (daemon: TestDaemon) => Promise<void>): void {
  shared(name, async (daemon) => {
    const before = new Set((await daemon.images.listImages({})).images.map(({ id }) => id));
    await body(daemon);
    await removeAllPods(daemon);
    for (const { id } of (await daemon.images.listImages({})).images) {
      if (!before.has(id)) await daemon.images.removeImage({ image: { image: id } });
    }
  });
}

/** Loads an image of busybox and a layer above it. @returns its name. */
async function loadOdd(daemon: TestDaemon, name: string, entries: readonly TarEntry[], config: ImageRunConfig = {}): Promise<string> {
  const image = `localhost/odd/${name}:1`;
  const layers = [await busyboxLayer(), ...(entries.length === 0 ? [] : [await makeLayer(entries)])];
  const archive = join(daemon.directory, `${name}.tar`);
  await writeFile(archive, ociArchive([{ name: image, layers, config: { Env: ['PATH=/bin'], ...config } }]));
  await daemon.cli('image', 'load', archive);
  return image;
}

const file = (path: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'file', data: path, ...extra });

test('entries below a symlink to a directory of the layer below come into that directory', async (daemon) => {
  const image = await loadOdd(daemon, 'links', [
    { path: 'tools', kind: 'symlink', linkTarget: 'bin' },
    file('tools/tool', { mode: 0o755, data: '#!/bin/sh\necho tool ran\n' }),
    { path: 'secret', kind: 'symlink', linkTarget: '../../root' },
    file('secret/x'),
  ]);
  const id = await runContainer(daemon, await runPod(daemon), ['sleep', '1000'], { image });
  assert.equal(await execOutput(daemon, id, ['/tools/tool']), 'tool ran');
  // What was there is there still, and the directory is as the layer below has it.
  assert.equal(
    await execOutput(daemon, id, shell('ls /tools/sh; readlink /tools; stat -c %a /root; cat /secret/x')),
    '/tools/sh\nbin\n700\nsecret/x',
  );
});

test('an image with a private root runs for its user, and one with odd owners and attributes runs', async (daemon) => {
  const image = await loadOdd(
    daemon,
    'root',
    [{ path: './', kind: 'directory', mode: 0o700 }, file('a/../top', { xattrs: { lonely: 'x' } })],
    { User: '1000:1000' },
  );
  const id = await runContainer(daemon, await runPod(daemon), ['sleep', '1000'], { image });
  assert.equal(await execOutput(daemon, id, shell('id -u; cat /top; stat -c %a /')), '1000\na/../top755');
  assert.match(await readFile(daemon.logFile, 'utf8'), /parts of a layer are left out.*'lonely', which is in none of the namespaces/);
});
