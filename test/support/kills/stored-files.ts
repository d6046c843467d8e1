import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Times before this are those of an image's files. */
const BEGIN = Date.now();

/** One line for each file and directory: its path from the root, and all that two stores with the same images must agree on. */
export type StoredFiles = readonly string[];

/** Everything below a directory, byte for byte: kind, mode, owner, names, and the digest of the content. */
export async function storedFiles(root: string): Promise<StoredFiles> {
  const found: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      found.push(await describe(root, path));
      if (entry.isDirectory()) await walk(path);
    }
  };
  await walk(root);
  return found.sort();
}

async function describe(root: string, path: string): Promise<string> {
  const status = await lstat(path);
  const name = relative(root, path);
  const owner = `${status.mode.toString(8)} ${status.uid}:${status.gid}`;
  if (status.isSymbolicLink()) return `${name} ${owner} -> ${await readlink(path)}`;
  if (!status.isFile()) return `${name} ${owner}`;
  const content = comparable(name, await readFile(path));
  const time = status.mtimeMs < BEGIN ? `, of ${status.mtimeMs}` : '';
  return `${name} ${owner} ${content.length} bytes, ${status.nlink} names${time}, ${createHash('sha256').update(content).digest('hex')}`;
}

/** Records without what says when they were made; the digest of a tree has the times of directories that no layer describes. */
function comparable(name: string, content: Buffer): Buffer {
  if (!/^images\/[0-9a-f]{64}\.json$|^layers\/[0-9a-f]{16}\/layer\.json$/.test(name)) return content;
  const { updatedAtMs, tree, ...rest } = JSON.parse(content.toString('utf8')) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...rest, has: [typeof updatedAtMs, typeof tree] }));
}

/** What a store has that should have the files of all of these. */
export function union(parts: readonly StoredFiles[]): StoredFiles {
  return [...new Set(parts.flat())].sort();
}
