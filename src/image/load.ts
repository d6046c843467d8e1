import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { isDigest } from '../base/ids.ts';
import { stage } from '../base/stage.ts';
import { decompressor, detectCompression, explainDecompression, MAGIC_BYTES } from '../storage/decompress.ts';
import { ArchiveIndex } from './archive-index.ts';
import type { ImageParts, LayerSource, NewImage } from './assemble.ts';
import { findManifest } from './find-manifest.ts';
import type { FoundDocument } from './find-manifest.ts';
import { makeImage } from './make-image.ts';
import { foreignIsMissing, isForeign } from './media-types.ts';
import { digestOf, MAX_DOCUMENT_BYTES, readConfig, readManifest } from './oci-types.ts';
import type { Descriptor, Manifest, Platform } from './oci-types.ts';
import { choosePlatform, hostPlatform, noImageFor } from './platform.ts';
import { receive } from './receive.ts';
import { formatReference, parseReference, repositoryOf, withTag } from './reference.ts';
import type { ImageRecord } from './store.ts';
import type { ImageTrust } from '../trust/image-trust.ts';

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** Told what is being done, in words for people. */
  readonly progress?: ((message: string) => void) | undefined;
  readonly platform?: Platform | undefined;
  /** Whether archives may be loaded; without it they may. */
  readonly trust?: Pick<ImageTrust, 'checkArchive'>;
}

const PARALLEL_LAYERS = 2;
/** Most images of one archive, and most names of them. */
const MAX_IMAGES = 1000;
const MAX_NAMES = 10_000;

/**
 * Loads all images of an archive: a tar of an OCI layout (index.json) or of `docker save` (manifest.json), plain or compressed
 * by gzip or zstd. A stream is first written to a file of ours, since an archive names its parts in any order.
 * @param source a file's path, or the archive's bytes.
 * @throws InvalidArgument for what is no image archive, FailedPrecondition for a wrong digest, NotFound where no image is for
 * this platform. Images before the one that fails stay.
 */
export async function loadArchive(parts: ImageParts, source: string | Readable, options: LoadOptions): Promise<ImageRecord[]> {
  const spool = parts.blobs.newIngestPath();
  const unpacked = `${spool}.tar`;
  try {
    let path = typeof source === 'string' ? source : await spoolStream(spool, source, options);
    if (typeof source !== 'string') stage('image-load.spooled');
    path = (await decompressFile(path, unpacked, options)) ?? path;
    const file = await open(path, 'r');
    try {
      return await loadFile(parts, file, options);
    } finally {
      await file.close();
    }
  } catch (caught) {
    if (options.signal.aborted) throw reasonOf(options.signal);
    const error = explainDecompression(caught);
    if (error instanceof DaemonError) throw new DaemonError(error.kind, `load image archive: ${error.message}`, { cause: error });
    throw new DaemonError('Internal', `load image archive: ${messageOf(error)}`, { cause: error });
  } finally {
    await rm(spool, { force: true });
    await rm(unpacked, { force: true });
  }
}

/** Writes a stream to a new file. */
async function spoolStream(path: string, source: Readable, { signal }: LoadOptions): Promise<string> {
  await (await open(path, 'wx', 0o600)).close();
  const stop = (): void => {
    source.destroy(reasonOf(signal));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const content: OpenOnce = async () => ({ content: source, offsetBytes: 0 });
    await receive(path, content, { what: 'receive archive', signal, written: () => undefined });
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return path;
}

type OpenOnce = () => Promise<{ content: AsyncIterable<Uint8Array>; offsetBytes: number }>;

/** Decompresses the file at `path` to `target`; undefined where it is plain. */
async function decompressFile(path: string, target: string, options: LoadOptions): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const start = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await file.read(start, 0, MAGIC_BYTES, 0);
    if (bytesRead === 0) throw new DaemonError('InvalidArgument', 'the archive is empty');
    const compression = detectCompression(start);
    if (compression === 'none') return undefined;
    options.progress?.(`decompressing ${compression} archive`);
    // A failure of the reading ends the decompressor, which ends the copying.
    const stream = pipeline(file.createReadStream({ start: 0, autoClose: false }), decompressor(compression), () => undefined);
    return await spoolStream(target, stream, options);
  } finally {
    await file.close();
  }
}

async function loadFile(parts: ImageParts, file: FileHandle, options: LoadOptions): Promise<ImageRecord[]> {
  const archive = await ArchiveIndex.read(file, options.signal);
  await options.trust?.checkArchive(archive.has('index.json') ? 'oci-archive' : 'docker-archive');
  // One image at a time: each may have documents of megabytes, and an archive may name the same ones any number of times.
  let found: AsyncIterable<NewImage>;
  if (archive.has('index.json')) found = readOciLayout(archive, options.platform ?? (await hostPlatform()));
  else if (archive.has('manifest.json')) found = readDockerArchive(archive);
  else throw new DaemonError('InvalidArgument', 'it has neither index.json (OCI layout) nor manifest.json (docker save)');
  const loaded: ImageRecord[] = [];
  for await (const image of found) {
    options.progress?.(`loading ${image.what}`);
    loaded.push(
      await makeImage(parts, image, { signal: options.signal, parallelLayers: PARALLEL_LAYERS, retries: 0, stages: 'image-load' }),
    );
  }
  return loaded;
}

function blobName({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

async function readDocument(archive: ArchiveIndex, descriptor: Descriptor): Promise<Buffer> {
  const bytes = await archive.read(blobName(descriptor), MAX_DOCUMENT_BYTES);
  const digest = digestOf(bytes);
  if (digest !== descriptor.digest)
    throw new DaemonError('FailedPrecondition', `the digest of ${blobName(descriptor)} is ${digest}, must be ${descriptor.digest}`);
  return bytes;
}

/** The images of an OCI layout: OCI image spec, image-layout.md. Descriptors of one name are one image for several platforms. */
async function* readOciLayout(archive: ArchiveIndex, platform: Platform): AsyncGenerator<NewImage> {
  const index = readManifest(await archive.read('index.json', MAX_DOCUMENT_BYTES), undefined, 'index.json');
  if (index.is !== 'index') throw new DaemonError('InvalidArgument', 'index.json is no index');
  if (index.manifests.length === 0) throw new DaemonError('InvalidArgument', 'index.json has no images');
  const groups = new Map<string, Descriptor[]>();
  for (const descriptor of index.manifests) {
    const name = nameIn(descriptor) ?? '';
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [descriptor]);
    else group.push(descriptor);
  }
  const images = [...groups].flatMap(([name, group]) => chooseOfGroup(group, platform).map((descriptor) => ({ name, descriptor })));
  checkNumber(images.length, MAX_IMAGES, 'images');
  for (const { name, descriptor } of images) yield await readOciImage(archive, descriptor, name, platform);
}

function checkNumber(is: number, most: number, what: string): void {
  if (is > most) throw new DaemonError('InvalidArgument', `it has ${is} ${what}, must have at most ${most}`);
}

/**
 * Of descriptors that differ in their platform, the one that fits. Those without a platform are all taken: each is an image of
 * its own.
 */
function chooseOfGroup(descriptors: readonly Descriptor[], platform: Platform): readonly Descriptor[] {
  if (descriptors.length === 1 || descriptors.every((descriptor) => descriptor.platform === undefined)) return descriptors;
  return [choosePlatform(descriptors, platform) ?? noImageFor(descriptors, platform)];
}

async function readOciImage(archive: ArchiveIndex, top: Descriptor, name: string, platform: Platform): Promise<NewImage> {
  const document = async (descriptor: Descriptor): Promise<FoundDocument> => {
    const bytes = await readDocument(archive, descriptor);
    return { bytes, digest: descriptor.digest, document: readManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`) };
  };
  const found = await findManifest(await document(top), platform, {
    document,
    config: async ({ config }) => readConfig(await readDocument(archive, config), `config ${config.digest}`),
  });
  const indexes = name === '' ? [] : found.indexes.map((index) => `${repositoryOf(parseReference(name))}@${index}`);
  return await newOciImage(archive, found.document, found.bytes, name, indexes);
}

async function newOciImage(
  archive: ArchiveIndex,
  manifest: Manifest,
  bytes: Buffer,
  name: string,
  indexes: readonly string[],
): Promise<NewImage> {
  const missing = manifest.layers.find((layer) => isForeign(layer) && !archive.has(blobName(layer)));
  if (missing !== undefined) throw foreignIsMissing(missing);
  return {
    what: name === '' ? `image ${manifest.config.digest}` : name,
    config: await readDocument(archive, manifest.config),
    manifest: { bytes, mediaType: manifest.mediaType, document: manifest },
    layers: manifest.layers.map((layer) => ({
      mediaType: layer.mediaType,
      digest: layer.digest,
      sizeBytes: layer.size,
      annotations: layer.annotations,
      open: openMember(archive, blobName(layer)),
    })),
    names: name === '' ? [] : [name],
    digests: indexes,
    repositories: name === '' ? [] : [repositoryOf(parseReference(name))],
  };
}

function openMember(archive: ArchiveIndex, name: string): LayerSource['open'] {
  return async (offsetBytes) => ({ content: archive.stream(name, offsetBytes), offsetBytes });
}

/**
 * The name of an image of a layout: containerd's and Docker's annotation has it whole; OCI's own may hold a whole name too
 * (skopeo), or a tag only, which names nothing by itself.
 */
function nameIn({ annotations }: Descriptor): string | undefined {
  const whole = annotations?.['io.containerd.image.name'];
  if (typeof whole === 'string') return wholeName(whole);
  const refName = annotations?.['org.opencontainers.image.ref.name'];
  return typeof refName === 'string' && /[/:]/.test(refName) ? wholeName(refName) : undefined;
}

/** A name with its tag, spelled out; undefined for what is none or has only a digest. */
function wholeName(text: string): string | undefined {
  try {
    const { domain, path, tag } = withTag(parseReference(text));
    return tag === undefined ? undefined : formatReference({ domain, path, tag });
  } catch {
    return undefined;
  }
}

interface DockerEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/** The images of a `docker save` archive: Docker image spec v1.2, combined image JSON + filesystem changeset format. */
async function* readDockerArchive(archive: ArchiveIndex): AsyncGenerator<NewImage> {
  const document = Field.parse((await archive.read('manifest.json', MAX_DOCUMENT_BYTES)).toString('utf8'), 'manifest.json');
  const entries = document.list(readDockerEntry);
  if (entries.length === 0) document.refuse('a list of at least one image');
  checkNumber(entries.length, MAX_IMAGES, 'images');
  checkNumber(
    entries.reduce((sum, { RepoTags }) => sum + RepoTags.length, 0),
    MAX_NAMES,
    'names',
  );
  for (const entry of entries) yield await newDockerImage(archive, entry);
}

function readDockerEntry(entry: Field): DockerEntry {
  return {
    Config: entry.at('Config').text(),
    RepoTags: entry.at('RepoTags').given?.texts() ?? [],
    Layers: entry.at('Layers').texts(),
  };
}

async function newDockerImage(archive: ArchiveIndex, { Config, RepoTags, Layers }: DockerEntry): Promise<NewImage> {
  const names = RepoTags.map((tag) => wholeName(tag) ?? fail('InvalidArgument', `manifest.json: "${tag}" is no image name`));
  const config = await archive.read(Config, MAX_DOCUMENT_BYTES);
  // The file's name is the config's digest, in all but very old archives; where it is one, it must be right.
  const named = `sha256:${(Config.split('/').at(-1) ?? '').replace(/\.json$/, '')}`;
  if (isDigest(named) && digestOf(config) !== named)
    throw new DaemonError('FailedPrecondition', `the digest of ${Config} is ${digestOf(config)}, must be ${named}`);
  return {
    what: names[0] ?? `image ${digestOf(config)}`,
    config,
    layers: Layers.map((layer) => ({ mediaType: '', sizeBytes: archive.sizeOf(layer), open: openMember(archive, layer) })),
    names,
    repositories: names.map((name) => repositoryOf(parseReference(name))),
  };
}
