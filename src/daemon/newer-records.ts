import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { mapSideBySide } from '../base/side-by-side.ts';
import { ATTACHMENT_VERSION } from '../cni/attachment-records.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { Config } from '../config/schema.ts';
import { CONTAINER_RECORD_VERSION } from '../container/container-store.ts';
import { IMAGE_RECORD_VERSION } from '../image/image-record.ts';
import { SANDBOX_RECORD_VERSION } from '../podsandbox/sandbox-store.ts';
import { LAYER_RECORD_VERSION } from '../storage/layer-record.ts';

/** Records of one kind. */
interface Kind {
  readonly directory: string;
  /** The newest version that this daemon reads. */
  readonly version: number;
  /** In which files of a directory of an object's they are; undefined: each is a file ending in `.json`. */
  readonly files?: readonly string[];
}

/** Every kind that a start reads. */
function kindsOf(layout: DiskLayout): readonly Kind[] {
  const own = ['record.json', 'state.json'];
  return [
    { directory: layout.sandboxRecords, version: SANDBOX_RECORD_VERSION, files: own },
    { directory: layout.containerRecords, version: CONTAINER_RECORD_VERSION, files: own },
    { directory: join(layout.cni, 'attachments'), version: ATTACHMENT_VERSION },
    { directory: join(layout.cni, 'pending'), version: ATTACHMENT_VERSION },
    { directory: layout.imageRecords, version: IMAGE_RECORD_VERSION },
    { directory: layout.layers, version: LAYER_RECORD_VERSION, files: ['layer.json'] },
    { directory: join(layout.layers, 'lazy'), version: LAYER_RECORD_VERSION },
  ];
}

/**
 * Refuses to start on records that a later version has written, before anything is changed: to set them aside, as damaged ones
 * are, would lose pods that the later version knows.
 * @throws {DaemonError} FailedPrecondition that says which record, and how to go back.
 */
export async function refuseNewerRecords(config: Config): Promise<void> {
  const layout = new DiskLayout(config);
  const last = (await unlessMissing(readFile(layout.lastVersion, 'utf8'), '')).trim();
  if (last === ownVersion(config)) return; // it has written nothing that we do not read
  const found = (await Promise.all(kindsOf(layout).map(newerOfKind))).flat();
  const [first] = found;
  if (first === undefined) return;
  const more = found.length === 1 ? '' : ` (and ${found.length - 1} other records)`;
  const who = last === '' ? 'A later podwright' : (last.split(',')[0] ?? '');
  throw new DaemonError(
    'FailedPrecondition',
    `serve: ${first.file}${more} is of version ${first.version}, podwright ${VERSION} reads up to ` +
      `${first.reads}. ${who} has worked on this root. Nothing was changed, and pods run on: start that version again. To go back for good, ` +
      'drain the node with it and remove its pods and images first (docs/operations.md, "Roll back").',
  );
}

/** Notes which version works on this root: a later start of the same need not look, and one that cannot has its name. */
export async function noteVersion(config: Config): Promise<void> {
  const { lastVersion } = new DiskLayout(config);
  const own = ownVersion(config);
  if ((await unlessMissing(readFile(lastVersion, 'utf8'), '')).trim() !== own) await writeFileAtomic(lastVersion, `${own}\n`);
}

/** `podwright 0.1.0, records 1.1.1.1.1.1.1`: a build between two releases may have the same name and other records. */
function ownVersion(config: Config): string {
  const versions = kindsOf(new DiskLayout(config)).map(({ version }) => version);
  return `podwright ${VERSION}, records ${versions.join('.')}`;
}

interface Newer {
  readonly file: string;
  readonly version: number;
  readonly reads: number;
}

async function newerOfKind({ directory, version: reads, files }: Kind): Promise<Newer[]> {
  const entries = await unlessMissing(readdir(directory), []);
  const all =
    files === undefined
      ? entries.filter((name) => name.endsWith('.json')).map((name) => join(directory, name))
      : entries.flatMap((name) => files.map((file) => join(directory, name, file)));
  const versions = await mapSideBySide(all, AT_ONCE, async (file) => ({ file, version: await versionOf(file) }));
  return versions.flatMap(({ file, version }) => (version !== undefined && version > reads ? [{ file, version, reads }] : []));
}

const AT_ONCE = 4;
/** Every record begins with its version. */
const VERSION_FIRST = /^\s*\{\s*"version":\s*(\d+)/;
const HEAD_BYTES = 64;

/** Undefined where there is no such file, or it has no version: its reader says what is wrong with it. */
async function versionOf(file: string): Promise<number | undefined> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const [, version] = VERSION_FIRST.exec(buffer.toString('latin1', 0, bytesRead)) ?? [];
      return version === undefined ? undefined : Number(version);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EIO', 'EUCLEAN')) return undefined;
    throw error;
  }
}
