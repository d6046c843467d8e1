/**
 * Makes image archives on this machine, with no network: Debian's dynamic busybox with the libraries it needs.
 * As a program: `node scripts/make-demo-image.ts FILE [NAME]` writes the demo's image as an OCI archive.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { makeTar, type TarEntry } from './tar-writer.ts';

export type LayerCompression = 'none' | 'gzip' | 'zstd';

/** One layer: what it unpacks to (`diffId`) and the bytes an archive carries. */
export interface ImageLayer {
  readonly diffId: string;
  readonly digest: string;
  readonly compression: LayerCompression;
  readonly blob: Buffer;
  readonly tar: Buffer;
  /** Of its descriptor. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The part of an OCI image config that says how to run it (image-spec config.md). */
export interface ImageRunConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
}

export interface ImageSource {
  /** Full name with tag: `localhost/podwright/demo:1`. */
  readonly name: string;
  readonly layers: readonly ImageLayer[];
  readonly config: ImageRunConfig;
  /** By OCI's names; this machine's where it is not given. */
  readonly architecture?: string;
  /** Of its manifest, where it is an OCI image. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export const DEMO_IMAGE_NAME = 'localhost/podwright/demo:1';

export function sha256(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

export async function makeLayer(entries: readonly TarEntry[], compression: LayerCompression = 'gzip'): Promise<ImageLayer> {
  const tar = makeTar(entries);
  const blob = await compress(tar, compression);
  return { diffId: sha256(tar), digest: sha256(blob), compression, blob, tar };
}

async function compress(data: Buffer, compression: LayerCompression): Promise<Buffer> {
  if (compression === 'gzip') return promisify(gzip)(data, { level: 1 });
  if (compression === 'zstd') return promisify(zstdCompress)(data);
  return data;
}

/**
 * A busybox that is linked dynamically. The static one of Debian runs applets inside its shell without looking at
 * /bin, so that a masked or replaced /bin/ls would not be seen.
 */
export async function findBusybox(): Promise<{ path: string; libraries: string[]; release: () => Promise<void> }> {
  for (const path of ['/usr/bin/busybox', '/bin/busybox']) {
    const libraries = await librariesOf(path).catch(() => []);
    if (libraries.length > 0) return { path, libraries, release: () => Promise.resolve() };
  }
  const directory = await mkdtemp(join(tmpdir(), 'podwright-busybox-'));
  const release = (): Promise<void> => remove(directory);
  try {
    await execa('apt-get', ['download', 'busybox'], { cwd: directory });
    const archive = (await readdir(directory)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download busybox: no .deb arrived');
    await execa('dpkg-deb', ['-x', archive, 'x'], { cwd: directory });
    const unpacked = await readdir(join(directory, 'x'));
    const path = join(directory, 'x', unpacked.includes('bin') ? 'bin' : 'usr/bin', 'busybox');
    return { path, libraries: await librariesOf(path), release };
  } catch (error) {
    await release();
    throw new Error('make image: a dynamic busybox is needed (Debian package "busybox")', { cause: error });
  }
}

/** The shared objects a program needs, the loader among them, as ldd(1) names them. */
export async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await execa('ldd', [program]);
  return [...stdout.matchAll(/(?:=>\s+|^\s*)(\/\S+)\s+\(0x/gm)].flatMap((match) => match[1] ?? []);
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
app:x:1000:
extra:x:2000:app
nogroup:x:65534:
`;
const DIRECTORIES: readonly [path: string, mode: number][] = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755],
  ['home/app', 0o755],
  ['proc', 0o755],
  ['root', 0o700],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['var', 0o755],
  ['var/run', 0o755],
  ['www', 0o755],
];

/** busybox with every applet as a hard link (a masked /bin/ls must not mask all of busybox), and a small /etc. */
export async function busyboxLayer(compression: LayerCompression = 'gzip'): Promise<ImageLayer> {
  const busybox = await findBusybox();
  try {
    const entries: TarEntry[] = DIRECTORIES.map(([path, mode]) => ({ path, kind: 'directory', mode }));
    entries.push({ path: 'bin/busybox', kind: 'file', mode: 0o755, data: await readFile(busybox.path) });
    const { stdout } = await execa(busybox.path, ['--list']);
    for (const applet of stdout.split('\n').map((line) => line.trim())) {
      if (applet === '' || applet === 'busybox') continue;
      entries.push({ path: `bin/${applet}`, kind: 'hardlink', mode: 0o755, linkTarget: 'bin/busybox' });
    }
    entries.push({ path: 'usr/bin/env', kind: 'hardlink', mode: 0o755, linkTarget: 'bin/busybox' });
    for (const library of busybox.libraries) {
      entries.push({ path: library.slice(1), kind: 'file', mode: 0o755, data: await readFile(library) });
    }
    entries.push({ path: 'etc/passwd', kind: 'file', data: PASSWD }, { path: 'etc/group', kind: 'file', data: GROUP });
    entries.push({ path: 'www/index.html', kind: 'file', data: 'It works: a page from inside the pod.\n' });
    return await makeLayer(entries, compression);
  } finally {
    await busybox.release();
  }
}

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

/** Media types of the two manifest formats: image-spec media-types.md, distribution's manifest-v2-2.md. */
const FORMATS = {
  oci: {
    manifest: `${OCI}.manifest.v1+json`,
    config: `${OCI}.config.v1+json`,
    layers: { none: `${OCI}.layer.v1.tar`, gzip: `${OCI}.layer.v1.tar+gzip`, zstd: `${OCI}.layer.v1.tar+zstd` },
  },
  docker: {
    manifest: `${DOCKER}.distribution.manifest.v2+json`,
    config: `${DOCKER}.container.image.v1+json`,
    layers: {
      none: `${DOCKER}.image.rootfs.diff.tar`,
      gzip: `${DOCKER}.image.rootfs.diff.tar.gzip`,
      zstd: `${DOCKER}.image.rootfs.diff.tar.zstd`,
    },
  },
} as const;

/** As the OCI names this machine's processor. */
export function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function configOf(image: ImageSource): Buffer {
  return Buffer.from(
    JSON.stringify({
      created: '1970-01-01T00:00:00Z',
      architecture: image.architecture ?? architecture(),
      os: 'linux',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.diffId) },
      history: image.layers.map(() => ({ created_by: 'podwright test image' })),
    }),
  );
}

/** Digests under which an image of an archive will be known: the config's is the image id. */
export interface ImageDigests {
  readonly imageId: string;
  readonly manifestDigest: string;
}

/** An image's config and manifest, with their digests. */
export interface ImageDocuments extends ImageDigests {
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly mediaType: string;
}

export function documentsOf(image: ImageSource, format: keyof typeof FORMATS = 'oci'): ImageDocuments {
  const types = FORMATS[format];
  const config = configOf(image);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: sha256(config), size: config.length },
      layers: image.layers.map(({ compression, digest, blob, annotations }) => ({
        mediaType: types.layers[compression],
        digest,
        size: blob.length,
        annotations,
      })),
      ...(format === 'oci' && image.annotations !== undefined ? { annotations: image.annotations } : {}),
    }),
  );
  return { config, manifest, mediaType: types.manifest, imageId: sha256(config), manifestDigest: sha256(manifest) };
}

export function digestsOf(image: ImageSource): ImageDigests {
  const { imageId, manifestDigest } = documentsOf(image);
  return { imageId, manifestDigest };
}

/** One OCI layout archive with these images (image-spec image-layout.md). */
export function ociArchive(images: readonly ImageSource[]): Buffer {
  const blobs = new Map<string, Buffer>();
  const manifests = images.map((image) => {
    const { config, manifest, imageId, manifestDigest } = documentsOf(image);
    blobs.set(imageId, config).set(manifestDigest, manifest);
    for (const layer of image.layers) blobs.set(layer.digest, layer.blob);
    return {
      mediaType: FORMATS.oci.manifest,
      digest: manifestDigest,
      size: manifest.length,
      annotations: { 'org.opencontainers.image.ref.name': image.name, 'io.containerd.image.name': image.name },
      platform: { architecture: image.architecture ?? architecture(), os: 'linux' },
    };
  });
  return makeTar([
    { path: 'oci-layout', kind: 'file', data: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', kind: 'file', data: JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }) },
    { path: 'blobs', kind: 'directory' },
    { path: 'blobs/sha256', kind: 'directory' },
    ...[...blobs].map(([digest, data]): TarEntry => ({ path: `blobs/${digest.replace(':', '/')}`, kind: 'file', data })),
  ]);
}

/** One archive as `docker save` writes them: manifest.json, configs, plain layers. */
export function dockerArchive(images: readonly ImageSource[]): Buffer {
  const files = new Map<string, Buffer>();
  const manifest = images.map((image) => {
    const config = configOf(image);
    const configName = `${sha256(config).slice(7)}.json`;
    files.set(configName, config);
    const layerNames = image.layers.map((layer) => {
      const name = `${layer.diffId.slice(7)}/layer.tar`;
      files.set(name, layer.tar);
      return name;
    });
    return { Config: configName, RepoTags: [image.name], Layers: layerNames };
  });
  return makeTar([
    ...[...files].map(([path, data]): TarEntry => ({ path, kind: 'file', data })),
    { path: 'manifest.json', kind: 'file', data: JSON.stringify(manifest) },
  ]);
}

/** The demo's image: busybox that serves a page on port 80 and says so. */
export async function demoImage(name = DEMO_IMAGE_NAME): Promise<ImageSource> {
  // Process 1 gets no signal that it does not handle, so the shell handles TERM for the server.
  const script = 'echo "demo: serving on port 80"; httpd -f -v -p 80 -h /www & trap "kill $!; exit 0" TERM; wait';
  return {
    name,
    layers: [await busyboxLayer()],
    config: { Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh', '-c', script] },
  };
}

if (import.meta.main) {
  const [file, name] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: node scripts/make-demo-image.ts FILE [NAME]');
  const image = await demoImage(name);
  await writeFile(file, ociArchive([image]));
  process.stdout.write(`${file}: ${image.name} ${digestsOf(image).imageId}\n`);
}
