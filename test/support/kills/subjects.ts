/** What is pulled and removed under fire: images of every compression, two that share layers, two versions of one, and an artifact. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { busyboxLayer, digestsOf, makeLayer, ociArchive, sha256 } from '../../../scripts/make-demo-image.ts';
import type { ImageLayer, LayerCompression } from '../../../scripts/make-demo-image.ts';
import { pushArtifact } from '../../../scripts/push-image.ts';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { seededRandom } from '../random-messages.ts';
import type { TestRegistry } from '../registry.ts';

/** An image or artifact in the registry, and what a container must see of it. */
export interface Subject {
  readonly name: string;
  readonly id: string;
  readonly isArtifact: boolean;
  /** Digests of the files that it brought, by their paths: below /data of an image, or in the mount of an artifact. */
  readonly files: ReadonlyMap<string, string>;
}

export const SUBJECTS = ['one', 'other', 'chunked', 'chunked next', 'artifact'] as const;
export type SubjectName = (typeof SUBJECTS)[number];
export type Subjects = Readonly<Record<SubjectName, Subject>>;

const MEGABYTE = 1 << 20;
const FILES_A_LAYER = 150;
const PIECES = 20;
const PIECE_BYTES = MEGABYTE / 4;
/** Of a tar's end mark. */
const END_BYTES = 1024;
const CONFIG = { Env: ['PATH=/bin'], Cmd: ['sleep', '3600'] };

const hex = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Bytes that do not compress, the same for each run of a seed. */
function noise(random: () => number, sizeBytes: number): Buffer {
  const data = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) data.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return data;
}

/** The entries of a layer: one large file, many small ones with links among them; `sums` gets what must be seen of them. */
function entriesOf(name: string, large: Buffer, sums: Map<string, string>): TarEntry[] {
  const entries: TarEntry[] = [
    { path: `data/${name}`, kind: 'directory', mode: 0o750, uid: 7, gid: 8 },
    { path: `data/${name}/large`, kind: 'file', data: large, mode: 0o640, mtime: 1_000_000_000 },
    { path: `data/${name}/link`, kind: 'hardlink', linkTarget: `data/${name}/large`, mode: 0o640, mtime: 1_000_000_000 },
    { path: `data/${name}/pointer`, kind: 'symlink', linkTarget: 'large' },
  ];
  for (const path of [`${name}/large`, `${name}/link`, `${name}/pointer`]) sums.set(path, hex(large));
  for (let number = 0; number < FILES_A_LAYER; number += 1) {
    const data = Buffer.from(`${name} ${number}`);
    entries.push({ path: `data/${name}/${number}`, kind: 'file', data });
    sums.set(`${name}/${number}`, hex(data));
  }
  return entries;
}

/** Makes all of them and pushes them. @param scratch for an archive on the way. */
export async function pushSubjects(registry: TestRegistry, scratch: string, seed: number): Promise<Subjects> {
  const random = seededRandom(seed);
  const base = await busyboxLayer();
  const layer = async (name: string, compression: LayerCompression, megabytes: number, sums: Map<string, string>): Promise<ImageLayer> =>
    await makeLayer(entriesOf(name, noise(random, megabytes * MEGABYTE), sums), compression);

  const shared = new Map<string, string>();
  const lower = [base, await layer('shared', 'gzip', 3, shared)];
  const push = async (repository: string, layers: readonly ImageLayer[], files: Map<string, string>): Promise<Subject> => {
    const { imageId } = await registry.push({ layers, config: CONFIG }, repository, ['1']);
    return { name: `${registry.host}/${repository}:1`, id: imageId, isArtifact: false, files };
  };
  const ofOne = new Map(shared);
  const one = [...lower, await layer('zstd', 'zstd', 4, ofOne), await layer('plain', 'none', 2, ofOne)];
  // It takes a file of the shared layer away and replaces another.
  const changes: TarEntry[] = [
    { path: 'data/shared/.wh.link', kind: 'file' },
    { path: 'data/shared/0', kind: 'file', data: 'changed' },
  ];
  one.push(await makeLayer(changes, 'gzip'));
  ofOne.delete('shared/link');
  ofOne.set('shared/0', hex(Buffer.from('changed')));
  const ofOther = new Map(shared);
  const other = [...lower, await layer('other', 'gzip', 2, ofOther)];

  return {
    one: await push('kills/one', one, ofOne),
    other: await push('kills/other', other, ofOther),
    ...(await pushChunked(registry, scratch, base, random)),
    artifact: await pushModel(registry, random),
  };
}

/** Two versions of an image of which one file in {@link PIECES} differs, their layers zstd:chunked as skopeo writes them. */
async function pushChunked(
  registry: TestRegistry,
  scratch: string,
  base: ImageLayer,
  random: () => number,
): Promise<Pick<Subjects, 'chunked' | 'chunked next'>> {
  const pieces = Array.from({ length: PIECES }, () => noise(random, PIECE_BYTES));
  const push = async (tag: string): Promise<Subject> => {
    const entries = pieces.map((data, index) => ({ path: `data/piece-${index}`, kind: 'file' as const, data }));
    // One layer with busybox in it: skopeo takes a layer that the registry has without saying that it is chunked.
    const tar = Buffer.concat([makeTar(entries).subarray(0, -END_BYTES), base.tar]);
    const layers = [{ tar, blob: tar, diffId: sha256(tar), digest: sha256(tar), compression: 'none' as const }];
    const image = { name: 'localhost/chunked:1', layers, config: CONFIG };
    const archive = join(scratch, `chunked-${tag}.tar`);
    await writeFile(archive, ociArchive([image]));
    const name = `${registry.host}/kills/chunked:${tag}`;
    const options = ['--dest-tls-verify=false', '--dest-compress-format', 'zstd:chunked'];
    await execa('skopeo', ['--insecure-policy', 'copy', ...options, `oci-archive:${archive}`, `docker://${name}`]);
    const files = new Map(pieces.map((data, index) => [`piece-${index}`, hex(data)]));
    return { name, id: digestsOf(image).imageId, isArtifact: false, files };
  };
  const chunked = await push('1');
  pieces[PIECES >> 1] = noise(random, PIECE_BYTES);
  return { chunked, 'chunked next': await push('2') };
}

async function pushModel(registry: TestRegistry, random: () => number): Promise<Subject> {
  const weights = noise(random, 3 * MEGABYTE);
  const files = [
    { name: 'model-1.safetensors', data: weights },
    { name: 'model-2.safetensors', data: noise(random, 2 * MEGABYTE) },
    { name: 'deep/down/copy.safetensors', data: weights },
    { name: 'deep/tokenizer.json', data: Buffer.from('{"a":1}') },
    ...Array.from({ length: 8 }, (_, index) => ({ name: `small/${index}`, data: Buffer.from(`small ${index}`) })),
  ];
  const id = await pushArtifact(files, { registry: registry.url, repository: 'kills/model', tags: ['1'] });
  const sums = new Map(files.map(({ name, data }) => [name, hex(data)]));
  return { name: `${registry.host}/kills/model:1`, id, isArtifact: true, files: sums };
}
