/** `podwright image inspect, rm, prune, verify`: what they print, what they refuse, and what is left on the disk. */
// long: 30 s
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { busyboxLayer, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageDetailReport, PruneReport } from '../../src/admin/image-reports.ts';
import type { LayerReport } from '../../src/admin/reports.ts';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import type { E2eBody } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import { execOutput, failureOf, removePod, runContainer, runPod } from '../support/pods.ts';
import { withoutImages } from '../support/without-images.ts';

let registry: FaultyRegistry;
const shared = sharedDaemon({
  images: [],
  prepare: async () => {
    registry = await FaultyRegistry.start();
    atEnd(async () => registry.stop());
    const base = await busyboxLayer();
    const config = { Env: ['PATH=/bin'], Cmd: ['sh'], Labels: { odd: 'a\nb' } };
    for (const name of ['app', 'other', 'kept', 'torn', 'lone']) {
      const own = await makeLayer([{ path: `of-${name}`, kind: 'file', data: `${name} `.repeat(50_000) }]);
      registry.addImage({ config, layers: [base, own] }, `team/${name}`, '1');
    }
    const directory = await mkdtemp(join(tmpdir(), 'podwright-commands-'));
    atEnd(async () => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'registries.conf'), registry.conf);
    const places = `registries_conf = "${directory}/registries.conf"\nregistries_conf_dir = "${directory}/none"\n`;
    return { config: `${places}[image]\npinned = ["registry.example/team/kept:*"]\n` };
  },
});

const test = (name: string, body: E2eBody): void => {
  shared(name, withoutImages(body));
};

const nameOf = (name: string): string => `registry.example/team/${name}:1`;

async function pull(daemon: TestDaemon, ...names: readonly string[]): Promise<void> {
  for (const name of names) await daemon.images.pullImage({ image: { image: nameOf(name) } }, { timeoutMs: 60_000 });
}

/** The images that are here, by the last part of their names. */
async function here(daemon: TestDaemon): Promise<string[]> {
  const { images } = await daemon.images.listImages({});
  return images.flatMap(({ repoTags }) => repoTags.map((tag) => /\/([a-z]+):1$/.exec(tag)?.[1] ?? tag)).sort();
}

/** A command, whatever it exits with. */
async function run(
  daemon: TestDaemon,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const done = { code: 0, stdout: '', stderr: '' };
  try {
    done.stdout = (await daemon.cli('image', ...args)).trimEnd();
  } catch (error) {
    const failed = error as { exitCode: number; stdout: string; stderr: string };
    Object.assign(done, { code: failed.exitCode, stdout: failed.stdout.trimEnd(), stderr: failed.stderr.trimEnd() });
  }
  return done;
}

test('image inspect tells names, digests, config, layers and the containers that use it', async (daemon) => {
  await pull(daemon, 'app', 'other');
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, ['sleep', '3600'], { image: nameOf('app') });

  const report = JSON.parse(await daemon.cli('image', 'inspect', nameOf('app'), '--json')) as ImageDetailReport;
  assert.deepEqual([report.names, report.layers.length, report.pinned], [[nameOf('app')], 2, false]);
  assert.deepEqual(report.layers.map(({ sharedWith, isBlobKept }) => [sharedWith, isBlobKept]), [[1, true], [0, true]]); // prettier-ignore
  assert.ok((report.layers[1]?.unpackedBytes ?? 0) >= 200_000 && (report.layers[1]?.sizeBytes ?? 0) < 20_000);
  assert.deepEqual(report.usedBy.map((user) => user.containerId), [containerId]); // prettier-ignore
  assert.match(report.usedBy[0]?.pod ?? '', /^.+\/.+$/);
  const text = await daemon.cli('image', 'ls');
  assert.equal(await daemon.cli('image', 'list'), text);
  const shown = await daemon.cli('image', 'inspect', report.id);
  assert.match(shown, /^id +sha256:[0-9a-f]{64}\n/);
  assert.match(shown, /^env +PATH=\/bin$/m);
  assert.match(shown, /^label +odd=a\\u000ab$/m);
  assert.match(shown, new RegExp(`^ 2 +${report.layers[1]?.digest ?? ''} +`, 'm'));
  assert.match(shown, new RegExp(`^ +${containerId.slice(0, 12)} `, 'm'));
  const absent = await run(daemon, 'inspect', nameOf('absent'));
  assert.deepEqual([absent.code, absent.stderr], [1, `podwright: inspect image: ${nameOf('absent')} is not here`]);
  await removePod(daemon, pod.id);
});

test('image rm removes each that it can, and refuses one in use in the words of the CRI', async (daemon) => {
  await pull(daemon, 'app', 'other');
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, ['sleep', '3600'], { image: nameOf('app') });

  const { code, stdout, stderr } = await run(daemon, 'rm', nameOf('app'), nameOf('other'), nameOf('absent'));
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`^sha256:[0-9a-f]{64} ${nameOf('other')}$`));
  const words = (await failureOf(daemon.images.removeImage({ image: { image: nameOf('app') } }))).message;
  assert.ok(words.includes(containerId));
  assert.deepEqual(stderr.split('\n'), [`podwright: ${words}`, `podwright: remove image: ${nameOf('absent')} is not here`]);
  assert.deepEqual(await here(daemon), ['app']);
  await removePod(daemon, pod.id);
  assert.equal((await run(daemon, 'rm', nameOf('app'))).code, 0);
  assert.deepEqual(await here(daemon), []);
});

test('image prune removes what nothing uses, keeps what is pinned, and frees as much as its dry run says', async (daemon) => {
  await pull(daemon, 'app', 'other', 'kept', 'torn');
  const pod = await runPod(daemon);
  await runContainer(daemon, pod, ['sleep', '3600'], { image: nameOf('app') });
  const usedBytes = async (): Promise<number> => Number((await daemon.images.imageFsInfo({})).imageFilesystems[0]?.usedBytes?.value);

  const would = JSON.parse(await daemon.cli('image', 'prune', '--dry-run', '--json')) as PruneReport;
  assert.deepEqual(would.removed.flatMap(({ names }) => names).sort(), [nameOf('other'), nameOf('torn')]);
  assert.deepEqual(await here(daemon), ['app', 'kept', 'other', 'torn']);
  const before = await usedBytes();
  const text = await daemon.cli('image', 'prune');
  assert.equal(before - (await usedBytes()), would.freedBytes);
  assert.match(text, new RegExp(`^removed 2 images, which freed [\\d.]+ KiB \\(${would.freedBytes} bytes\\)$`, 'm'));
  assert.deepEqual(await here(daemon), ['app', 'kept']);
  await removePod(daemon, pod.id);
  const { freedBytes } = JSON.parse(await daemon.cli('image', 'prune', '--json')) as PruneReport;
  assert.ok(freedBytes < 1_000_000, 'the lowest layer stays: the pinned image has it');
  assert.deepEqual(await here(daemon), ['kept']);
  assert.match(await daemon.cli('image', 'prune'), /^removed 0 images/);
});

/** What a disk does that lost a write: the size and the times are right, the data is not. */
async function tear(path: string): Promise<void> {
  const { size, atimeMs, mtimeMs } = await stat(path);
  await truncate(path, 0);
  await truncate(path, size);
  await utimes(path, atimeMs / 1000, mtimeMs / 1000);
}

/** The records of images that were set aside are kept for people to look at. */
async function forgetSetAside(daemon: TestDaemon): Promise<void> {
  await remove(join(daemon.root, 'storage/images/bad'));
}

async function fileOfLayer(daemon: TestDaemon, name: string): Promise<string> {
  const { stdout } = await execa('find', [daemon.root, '-name', `of-${name}`, '-path', '*layers*']);
  return stdout.split('\n')[0] ?? '';
}

async function blobOf(daemon: TestDaemon, digest: string): Promise<string> {
  return (await execa('find', [daemon.root, '-name', digest.replace('sha256:', ''), '-path', '*blobs*'])).stdout;
}

test('image verify names a damaged layer; --repair makes it of its blob, or fetches it again where that is damaged too', async (daemon) => {
  await pull(daemon, 'torn', 'other');
  assert.match((await run(daemon, 'verify')).stdout, /^3 layers looked at, 0 damaged$/);
  const before = JSON.parse(await daemon.cli('image', 'inspect', nameOf('torn'), '--json')) as ImageDetailReport;
  const digest = before.layers[1]?.digest ?? '';
  const fetches = (): number => registry.requests.filter((line) => line.endsWith(digest)).length;
  const fetched = fetches();

  await tear(await fileOfLayer(daemon, 'torn'));
  const found = await run(daemon, 'verify');
  assert.deepEqual([found.code, found.stderr], [5, 'podwright: image verify: 1 damaged']);
  assert.match(found.stdout, new RegExp(`^${nameOf('torn')} +${digest} +files damaged\n3 layers looked at, 1 damaged$`));
  assert.match((await run(daemon, 'verify', nameOf('other'))).stdout, /^2 layers looked at, 0 damaged$/);
  const mended = await run(daemon, 'verify', '--repair');
  assert.equal(mended.code, 0, mended.stderr);
  assert.match(mended.stdout, /made anew from its compressed form\n3 layers looked at, 1 damaged, 1 of them mended$/);
  assert.equal(fetches(), fetched);

  await tear(await fileOfLayer(daemon, 'torn'));
  await tear(await blobOf(daemon, digest));
  const repaired = JSON.parse((await run(daemon, 'verify', nameOf('torn'), '--repair', '--json')).stdout) as LayerReport[];
  assert.deepEqual(repaired.map(({ repair }) => repair), ['none', 'fetched']); // prettier-ignore
  assert.equal(fetches(), fetched + 1, 'the damaged layer alone is fetched');
  const after = JSON.parse(await daemon.cli('image', 'inspect', nameOf('torn'), '--json')) as ImageDetailReport;
  await forgetSetAside(daemon);
  assert.deepEqual({ ...after, updatedAt: '' }, { ...before, updatedAt: '' });
  assert.match((await run(daemon, 'verify')).stdout, /^3 layers looked at, 0 damaged$/);
});

test('a damaged blob is fetched again where its tree is sound, with a container on it, and named where it cannot be had', async (daemon) => {
  await pull(daemon, 'lone');
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['sleep', '3600'], { image: nameOf('lone') });
  const { layers } = JSON.parse(await daemon.cli('image', 'inspect', nameOf('lone'), '--json')) as ImageDetailReport;
  const digest = layers[1]?.digest ?? '';
  const fetches = (): number => registry.requests.filter((line) => line.endsWith(digest)).length;
  const fetched = fetches();

  await tear(await blobOf(daemon, digest));
  const repaired = await run(daemon, 'verify', '--repair');
  assert.equal(repaired.code, 0, repaired.stderr);
  assert.match(
    repaired.stdout,
    new RegExp(`${digest} +compressed form damaged +fetched again\n2 layers looked at, 1 damaged, 1 of them mended$`),
  );
  assert.equal(fetches(), fetched + 1);
  const { stdout: sum } = await execa('sha256sum', [await blobOf(daemon, digest)]);
  assert.equal(`sha256:${sum.slice(0, 64)}`, digest);
  assert.match((await run(daemon, 'verify')).stdout, /^2 layers looked at, 0 damaged$/);
  assert.equal(await execOutput(daemon, id, ['head', '-c', '4', '/of-lone']), 'lone');

  await tear(await blobOf(daemon, digest));
  registry.remove('team/lone');
  const lost = await run(daemon, 'verify', '--repair');
  assert.equal(lost.code, 5, 'fetched from nowhere');
  assert.match(lost.stdout, /compressed form damaged +taken away: pull registry\.example\/team\/lone@sha256:[0-9a-f]{64}: .*404/);
  assert.equal(await blobOf(daemon, digest), '');
  await removePod(daemon, pod.id);
});

test('a damaged layer that can be had nowhere is named with the reason, and one that a container stands on is left', async (daemon) => {
  await pull(daemon, 'torn');
  const pod = await runPod(daemon);
  await runContainer(daemon, pod, ['sleep', '3600'], { image: nameOf('torn') });
  await tear(await fileOfLayer(daemon, 'torn'));
  const used = await run(daemon, 'verify', '--repair');
  assert.equal(used.code, 5);
  assert.match(used.stdout, /left as it is: a container stands on it$/m);
  await removePod(daemon, pod.id);

  const report = JSON.parse(await daemon.cli('image', 'inspect', nameOf('torn'), '--json')) as ImageDetailReport;
  await tear(await blobOf(daemon, report.layers[1]?.digest ?? ''));
  registry.remove('team/torn');
  const lost = await run(daemon, 'verify', '--repair');
  assert.equal(lost.code, 5);
  assert.match(lost.stdout, /taken away: pull registry\.example\/team\/torn@sha256:[0-9a-f]{64}: .*404/);
  assert.deepEqual(await here(daemon), []);
  await forgetSetAside(daemon);
  await daemon.restart(); // the layers that are sound wait for the next pull
});
