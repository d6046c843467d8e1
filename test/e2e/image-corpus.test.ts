/** Hostile and odd images: each is unpacked as containerd's own code does it, or refused in words that name entry and layer. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after } from 'node:test';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { ociArchive } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';
import type { Digest } from '../../src/base/ids.ts';
import { AdminClient } from '../../src/cli/admin-client.ts';
import { chainIds } from '../../src/storage/chain-id.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { HEADERS } from '../support/image-corpus/headers.ts';
import { NAMES } from '../support/image-corpus/names.ts';
import { file, plainLayer } from '../support/image-corpus/odd-image.ts';
import type { OddImage } from '../support/image-corpus/odd-image.ts';
import { LARGE, STREAMS } from '../support/image-corpus/streams.ts';
import { WHITEOUTS } from '../support/image-corpus/whiteouts.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';

/** Each has a daemon of its own, so that its memory is that of few images. */
const CORPUS: Readonly<Record<string, readonly OddImage[]>> = {
  whiteouts: WHITEOUTS,
  names: NAMES,
  headers: HEADERS,
  streams: STREAMS,
  large: LARGE,
};
const MOST_MEMORY_BYTES = 200 * 1024 * 1024;
const MOST_BLOCK_MS = 20;
const BLOCKS = join(import.meta.dirname, '../fixtures/event-loop-blocks.ts');

const SCRIPT = join(import.meta.dirname, '../../scripts/build-unpack-reference.sh');
const built = await execa('bash', [SCRIPT], { reject: false });
const noReference = built.exitCode !== 0 && `containerd's unpacker is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

const registry = noRegistry === false ? await TestRegistry.start() : undefined;
const blocksFile = join(registry?.directory ?? '', 'blocks');
// As JavaScript: the daemon would need 30 MB to take the types out of it.
const preload = join(registry?.directory ?? '', 'blocks.mjs');
if (registry !== undefined) await writeFile(preload, stripTypeScriptTypes(await readFile(BLOCKS, 'utf8')));
after(async () => registry?.stop());

type Tree = Readonly<Record<string, string>>;

interface Seen {
  readonly image: OddImage;
  readonly layers: readonly ImageLayer[];
  /** The daemon's refusal. */
  readonly error: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  readonly peakBytes: number;
}

/** The most that the daemon's process has had in memory since `clear_refs`, bytes: proc_pid_status(5). */
async function peakOf(pid: number): Promise<number> {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function layersOf({ layers }: OddImage): Promise<ImageLayer[]> {
  return Promise.all(layers.map(async (layer) => (typeof layer === 'function' ? layer() : plainLayer(layer))));
}

/** Has the daemon load or pull an image. */
async function take(daemon: TestDaemon, image: OddImage, index: number): Promise<Seen> {
  const layers = await layersOf(image);
  const name = `odd-${index}`;
  let work: () => Promise<unknown>;
  if (image.isPulled === true && registry !== undefined) {
    await registry.push({ layers, config: {} }, name, ['1']);
    work = async () => daemon.images.pullImage({ image: { image: `${registry.host}/${name}:1` } }, { timeoutMs: 60_000 });
  } else {
    const archive = ociArchive([{ name: `localhost/${name}:1`, layers, config: {} }]);
    const client = new AdminClient(join(daemon.runDir, 'admin.sock'));
    work = async () => client.loadImages(Readable.from([archive]), () => undefined);
  }
  await writeFile(`/proc/${daemon.pid}/clear_refs`, '5'); // proc_pid_clear_refs(5)
  const fromMs = Date.now();
  const error = await work().then(
    () => undefined,
    (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)),
  );
  return { image, layers, error, fromMs, toMs: Date.now(), peakBytes: await peakOf(daemon.pid) };
}

/** containerd's refusals; undefined where it unpacked an image. Layer N is at `DIRECTORY/INDEX/N`. */
async function askContainerd(directory: string, seen: readonly Seen[]): Promise<(string | undefined)[]> {
  await ensureDir(join(directory, 'blobs'));
  const images = [];
  for (const [index, { layers }] of seen.entries()) {
    const paths = layers.map((_, at) => join(directory, 'blobs', `${index}-${at}`));
    for (const [at, { blob }] of layers.entries()) await writeFile(paths[at] ?? '', blob);
    images.push({ directory: join(directory, String(index)), layers: layers.map(({ diffId }, at) => ({ path: paths[at], diffId })) });
  }
  const { stdout } = await execa(built.stdout, ['apply'], { input: JSON.stringify({ images }) });
  return stdout.split('\n').map((line) => (JSON.parse(line) as { error?: string }).error);
}

async function listTrees(directories: readonly string[]): Promise<Tree[]> {
  const { stdout } = await execa(built.stdout, ['list', ...directories], { maxBuffer: 1 << 28 });
  return stdout === '' ? [] : stdout.split('\n').map((line) => JSON.parse(line) as Tree);
}

/** Every `LAYER/PATH` of which the two made something else, with both lines. */
function differences(
  ours: readonly Tree[],
  theirs: readonly Tree[],
): Record<string, { ours: string | undefined; theirs: string | undefined }> {
  const found: ReturnType<typeof differences> = {};
  for (const [layer, tree] of ours.entries()) {
    const other = theirs[layer] ?? {};
    for (const path of new Set([...Object.keys(tree), ...Object.keys(other)]))
      if (tree[path] !== other[path]) found[`${layer}/${path}`] = { ours: tree[path], theirs: other[path] };
  }
  return found;
}

async function compare(daemon: TestDaemon, seen: Seen, refusal: string | undefined, theirDirectory: string): Promise<void> {
  const { image, layers, error } = seen;
  if (image.refused === undefined) assert.equal(error, undefined);
  else {
    assert.match(error ?? 'unpacked', image.refused);
    if (layers.length < 500) assert.match(error ?? '', /layer sha256:[0-9a-f]{64}: /);
  }
  if (image.containerd !== 'not asked') {
    const theirs = refusal === undefined ? 'unpacks' : 'refuses';
    assert.equal(theirs, image.containerd ?? (error === undefined ? 'unpacks' : 'refuses'), `containerd: ${refusal ?? 'unpacks it'}`);
  }
  if (error !== undefined || refusal !== undefined) return;
  const chains = chainIds(layers.map(({ diffId }) => diffId as Digest));
  const ours = chains.map((chain) => join(daemon.root, 'storage/layers', chain.slice('sha256:'.length, 'sha256:'.length + 16), 'fs'));
  const trees = await listTrees([...ours, ...layers.map((_, index) => join(theirDirectory, String(index)))]);
  const found = differences(trees.slice(0, ours.length), trees.slice(ours.length));
  assert.deepEqual(Object.keys(found).sort(), Object.keys(image.differs ?? {}).sort(), JSON.stringify(found, undefined, 1));
  for (const [path, line] of Object.entries(image.differs ?? {})) {
    if (line === undefined) assert.equal(found[path]?.ours, undefined);
    else assert.match(found[path]?.ours ?? '', line);
  }
}

/** Large images have a daemon each, so that none counts what another has left in the heap. */
const GROUPS = Object.entries(CORPUS).flatMap(([group, rows]) =>
  group === 'large' ? rows.map((row) => [`${group}: ${row.name}`, [row]] as const) : [[group, rows] as const],
);

for (const [group, rows] of GROUPS) {
  e2eTest(
    `odd images are unpacked as containerd does it, or refused in words: ${group}`,
    async (daemon, t) => {
      // The first of each way loads the code for it.
      for (const isPulled of [true, false])
        await take(daemon, { name: 'plain', layers: [[file(`first-${isPulled}`)]], isPulled }, rows.length);
      const seen: Seen[] = [];
      for (const [index, image] of rows.entries()) seen.push(await take(daemon, image, index));
      const directory = join(daemon.directory, 'containerd');
      const refusals = await askContainerd(directory, seen);
      const blocks = (await readFile(blocksFile, 'utf8').catch(() => '')).split('\n').map((line) => line.split(' ').map(Number));
      for (const [index, each] of seen.entries()) {
        await t.test(each.image.name, async () => {
          await compare(daemon, each, refusals[index], join(directory, String(index)));
          assert.ok(each.peakBytes < MOST_MEMORY_BYTES, `the daemon had ${each.peakBytes} bytes`);
          const longest = Math.max(0, ...blocks.filter(([end = 0]) => end >= each.fromMs && end <= each.toMs + 5).map(([, ms = 0]) => ms));
          assert.ok(longest < MOST_BLOCK_MS, `the event loop was at work for ${longest} ms in one go`);
        });
      }
      t.diagnostic(
        `${seen.length} images, ${seen.filter(({ error }) => error !== undefined).length} refused; at most ${Math.max(...seen.map(({ peakBytes }) => peakBytes)) >> 20} MiB`,
      );
      for (const { id } of (await daemon.images.listImages({})).images) await daemon.images.removeImage({ image: { image: id } });
    },
    {
      skip: noReference || noRegistry,
      images: [],
      prepare: async () => ({
        images: [],
        config: (await registry?.daemonConfig({})) ?? '',
        env: { NODE_OPTIONS: `--import=${preload}`, PODWRIGHT_TEST_BLOCKS: blocksFile },
      }),
    },
  );
}
