import { lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, hasErrno, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import { isDigest } from '../base/ids.ts';
import { chainIds } from '../storage/chain-id.ts';
import type { LayerRecord } from '../storage/layer-record.ts';
import type { ImageRecord } from './image-record.ts';
import { digestOf, MAX_DOCUMENT_BYTES, readConfig, readManifest } from './oci-types.ts';
import type { OciImageConfig, Manifest } from './oci-types.ts';
import { formatReference, parseReference, repositoryOf } from './reference.ts';

/** What one image of an additional store is, with its layers; or why it is left out. */
export type StoredImage =
  | { readonly is: 'image'; readonly image: ImageRecord; readonly layers: readonly LayerRecord[] }
  | { readonly is: 'left out'; readonly name: string; readonly why: string };

/** An image as images.json has it: containers/storage, images.go, Image. */
interface ImageEntry {
  readonly id: string;
  readonly names: readonly string[];
  readonly top: string;
  readonly bigData: readonly string[];
}

/** A layer as layers.json has it: containers/storage, layers.go, Layer. */
interface LayerEntry {
  readonly id: string;
  readonly parent: string;
  /** Absent where only its table of contents was checked. */
  readonly diffId: Digest | undefined;
  readonly sizeBytes: number;
  /** Why it is of no use here; undefined where it is. */
  readonly fault: string | undefined;
}

/** A store of 10,000 layers has 6 MB of them. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/**
 * Reads an additional image store: a directory as containers-storage.conf(5) has it in `additionalimagestores`, of the driver
 * overlay. For a process of its own: the directory may be on a file system that does not answer. Nothing is written there, and no lock is
 * taken, since it is read-only; a list is replaced by a rename, so that it is never half there.
 * @throws the system error, or InvalidArgument, where the store as a whole cannot be read.
 */
export async function* readAdditionalStore(directory: string): AsyncGenerator<StoredImage, void> {
  const root = await realpath(directory);
  const images = await readList(join(root, 'overlay-images/images.json'), readImageEntry);
  const layers = new Map((await readList(join(root, 'overlay-layers/layers.json'), readLayerEntry)).map((layer) => [layer.id, layer]));
  for (const image of images) {
    try {
      yield await readImage(root, directory, image, layers);
    } catch (error) {
      yield { is: 'left out', name: image.names[0] ?? image.id, why: messageOf(error) };
    }
  }
}

async function readList<T>(path: string, read: (entry: Field) => T): Promise<T[]> {
  let text: string;
  try {
    text = (await readFileWithin(path, MAX_LIST_BYTES)).toString('utf8');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return fail('NotFound', `${path} is missing: an additional store must be of containers-storage with the driver overlay`);
  }
  return Field.parse(text, path).list(read);
}

async function readFileWithin(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const stats = await file.stat();
    if (!stats.isFile()) fail('InvalidArgument', `${path} is no regular file`);
    if (stats.size > mostBytes) fail('InvalidArgument', `${path} has ${stats.size} bytes, must have at most ${mostBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function readImageEntry(field: Field): ImageEntry {
  return {
    id: readId(field.at('id')),
    names: field.at('names').given?.texts() ?? [],
    top: field.at('layer').given?.text() ?? '',
    bigData: field.at('big-data-names').given?.texts() ?? [],
  };
}

function readLayerEntry(field: Field): LayerEntry {
  const diffId = field.at('diff-digest').given?.text();
  const isMapped = ['uidmap', 'gidmap'].some((name) => Array.isArray(field.at(name).value) && field.at(name).list(() => 1).length > 0);
  const isIncomplete = field.at('flags').asObject()?.at('incomplete').value === true;
  return {
    id: readId(field.at('id')),
    parent: field.at('parent').given?.text() ?? '',
    diffId: diffId !== undefined && isDigest(diffId) ? diffId : undefined,
    sizeBytes: Math.max(0, field.at('diff-size').asNumber() ?? 0),
    fault: isIncomplete ? 'is incomplete' : isMapped ? 'has the owners of a user namespace' : undefined,
  };
}

/** It becomes part of a path. */
function readId(field: Field): string {
  const id = field.text();
  return /^[0-9a-f]{64}$/.test(id) ? id : field.refuse('64 hex digits');
}

async function readImage(
  root: string,
  store: string,
  entry: ImageEntry,
  known: ReadonlyMap<string, LayerEntry>,
): Promise<Extract<StoredImage, { is: 'image' }>> {
  const document = async (name: string): Promise<Buffer> =>
    await readFileWithin(join(root, 'overlay-images', entry.id, bigDataFile(name)), MAX_DOCUMENT_BYTES);
  const manifestBytes = await document('manifest');
  const manifest = readManifest(manifestBytes, undefined, 'manifest');
  if (manifest.is === 'index') return fail('InvalidArgument', 'its manifest is an index');
  const configBytes = await document(manifest.config.digest);
  const configDigest = digestOf(configBytes);
  if (configDigest !== manifest.config.digest)
    fail('InvalidArgument', `the digest of its config is ${configDigest}, must be ${manifest.config.digest}`);
  const config = readConfig(configBytes, 'config');
  const entries = chainOf(entry.top, known);
  const layers = await readLayers({ root, store }, entries, config);
  if (manifest.layers.length !== layers.length)
    fail('InvalidArgument', `its manifest has ${manifest.layers.length} layers and its config ${layers.length}`);
  const documents = { manifest: manifestBytes.toString('utf8'), config: configBytes.toString('utf8') };
  const sizeBytes = entries.reduce((sum, layer) => sum + layer.sizeBytes, manifestBytes.length + configBytes.length);
  const described = { layers, config, configDigest, documents, sizeBytes, manifestDigest: digestOf(manifestBytes) };
  return { is: 'image', layers, image: recordOf(store, entry, manifest, described) };
}

type Described = Pick<ImageRecord, 'config' | 'configDigest' | 'manifestDigest' | 'documents' | 'sizeBytes'> & {
  readonly layers: readonly LayerRecord[];
};

function recordOf(store: string, entry: ImageEntry, manifest: Manifest, { layers, ...described }: Described): ImageRecord {
  const references = entry.names.flatMap((name) => {
    try {
      return [parseReference(name)];
    } catch {
      return []; // a name that nobody can ask for
    }
  });
  const manifests = new Set([described.manifestDigest, ...entry.bigData.flatMap((name) => digestIn(name, 'manifest-'))]);
  return {
    version: 1,
    id: described.configDigest as string as ImageId,
    names: references.filter(({ digest }) => digest === undefined).map((each) => formatReference({ ...each, tag: each.tag ?? 'latest' })),
    digests: [
      ...new Set(
        references.flatMap((each) =>
          [...(each.digest === undefined ? manifests : [each.digest])].map((digest) => `${repositoryOf(each)}@${digest}`),
        ),
      ),
    ],
    chain: (layers.at(-1) as LayerRecord).chain,
    layers: manifest.layers.map(({ digest, mediaType, size }, index) => {
      const { diffId, chain } = layers[index] as LayerRecord;
      return { digest, mediaType, sizeBytes: size, diffId, chain };
    }),
    ...described,
    manifestMediaType: manifest.mediaType,
    // The kubelet must not count on the room that it would free.
    pinned: true,
    store,
    updatedAtMs: 0,
  };
}

function digestIn(name: string, before: string): Digest[] {
  const rest = name.slice(before.length);
  return name.startsWith(before) && isDigest(rest) ? [rest] : [];
}

/** A layer and all below it, lowest first. */
function chainOf(top: string, known: ReadonlyMap<string, LayerEntry>): LayerEntry[] {
  const found: LayerEntry[] = [];
  for (let next = top; next !== '';) {
    const layer = known.get(next) ?? fail('NotFound', `its layer ${next} is not in layers.json`);
    if (found.length >= known.size) fail('InvalidArgument', `the parents of its layer ${top} go round in a circle`);
    found.push(layer);
    next = layer.parent;
  }
  return found.reverse();
}

/** A layer counts by what the store says that it is: its tree is not compared, as containers/storage does not. */
async function readLayers(
  { root, store }: { root: string; store: string },
  entries: readonly LayerEntry[],
  config: OciImageConfig,
): Promise<LayerRecord[]> {
  const diffIds = config.rootfs.diff_ids;
  if (entries.length !== diffIds.length || entries.length === 0)
    fail('InvalidArgument', `it has ${entries.length} layers and its config ${diffIds.length}, must be as many, one at least`);
  const chains = chainIds(diffIds);
  return await Promise.all(
    entries.map(async ({ id, diffId, fault }, index) => {
      if (fault !== undefined) fail('InvalidArgument', `its layer ${id} ${fault}`);
      if (diffId !== diffIds[index])
        fail('InvalidArgument', `its layer ${id} has the diff-digest ${diffId ?? '(none)'}, must be ${diffIds[index] ?? '(none)'}`);
      const parent = chains[index - 1];
      return {
        version: 1 as const,
        chain: chains[index] as Digest,
        diffId: diffIds[index] as Digest,
        ...(parent === undefined ? {} : { parent }),
        sizeBytes: 0,
        inodes: 0,
        outside: { tree: await treeOf(root, id), store },
      };
    }),
  );
}

async function treeOf(root: string, id: string): Promise<string> {
  const tree = join(root, 'overlay', id, 'diff');
  if (!(await lstat(tree)).isDirectory()) fail('InvalidArgument', `${tree} is no directory`);
  const composefs = await lstat(join(root, 'overlay', id, 'composefs-data')).catch(() => undefined);
  if (composefs !== undefined) fail('Unimplemented', `its layer ${id} is of composefs, which is not supported`);
  return tree;
}

/** How containers/storage names the file of a value: itself where it is of small letters, digits and dots, else encoded (makeBigDataBaseName). */
function bigDataFile(name: string): string {
  return /^[a-z0-9.]*$/.test(name) ? name : `=${Buffer.from(name).toString('base64')}`;
}
