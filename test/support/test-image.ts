import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { busyboxLayer, dockerArchive, makeLayer, ociArchive } from '../../scripts/make-demo-image.ts';
import type { ImageLayer, ImageRunConfig, ImageSource } from '../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../scripts/tar-writer.ts';

const REPOSITORY = 'localhost/podwright-test';

/** Names of the images of {@link testImages}. Every one is busybox; they differ in their config or upper layers. */
export const IMAGES = {
  /** No entrypoint, Cmd sh: sh, httpd, nc, sleep and the rest of busybox. */
  busybox: `${REPOSITORY}/busybox:1`,
  /** User app (1000:1000 by /etc/passwd, also in group 2000). */
  user: `${REPOSITORY}/user:1`,
  /** Entrypoint `echo entry`, Cmd `from image`, Env and WorkingDir. */
  entrypoint: `${REPOSITORY}/entrypoint:1`,
  /** StopSignal SIGUSR1, which its command answers by exit 10; TERM exits 11. */
  stopSignal: `${REPOSITORY}/stop-signal:1`,
  /** Four layers: files replaced, a whiteout, an opaque directory, links, modes, times, owners. */
  layers: `${REPOSITORY}/layers:1`,
} as const;

/** What of the layers image must be seen inside a container, path by path; undefined where a whiteout took it away. */
export const LAYERS_CONTENT: Readonly<Record<string, string | undefined>> = {
  '/data/kept': 'from layer 1',
  '/data/replaced': 'from layer 2',
  '/data/removed': undefined,
  '/opaque/old': undefined,
  '/opaque/new': 'from layer 3',
  '/tree/removed/file': undefined,
  '/tree/again/file': 'from layer 4',
  '/data/link-to-kept': 'from layer 1',
  '/data/symlink': 'from layer 1',
};

const file = (path: string, data: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'file', data, ...extra });
const directory = (path: string, mode = 0o755): TarEntry => ({ path, kind: 'directory', mode });

/** The upper layers of the layers image, over busybox. */
function upperLayers(): TarEntry[][] {
  const longName = `data/${'n'.repeat(120)}`;
  return [
    [
      directory('data'),
      file('data/kept', 'from layer 1', { mode: 0o640, uid: 1000, gid: 2000, mtime: 1_000_000_000 }),
      file('data/replaced', 'from layer 1'),
      file('data/removed', 'from layer 1'),
      { path: 'data/link-to-kept', kind: 'hardlink', linkTarget: 'data/kept', mode: 0o640, uid: 1000, gid: 2000, mtime: 1_000_000_000 },
      { path: 'data/symlink', kind: 'symlink', linkTarget: '/data/kept' },
      file(longName, 'long'),
      directory('opaque'),
      file('opaque/old', 'from layer 1'),
      directory('tree/removed'),
      file('tree/removed/file', 'from layer 1'),
      directory('tree/again'),
      file('tree/again/file', 'from layer 1'),
    ],
    [
      file('data/replaced', 'from layer 2', { mode: 0o4755 }),
      file('data/.wh.removed', ''),
      file('tree/.wh.removed', ''),
      file('tree/.wh.again', ''),
    ],
    [directory('opaque', 0o700), file('opaque/.wh..wh..opq', ''), file('opaque/new', 'from layer 3')],
    [directory('tree/again'), file('tree/again/file', 'from layer 4')],
  ];
}

const PATH = 'PATH=/bin:/usr/bin';

/** Every test image, made once per process. */
export function testImages(): Promise<Readonly<Record<keyof typeof IMAGES, ImageSource>>> {
  made ??= makeImages();
  return made;
}
let made: Promise<Readonly<Record<keyof typeof IMAGES, ImageSource>>> | undefined;

async function makeImages(): Promise<Readonly<Record<keyof typeof IMAGES, ImageSource>>> {
  const base = await busyboxLayer();
  const layers: ImageLayer[] = [base];
  for (const [index, entries] of upperLayers().entries()) layers.push(await makeLayer(entries, index % 2 === 0 ? 'gzip' : 'zstd'));
  const image = (name: keyof typeof IMAGES, config: ImageRunConfig, own = [base]): ImageSource => ({
    name: IMAGES[name],
    layers: own,
    config,
  });
  return {
    busybox: image('busybox', { Env: [PATH], Cmd: ['sh'] }),
    user: image('user', { Env: [PATH], Cmd: ['sh', '-c', 'id; sleep 3600'], User: 'app' }),
    entrypoint: image('entrypoint', {
      Env: [PATH, 'FROM_IMAGE=image', 'BOTH=image'],
      Entrypoint: ['echo', 'entry'],
      Cmd: ['from', 'image'],
      WorkingDir: '/work/made/by/runtime',
    }),
    stopSignal: image('stopSignal', {
      Env: [PATH],
      Cmd: ['sh', '-c', 'trap "exit 10" USR1; trap "exit 11" TERM; echo ready; while :; do sleep 0.1; done'],
      StopSignal: 'SIGUSR1',
    }),
    layers: image('layers', { Env: [PATH], Cmd: ['sleep', '3600'] }, layers),
  };
}

/**
 * Writes one archive with the named images (all of them by default) to a temporary file.
 * @returns its path and what removes it.
 */
export async function writeArchive(
  names: readonly (keyof typeof IMAGES)[] = Object.keys(IMAGES) as (keyof typeof IMAGES)[],
  format: 'oci' | 'docker' = 'oci',
): Promise<{ path: string; remove: () => Promise<void> }> {
  const images = await testImages();
  const selected = names.map((name) => images[name]);
  const folder = await mkdtemp(join(tmpdir(), 'podwright-images-'));
  const path = join(folder, 'images.tar');
  await writeFile(path, format === 'oci' ? ociArchive(selected) : dockerArchive(selected));
  return { path, remove: () => remove(folder) };
}
