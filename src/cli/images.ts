import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ArchiveFormat, ImageReport } from '../admin/reports.ts';
import { messageOf, unlessMissing } from '../base/errors.ts';
import type { AdminClient } from './admin-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { sizeText, table } from './io.ts';
import type { CliIo } from './io.ts';

/** `image load FILE|-`: prints the id and names of each image on standard output, progress on standard error. */
export async function loadImages(client: AdminClient, file: string, io: CliIo): Promise<void> {
  const archive = file === '-' ? io.stdin : await openFile(file);
  const images = await client.loadImages(archive, (message) => {
    io.stderr.write(`${message}\n`);
  });
  for (const image of images) io.stdout.write(`${image.id} ${image.names.join(' ')}`.trimEnd() + '\n');
}

async function openFile(file: string): Promise<Readable> {
  try {
    return (await open(file)).createReadStream();
  } catch (error) {
    throw new CliError(EXIT.failed, messageOf(error), { cause: error });
  }
}

/** `image save REF...`: to standard output, or to a file that is there only when it is whole. */
export async function saveImages(
  client: AdminClient,
  references: readonly string[],
  format: ArchiveFormat,
  output: string | undefined,
  io: CliIo,
): Promise<void> {
  if (output === undefined) {
    if (io.stdout.isTTY === true) throw new CliError(EXIT.usage, 'image save: standard output is a terminal, give -o FILE or redirect it');
    await client.saveImages(references, format, io.stdout);
    return;
  }
  const present = await unlessMissing(stat(output), undefined);
  if (present !== undefined && !present.isFile()) {
    await client.saveImages(references, format, createWriteStream(output)); // a device or a pipe
    return;
  }
  const partial = `${output}.${process.pid}.part`;
  try {
    await client.saveImages(references, format, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** `image list` */
export function imagesText(images: readonly ImageReport[]): string {
  const rows = images.map(({ id, names, sizeBytes }) => [
    id.replace('sha256:', '').slice(0, 12),
    sizeText(sizeBytes),
    names.join(' ') || '(no name)',
  ]);
  return table([['ID', 'SIZE', 'NAMES'], ...rows]);
}
