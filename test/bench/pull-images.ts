/** Makes the images of the pull benchmark of this machine's files, and pushes them. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { execa } from 'execa';
import { mkdirs, remove } from 'fs-extra/esm';

const MIB = 1024 * 1024;
const TOP = '/usr';
const OCI = 'application/vnd.oci.image';

export interface BenchImage {
  readonly name: string;
  readonly words: string;
  readonly layers: number;
  /** Of all layers together, unpacked. */
  readonly sizeBytes: number;
  readonly leastFileBytes: number;
  readonly mostFileBytes: number;
}

/** The tag of the image that has a small layer more. */
export const NEXT = '2';

/** Images of `mib` altogether each, unpacked; the first is a usual one of a third of that. */
export const benchImages = (mib: number): readonly BenchImage[] => [
  {
    name: 'four',
    words: `${Math.round(mib / 3)} MiB, 4 layers`,
    layers: 4,
    sizeBytes: (mib / 3) * MIB,
    leastFileBytes: 0,
    mostFileBytes: 8 * MIB,
  },
  {
    name: 'one',
    words: `${mib} MiB, one large layer`,
    layers: 1,
    sizeBytes: mib * MIB,
    leastFileBytes: 128 * 1024,
    mostFileBytes: 32 * MIB,
  },
  { name: 'sixty', words: `${mib} MiB, 60 layers`, layers: 60, sizeBytes: mib * MIB, leastFileBytes: 0, mostFileBytes: (mib * MIB) / 60 },
  { name: 'small', words: `${mib} MiB, many small files`, layers: 4, sizeBytes: mib * MIB, leastFileBytes: 0, mostFileBytes: 128 * 1024 },
];

interface File {
  readonly path: string;
  readonly sizeBytes: number;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

async function* filesBelow(directory: string): AsyncGenerator<File, void> {
  const entries = (await readdir(directory, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield { path, sizeBytes: (await stat(path)).size };
  }
}

/** The files of each layer, by their names without the leading slash. */
async function chooseFiles({ layers, sizeBytes, leastFileBytes, mostFileBytes }: BenchImage): Promise<string[][]> {
  const chosen: string[][] = [[]];
  let taken = 0;
  for await (const file of filesBelow(TOP)) {
    if (file.sizeBytes < leastFileBytes || file.sizeBytes > mostFileBytes) continue;
    if (taken >= sizeBytes) break;
    if (taken >= (sizeBytes / layers) * chosen.length) chosen.push([]);
    chosen.at(-1)?.push(file.path.slice(1));
    taken += file.sizeBytes;
  }
  return chosen;
}

class Layout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async addBytes(bytes: Buffer | string, mediaType: string): Promise<Descriptor> {
    const digest = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(this.directory, 'blobs/sha256', digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(bytes) };
  }

  /** @returns the layer, and its diff id. */
  async addLayer(files: readonly string[]): Promise<[Descriptor, string]> {
    const tar = execa('tar', ['--create', '--file=-', '--directory=/', '--no-recursion', '--sort=name', '--null', '--files-from=-'], {
      input: files.map((path) => `${path}\0`).join(''),
      stdout: 'pipe',
      buffer: false,
    });
    const [diff, blob] = [createHash('sha256'), createHash('sha256')];
    const path = join(this.directory, 'layer');
    const raw = new PassThrough().on('data', (piece: Buffer) => diff.update(piece));
    const packed = new PassThrough().on('data', (piece: Buffer) => blob.update(piece));
    await pipeline(tar.stdout, raw, createGzip({ level: 6 }), packed, createWriteStream(path));
    await tar;
    const digest = blob.digest('hex');
    const size = (await stat(path)).size;
    await rename(path, join(this.directory, 'blobs/sha256', digest));
    return [{ mediaType: `${OCI}.layer.v1.tar+gzip`, digest: `sha256:${digest}`, size }, `sha256:${diff.digest('hex')}`];
  }

  async push(layers: readonly (readonly [Descriptor, string])[], repository: string, tag: string): Promise<void> {
    const rootfs = { type: 'layers', diff_ids: layers.map(([, diffId]) => diffId) };
    const document = { architecture: 'amd64', os: 'linux', config: {}, rootfs };
    const config = await this.addBytes(JSON.stringify(document), `${OCI}.config.v1+json`);
    const mediaType = `${OCI}.manifest.v1+json`;
    const manifest = { schemaVersion: 2, mediaType, config, layers: layers.map(([layer]) => layer) };
    const descriptor = await this.addBytes(JSON.stringify(manifest), mediaType);
    await writeFile(join(this.directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const annotations = { 'org.opencontainers.image.ref.name': tag };
    await writeFile(join(this.directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }));
    const to = `docker://${repository}:${tag}`;
    await execa('skopeo', ['copy', '--quiet', '--insecure-policy', '--dest-tls-verify=false', `oci:${this.directory}:${tag}`, to]);
  }
}

/** Makes an image and pushes it to `registry` (`HOST:PORT`, without TLS) as `bench/NAME:1`, and with a small layer more as {@link NEXT}. */
export async function pushBenchImage(image: BenchImage, registry: string): Promise<void> {
  const layout = new Layout(await mkdtemp(join(tmpdir(), 'podwright-bench-')));
  try {
    await mkdirs(join(layout.directory, 'blobs/sha256'));
    const layers: (readonly [Descriptor, string])[] = [];
    for (const files of await chooseFiles(image)) layers.push(await layout.addLayer(files));
    await layout.push(layers, `${registry}/bench/${image.name}`, '1');
    await layout.push([...layers, await layout.addLayer(['etc/passwd'])], `${registry}/bench/${image.name}`, NEXT);
  } finally {
    await remove(layout.directory);
  }
}

/** Where the layers of an image are; none where the registry has no such image. All are read once. */
export async function blobsOf(registry: string, { name }: BenchImage, tag: string): Promise<readonly string[]> {
  const accept = { Accept: `${OCI}.manifest.v1+json` };
  const answer = await fetch(`http://${registry}/v2/bench/${name}/manifests/${tag}`, { headers: accept });
  if (answer.status !== 200) return [];
  const { layers } = (await answer.json()) as { layers: readonly Descriptor[] };
  const urls = layers.map(({ digest }) => `http://${registry}/v2/bench/${name}/blobs/${digest}`);
  for (const url of urls) await (await fetch(url)).body?.pipeTo(new WritableStream());
  return urls;
}
