import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { PART_LIMIT_BYTES, type Part } from './part.ts';
import { redactRecord } from './redact.ts';

/** Most objects of a kind, the newest, and fewer where these fill the part; and bytes of one file. */
const MOST_OBJECTS = 300;
const FILE_LIMIT_BYTES = 256 * 1024;
const RECORDS_MS = 8_000;

function part(file: string, what: string, directoryOf: (layout: DiskLayout) => string): Part {
  return {
    file,
    what: `${what}; of texts only those that can hold no secret`,
    limitMs: RECORDS_MS,
    isLate: true,
    read: async ({ config }) => `${JSON.stringify(await readRecords(directoryOf(new DiskLayout(config))), undefined, 1)}\n`,
  };
}

export const recordParts: readonly Part[] = [
  part('records/sandboxes.json', 'the records of pod sandboxes', (layout) => layout.sandboxRecords),
  part('records/containers.json', 'the records of containers', (layout) => layout.containerRecords),
  part('records/attachments.json', 'what CNI plugins have attached', (layout) => join(layout.cni, 'attachments')),
  part('records/pending.json', 'attachments that are still to be released', (layout) => join(layout.cni, 'pending')),
  part('records/bad.json', 'records that were set aside', (layout) => layout.bad),
];

/** The JSON files of a directory, and of those in it, by name. */
async function readRecords(directory: string): Promise<Record<string, unknown>> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), []);
  const dated: { entry: Dirent; at: number }[] = [];
  // One after the other: each may hang, and keep a thread (bin/podwright).
  for (const entry of entries) {
    const { mtimeMs: at } = await stat(join(directory, entry.name)).catch(() => ({ mtimeMs: 0 }));
    dated.push({ entry, at });
  }
  dated.sort((one, other) => other.at - one.at);
  const found: Record<string, unknown> = {};
  let [objects, bytes] = [0, 0];
  for (const { entry } of dated.slice(0, MOST_OBJECTS)) {
    if (bytes >= PART_LIMIT_BYTES) break;
    objects += 1;
    const path = join(directory, entry.name);
    const files = entry.isDirectory() ? (await unlessMissing(readdir(path), [])).map((name) => join(path, name)) : [path];
    for (const file of files.filter((name) => /\.(json|result|corrupt)$/.test(name)).slice(0, 8)) {
      const record = await readRecord(file);
      found[file.slice(directory.length + 1)] = record.told;
      bytes += record.bytes;
    }
  }
  if (objects < dated.length) found['left out'] = `${dated.length - objects} older ones`;
  return found;
}

/** What may be told of a record, and how many bytes were read for that. */
async function readRecord(path: string): Promise<{ readonly told: unknown; readonly bytes: number }> {
  let bytes = 0;
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(FILE_LIMIT_BYTES), 0, FILE_LIMIT_BYTES, 0);
      bytes = bytesRead;
      const told = bytes === 0 ? '(empty)' : redactRecord(JSON.parse(buffer.toString('utf8', 0, bytes)));
      return { told, bytes };
    } finally {
      await file.close();
    }
  } catch (error) {
    // What JSON.parse says repeats some of the text.
    return { told: error instanceof SyntaxError ? '(no JSON)' : `(${messageOf(error)})`, bytes };
  }
}
