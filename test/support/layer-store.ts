import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { ImageLayer, ImageRunConfig } from '../../scripts/make-demo-image.ts';
import { architecture, sha256 } from '../../scripts/make-demo-image.ts';
import { pushManifest } from '../../scripts/push-image.ts';
import { findProgram } from './find-program.ts';
import type { TestRegistry } from './registry.ts';

const BUILD = join(import.meta.dirname, '../../scripts/build-layer-store.sh');

/** Why tests that need the layer store are skipped; false where they are not. */
export const noLayerStore = (await findProgram('go')) === undefined && 'go is not in PATH, which builds the layer store';
export const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';

let program: Promise<string> | undefined;
const built = (): Promise<string> => (program ??= execa(BUILD).then(({ stdout }) => stdout));

/** A layer as the module estargz writes it. */
export interface ChunkedLayer {
  readonly blob: Buffer;
  readonly diffId: string;
  readonly tocDigest: string;
}

/** Makes an eStargz layer of a plain one, by stargz-snapshotter's own writer. */
export async function estargzLayer(layer: ImageLayer): Promise<ChunkedLayer> {
  const directory = await mkdtemp(join(tmpdir(), 'pw-estargz-'));
  try {
    const [tar, target] = [join(directory, 'tar'), join(directory, 'estargz')];
    await writeFile(tar, layer.blob);
    const { stdout } = await execa(await built(), ['convert', tar, target]);
    const [tocDigest = '', diffId = ''] = stdout.split(' ');
    return { blob: await readFile(target), tocDigest, diffId };
  } finally {
    await remove(directory);
  }
}

/** Pushes an image of such layers, with their annotations. Returns the digest of its manifest. */
export async function pushChunked(
  registry: TestRegistry,
  layers: readonly ChunkedLayer[],
  {
    repository,
    config,
    tocs = layers.map(({ tocDigest }) => tocDigest),
  }: { repository: string; config: ImageRunConfig; tocs?: readonly string[] },
): Promise<string> {
  const document = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: architecture(),
      config,
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(document), size: document.length },
    layers: layers.map(({ blob }, index) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: sha256(blob),
      size: blob.length,
      annotations: { 'containerd.io/snapshot/stargz/toc.digest': tocs[index] },
    })),
  };
  const blobs = [document, ...layers.map(({ blob }) => blob)];
  return await pushManifest(manifest, blobs, { registry: registry.url, repository, tags: ['1'] });
}

/** stargz-snapshotter's layer store, mounted at `mountpoint`: it asks registries without TLS, and fetches nothing before it is read. */
export class LayerStoreProcess {
  readonly #directory: string;
  readonly mountpoint: string;
  #child: ChildProcess | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.mountpoint = join(directory, 'mnt');
  }

  static async start(): Promise<LayerStoreProcess> {
    const store = new LayerStoreProcess(await mkdtemp(join(tmpdir(), 'pw-lazy-')));
    await mkdir(store.mountpoint);
    await store.serve();
    return store;
  }

  /** What it wrote. */
  async log(): Promise<string> {
    return await readFile(join(this.#directory, 'log'), 'utf8').catch(() => '');
  }

  /** What it has fetched of layers. */
  async cachedKilobytes(): Promise<number> {
    const { stdout } = await execa('du', ['-sk', join(this.#directory, 'root')]);
    return Number(stdout.split('\t')[0]);
  }

  async serve(): Promise<void> {
    const script = 'exec "$0" serve "$1" "$2" 2>>"$3"';
    const child = spawn('sh', ['-c', script, await built(), join(this.#directory, 'root'), this.mountpoint, join(this.#directory, 'log')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  /** Ends it; what was mounted stays, and answers that nobody is there. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async unmount(): Promise<void> {
    await execa('umount', ['-l', this.mountpoint]).catch(() => undefined);
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.unmount();
    await remove(this.#directory);
  }
}
