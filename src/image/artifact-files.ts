import { fail } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { Descriptor, Manifest } from './oci-types.ts';

/** A file of an artifact, where it is in a mount of it. */
export interface ArtifactFile {
  /** Below the root of the mount, without `.` and `..`. */
  readonly name: string;
  readonly digest: Digest;
}

/** What gives a layer its name: OCI image spec, annotations.md; CNCF ModelPack model-spec, annotations.md. */
const NAMES = ['org.opencontainers.image.title', 'org.cncf.model.filepath'] as const;
/** NAME_MAX, limits.h. */
const MAX_PART_BYTES = 255;
const MAX_NAME_BYTES = 4096;
/** Directories and files that all titles may name, a directory each time: a manifest of 4 MB could ask for two millions. */
const MAX_PARTS = 100_000;

/**
 * The files that an artifact has by name, those of a directory together. Of two of one name the later one counts; a layer without a name cannot be seen in a
 * mount. Both are told in `notes`. @throws InvalidArgument for names that no tree can have, or that lead out of it.
 */
export function artifactFiles({ layers }: Pick<Manifest, 'layers'>, what: string): { files: ArtifactFile[]; notes: string[] } {
  const files = new Map<string, Digest>();
  let nameless = 0;
  let parts = 0;
  const replaced: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const given = nameOf(layer);
    if (given === undefined) {
      nameless += 1;
      continue;
    }
    const name = below(given, `${what}: layers[${index}] (${layer.digest})`);
    parts += partsOf(name);
    if (parts > MAX_PARTS)
      fail('InvalidArgument', `${what}: the titles of its layers have over ${MAX_PARTS} parts between slashes in all, must have no more`);
    const other = files.get(name);
    if (other !== undefined && other !== layer.digest) replaced.push(name);
    files.set(name, layer.digest);
  }
  const sorted = inOrder(files);
  checkNoFileIsDirectory(sorted, what);
  const notes = [
    ...(nameless === 0 ? [] : [`${nameless} of ${layers.length} layers of an artifact have no title and are not in its mounts`]),
    ...(replaced[0] === undefined ? [] : [`${replaced.length} files of an artifact are replaced by later ones of their names, the first is ${show(replaced[0])}`]),
  ]; // prettier-ignore
  return { files: sorted, notes };
}

function nameOf({ annotations }: Descriptor): string | undefined {
  for (const key of NAMES) {
    const name = annotations !== undefined && Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    if (typeof name === 'string' && name !== '') return name;
  }
  return undefined;
}

/** An absolute name counts from the root of the mount, as with CRI-O. */
function below(given: string, what: string): string {
  if (given.includes('\0')) fail('InvalidArgument', `${what}: its title ${show(given)} has a NUL character, must not`);
  const isTooLong = (): never =>
    fail('InvalidArgument', `${what}: its title ${show(given)} is too long, must have at most ${MAX_PART_BYTES} bytes between slashes`);
  if (Buffer.byteLength(given) > MAX_NAME_BYTES) isTooLong();
  const parts: string[] = [];
  for (const part of given.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) fail('InvalidArgument', `${what}: its title ${show(given)} leads out of the artifact, must not`);
  }
  if (parts.length === 0) fail('InvalidArgument', `${what}: its title ${show(given)} names no file`);
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) isTooLong();
  return parts.join('/');
}

function partsOf(name: string): number {
  let parts = 1;
  for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) parts += 1;
  return parts;
}

/** Sorted so that what is below a name comes right behind it. */
function inOrder(files: ReadonlyMap<string, Digest>): ArtifactFile[] {
  const keyed = [...files].map(([name, digest]) => ({ key: name.replaceAll('/', '\0'), file: { name, digest } }));
  keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
  return keyed.map(({ file }) => file);
}

/** @param files in order, each name once. */
function checkNoFileIsDirectory(files: readonly ArtifactFile[], what: string): void {
  for (const [index, { name }] of files.entries()) {
    const next = files[index + 1]?.name;
    if (next?.startsWith(`${name}/`) === true)
      fail('InvalidArgument', `${what}: it has a file ${show(name)} and a file ${show(next)} below it, must not`);
  }
}

function show(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
}
