import { open, stat, statfs } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { waitFor } from '../base/deadline.ts';
import { DaemonError, fail, unlessMissing } from '../base/errors.ts';
import { ended } from '../linux/pipes.ts';
import { PLAIN_ENVIRONMENT, killGroup, run, spawn } from '../linux/spawn.ts';
import { detectCompression, MAGIC_BYTES } from '../storage/decompress.ts';
import { DAY_MS } from './checkpoint-capture.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import type { CheckpointOrigin } from './container.ts';

/** Of a file system, what an unpacked checkpoint leaves free, per cent: below this the kubelet evicts pods (nodefs.available). */
const LEFT_FREE_PERCENT = 10;
/** What each entry of an archive counts for at least, bytes: a header, and a block of the file system. */
const ENTRY_BYTES = 4096;
/** What an archive may grow by between its measure and its unpacking, bytes. */
const SLACK_BYTES = 1024 * 1024;
const RECORD_BYTES = 10_240;
/** As much of a line of tar's list as is looked at, characters: an entry's name may be of any length. */
const LOOKED_AT = 256;

/**
 * Puts the files of a checkpoint into an empty directory of ours. They come from a tenant, who may say of a few bytes that they are a
 * terabyte: they are added up first, and may take no more than is there without evicting pods.
 * @throws InvalidArgument for what cannot be unpacked, ResourceExhausted for what is too large.
 */
export async function unpackCheckpoint(origin: CheckpointOrigin, directory: string, signal: AbortSignal): Promise<void> {
  const room = await roomAt(dirname(directory));
  if (origin.archive !== undefined) {
    const bytes = await measureArchive(origin.archive, room, signal);
    await unpackArchive(origin.archive, directory, bytes + SLACK_BYTES, signal);
  } else if (origin.directory !== undefined) {
    await copyDirectory(origin.directory, directory, room, signal);
  }
}

/** What was written is unpacked once more, into the writable layer. @throws ResourceExhausted, InvalidArgument where it is compressed. */
export async function checkChanges({ changes }: CheckpointFiles, place: string): Promise<void> {
  const found = await unlessMissing(stat(changes), undefined);
  if (found === undefined) return;
  const room = await roomAt(place);
  if (found.size > room) refuseSize(basename(changes), room);
  const file = await open(changes);
  try {
    const { buffer } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    // Neither peer compresses it, and a kilobyte of gzip may be a megabyte.
    if (detectCompression(buffer) !== 'none') fail('InvalidArgument', `create container: ${basename(changes)} in the checkpoint is compressed, must be a plain tar`); // prettier-ignore
  } finally {
    await file.close();
  }
}

/** Bytes that may be written to the file system that a directory of ours is on. */
async function roomAt(directory: string): Promise<number> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return Math.max(0, Math.floor(bsize * (bavail - (blocks * LEFT_FREE_PERCENT) / 100)));
}

function refuseSize(what: string, room: number): never {
  return fail(
    'ResourceExhausted',
    `create container: checkpoint ${what} unpacks to more than ${room} bytes, which is what may be written before less than ${LEFT_FREE_PERCENT} % of the disk are free`,
  );
}

/** What an archive unpacks to, bytes: of a sparse file its length, of a compressed one what it says. It is read to the end, or to `most`. */
export async function measureArchive(archive: string, most: number, signal: AbortSignal): Promise<number> {
  const child = spawn('tar', {
    args: ['--list', '--verbose', '--numeric-owner', '--force-local', `--file=${archive}`],
    env: PLAIN_ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    newSession: true,
  });
  const [, stdout, stderr] = child.pipes;
  const seen = { bytes: 0, isOver: false };
  let rest = '';
  let words = '';
  stdout?.on('data', (piece: Buffer) => {
    const lines = (rest + piece.toString('latin1')).split('\n');
    rest = (lines.pop() ?? '').slice(0, LOOKED_AT);
    for (const line of lines) seen.bytes += ENTRY_BYTES + sizeOf(line);
    if (seen.bytes <= most || seen.isOver) return;
    seen.isOver = true;
    // Not reaped before its output has ended, which it has not.
    killGroup(child.pid);
  });
  stderr?.on('data', (piece: Buffer) => {
    words = (words + piece.toString()).slice(-500);
  });
  const closed = Promise.all([stdout, stderr].map(async (pipe) => pipe && ended(pipe)));
  try {
    const [exit] = await waitFor(Promise.all([child.exit, closed]), signal);
    if (seen.isOver) refuseSize(archive, most);
    if (exit.code !== 0) fail('InvalidArgument', `create container: image ${archive} cannot be read: ${words.trim()}`);
    return seen.bytes;
  } catch (error) {
    if (signal.aborted) killGroup(child.pid);
    throw error;
  } finally {
    stdout?.destroy();
    stderr?.destroy();
  }
}

/** Of a line of tar: `-rw------- 0/0  4096 2026-01-01 00:00 name`. Devices have two numbers there, and no size. */
function sizeOf(line: string): number {
  const size = /^\S+ +\S+ +(\d+) /.exec(line)?.[1];
  return size === undefined ? 0 : Number(size);
}

/**
 * GNU tar lets no entry out of the directory. The archive may lie where its owner can change it, so what was added up is held to: no
 * file is larger, and tar is ended where it has read more.
 */
export async function unpackArchive(archive: string, directory: string, most: number, signal: AbortSignal): Promise<void> {
  const script =
    'mkdir -p -m 0700 -- "$2" && ulimit -f "$3" && exec tar --extract --force-local --file="$1" --directory="$2" --no-same-owner --checkpoint="$4" --checkpoint-action=exec=\'kill $PPID\'';
  const limits = [String(Math.ceil(most / 512)), String(Math.ceil(most / RECORD_BYTES) + 1)];
  const { exit, stderr } = await run('sh', { args: ['-c', script, 'sh', archive, directory, ...limits], timeoutMs: DAY_MS, signal });
  if (exit.code === 0) return;
  const words = exit.code === undefined ? 'it has grown while it was read' : stderr.toString().trim().slice(0, 500);
  throw new DaemonError('InvalidArgument', `create container: image ${archive} cannot be unpacked: ${words}`);
}

/** The source is not changed, so nothing is linked. */
async function copyDirectory(source: string, directory: string, room: number, signal: AbortSignal): Promise<void> {
  const du = await run('du', {
    args: ['--summarize', '--apparent-size', '--block-size=1', '--', source],
    env: PLAIN_ENVIRONMENT,
    timeoutMs: DAY_MS,
    signal,
  });
  if (!(Number.parseInt(du.stdout.toString(), 10) <= room)) {
    if (du.exit.code === 0) refuseSize(source, room);
    fail('InvalidArgument', `create container: checkpoint ${source} cannot be read: ${du.stderr.toString().trim().slice(0, 500)}`);
  }
  const script = 'umask 077; ulimit -f "$3" && exec cp --recursive --no-dereference --reflink=auto --no-target-directory -- "$1" "$2"';
  const { exit, stderr } = await run('sh', {
    args: ['-c', script, 'sh', source, directory, String(Math.ceil(room / 512))],
    timeoutMs: DAY_MS,
    signal,
  });
  if (exit.code !== 0) fail('InvalidArgument', `create container: checkpoint ${source} cannot be copied: ${stderr.toString().trim().slice(0, 500)}`); // prettier-ignore
}
