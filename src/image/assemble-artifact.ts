import { chmod, link, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import { stage } from '../base/stage.ts';
import { UndoStack } from '../base/undo.ts';
import type { DiskWatch } from '../storage/layer-disk.ts';
import { artifactFiles, type ArtifactFile } from './artifact-files.ts';
import { digestNames, observed } from './assemble.ts';
import type { AssembleOptions, ImageParts, LayerSource, NewImage, NewManifest } from './assemble.ts';
import type { ImageRecord } from './image-record.ts';
import { artifactTypeOf } from './media-types.ts';
import { digestOf } from './oci-types.ts';
import { LayerProgress, seenBy } from './progress.ts';
import { download } from './download.ts';
import type { OpenContent } from './receive.ts';
import type { Release } from '../base/slots.ts';
import { fetchSeveral } from './fetch-several.ts';

/** An artifact to come: its documents are here, its files are not. */
export interface NewArtifact extends NewImage {
  readonly manifest: NewManifest;
}

/** Whoever runs in a container may read what it mounts. Nobody may run it, as with CRI-O. */
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;
const DIRECTORY_BYTES = 4096;

/** A file that is being fetched, by its digest. */
interface Part {
  readonly source: LayerSource & { readonly digest: Digest; readonly sizeBytes: number; readonly open: OpenContent };
  /** Where its content is now. */
  readonly path: string;
  readonly progress: LayerProgress;
  /** Whether it is new here. */
  readonly isNew: boolean;
}

/**
 * Makes an artifact: its blobs are kept as they come, and a layer of its own has hard links to them by the names that their titles
 * give. So a mount of it is that of any image, and content is on the disk once. The order is that of images: all to disk, blobs
 * and the layer to their names, the record. On failure or abort nothing is left.
 */
export async function assembleArtifact(parts: ImageParts, artifact: NewArtifact, options: AssembleOptions): Promise<ImageRecord> {
  const { what } = artifact;
  const { document } = artifact.manifest;
  const { files, notes } = artifactFiles(document, what);
  const digest = digestOf(artifact.manifest.bytes);
  const chain = digestOf(Buffer.from(`artifact ${digest}`));
  const release = parts.images.retain([chain, digest, digestOf(artifact.config), ...document.layers.map((layer) => layer.digest)]);
  const undo = new UndoStack();
  try {
    const known = parts.images.get(digest as string as ImageId);
    if (known !== undefined)
      return await parts.images.put({ ...known, names: artifact.names, digests: digestNames(artifact, known.manifestDigest) });
    for (const words of notes) parts.log.warn(`${what}: ${words}`);
    return await parts.layers.disk.watched(async (disk) => {
      const work = await fetchFiles(parts, artifact, options, undo);
      return await record(parts, { artifact, files, work, chain, digest, disk }, options, undo);
    });
  } catch (error) {
    release();
    for (const failure of await undo.run()) parts.log.warn(`${what}: ${failure.what} failed`, { error: messageOf(failure.error) });
    throw error;
  } finally {
    release();
  }
}

/** Fetches what is not here. */
async function fetchFiles(
  parts: ImageParts,
  { what, layers }: NewArtifact,
  options: AssembleOptions,
  undo: UndoStack,
): Promise<Map<Digest, Part>> {
  const work = new Map<Digest, Part>();
  for (const source of layers) {
    const { digest, sizeBytes } = source;
    if (digest === undefined || sizeBytes === undefined) throw new DaemonError('Internal', `${what}: a file of it has no digest or size`);
    const isNew = !parts.blobs.has(digest);
    if (work.has(digest)) continue;
    const progress = new LayerProgress(source, options.progress);
    work.set(digest, {
      source: observed({ ...source, digest, sizeBytes }, progress.arrivals),
      isNew,
      path: isNew ? parts.blobs.newIngestPath() : parts.blobs.path(digest),
      progress,
    });
  }
  if (options.progress !== undefined)
    Object.assign(options.progress, { step: 'fetching', layers: [...work.values()].map(({ progress }) => progress) });
  for (const { isNew, progress } of work.values()) if (!isNew) progress.become('present');
  await fetchSeveral(
    [...work.values()].filter(({ isNew }) => isNew),
    options,
    async (part, signal, slot) => {
      await fetchFile(parts, what, part, { ...options, signal }, undo, slot);
    },
  );
  return work;
}

/** Receives a file while a worker counts its digest behind it. */
async function fetchFile(
  parts: ImageParts,
  what: string,
  { source, path, progress }: Part,
  { signal, retries, pause, stages, downloads }: AssembleOptions,
  undo: UndoStack,
  slot: Release | undefined,
): Promise<void> {
  undo.add('remove half-received file', async () => {
    await rm(path, { force: true });
  });
  progress.become('fetching');
  await writeFile(path, '', { flag: 'wx', mode: FILE_MODE });
  stage(`${stages}.file-created`);
  const stop = new AbortController();
  let writtenBytes = 0;
  const hashing = parts.layers.hash(path, AbortSignal.any([signal, stop.signal]));
  try {
    const written = await download(path, source, downloads, slot, {
      what: `${what}: layer ${source.digest}`,
      sizeBytes: source.sizeBytes,
      signal,
      retries,
      pause,
      ...seenBy(progress),
      written: (sizeBytes) => {
        parts.layers.disk.wrote(sizeBytes - writtenBytes);
        writtenBytes = sizeBytes;
        hashing.grown(sizeBytes, false);
      },
    });
    hashing.grown(written, true);
    progress.become('unpacking');
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled([hashing.result]);
    throw error;
  }
  const digest = await hashing.result;
  if (digest !== source.digest)
    throw new DaemonError('FailedPrecondition', `${what}: the digest of a file is ${digest}, must be ${source.digest}`);
  progress.become('unpacked');
  stage(`${stages}.file-received`);
}

interface Fetched {
  readonly artifact: NewArtifact;
  readonly files: readonly ArtifactFile[];
  readonly work: ReadonlyMap<Digest, Part>;
  readonly chain: Digest;
  readonly digest: Digest;
  readonly disk: DiskWatch;
}

async function record(
  parts: ImageParts,
  { artifact, files, work, chain, digest, disk }: Fetched,
  options: AssembleOptions,
  undo: UndoStack,
): Promise<ImageRecord> {
  const { blobs, layers, images } = parts;
  const { manifest } = artifact;
  const { document } = manifest;
  const staged = layers.newStaged();
  undo.add('remove half-made layer', async () => {
    await layers.discard(staged);
  });
  await layers.stage(staged);
  const directories = await linkFiles(staged.tree, files, work, artifact.what);
  const layer = await layers.complete(
    staged,
    undefined,
    { diffId: chain, sizeBytes: (directories + 1) * DIRECTORY_BYTES, inodes: directories + 1, impliedDirectories: [], notes: [] },
    [],
  );
  const received = [...work.values()].filter(({ isNew }) => isNew).map(({ path, source }) => ({ path, blob: source }));
  const documents = [artifact.config, manifest.bytes].map((bytes) => ({
    path: blobs.newIngestPath(),
    bytes,
    blob: { digest: digestOf(bytes), sizeBytes: bytes.length },
  }));
  for (const { path, bytes } of documents) {
    undo.add('remove half-received document', async () => {
      await rm(path, { force: true });
    });
    await writeFile(path, bytes, { flag: 'wx', mode: FILE_MODE });
  }
  if (options.progress !== undefined) options.progress.step = 'syncing';
  await disk.sync();
  if (options.signal.aborted) throw reasonOf(options.signal);
  if (options.progress !== undefined) options.progress.step = 'recording';
  stage(`${options.stages}.synced`);
  undo.add('remove unused layers and blobs', async () => {
    await images.collect();
  });
  for (const { path, blob } of [...documents, ...received]) await blobs.adopt(path, blob);
  await blobs.sync();
  stage(`${options.stages}.blobs-adopted`);
  await layers.adopt(staged, layer);
  stage(`${options.stages}.layer-adopted`);
  const contentBytes = [...work.values()].reduce((sum, { source }) => sum + source.sizeBytes, 0);
  return await images.put({
    version: 1,
    id: digest as string as ImageId,
    names: artifact.names,
    digests: digestNames(artifact, digest),
    sizeBytes: contentBytes + artifact.config.length + manifest.bytes.length,
    chain,
    layers: document.layers.map((each) => ({
      digest: each.digest,
      mediaType: each.mediaType,
      sizeBytes: each.size,
      diffId: each.digest,
      chain,
    })),
    config: { rootfs: { diff_ids: [] } },
    artifact: { type: artifactTypeOf(document), files: files.length },
    configDigest: digestOf(artifact.config),
    manifestDigest: digest,
    manifestMediaType: manifest.mediaType,
    pinned: false,
    updatedAtMs: Date.now(),
  });
}

/** Links the files by their names into an empty tree. @param files those of a directory together. @returns how many directories it made. */
async function linkFiles(tree: string, files: readonly ArtifactFile[], work: ReadonlyMap<Digest, Part>, what: string): Promise<number> {
  let made = 0;
  let before: readonly string[] = [];
  try {
    for (const { name, digest } of files) {
      const parents = name.split('/').slice(0, -1);
      const isOther = parents.findIndex((part, index) => part !== before[index]);
      for (let depth = isOther === -1 ? parents.length : isOther; depth < parents.length; depth += 1) {
        const directory = join(tree, ...parents.slice(0, depth + 1));
        await mkdir(directory);
        await chmod(directory, DIRECTORY_MODE);
        made += 1;
      }
      before = parents;
      const part = work.get(digest);
      if (part === undefined) throw new DaemonError('Internal', `${what}: ${digest} was not fetched`);
      await chmod(part.path, FILE_MODE);
      await link(part.path, join(tree, name));
    }
  } catch (error) {
    throw new DaemonError('FailedPrecondition', `${what}: its files cannot be put in place: ${messageOf(error)}`, { cause: error });
  }
  return made;
}
