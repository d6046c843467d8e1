// Entry of the storage worker thread, started by storage-workers.ts.
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import { openDirectory, syncFileSystem } from '../linux/at-calls.ts';
import { close } from '../linux/libc.ts';
import { measureTree } from '../linux/measure-tree.ts';
import { removeTreeAt } from '../linux/remove-tree.ts';
import { listChunks, planChunks } from './chunks/plan-chunks.ts';
import { unpackChunks } from './chunks/unpack-chunks.ts';
import { FollowedFile } from './followed-file.ts';
import { describeLike, inheritImplied } from './implied-directories.ts';
import { digestFile, digestTree, sumTree } from './tree-digest.ts';
import { unpack } from './unpack.ts';
import type { FromWorker, JobKind, JobRequest, Jobs, ToWorker } from './worker-protocol.ts';

interface Running {
  readonly controller: AbortController;
  file?: FollowedFile;
}

const running = new Map<number, Running>();

async function runUnpack({ source, directory, expected }: Jobs['unpack']['request'], job: Running): Promise<Jobs['unpack']['result']> {
  const file = new FollowedFile(source, expected.sizeBytes);
  job.file = file;
  try {
    const unpacked = await unpack(file, directory, expected, job.controller.signal);
    return { ...unpacked, tree: unpacked.tree ?? (await stepwise(sumTree(directory), job.controller.signal)) };
  } finally {
    file.close();
  }
}

async function runUnpackChunks(request: Jobs['unpackChunks']['request'], job: Running): Promise<Jobs['unpack']['result']> {
  const file = new FollowedFile(request.source);
  job.file = file;
  try {
    return await unpackChunks(file, request, job.controller.signal);
  } finally {
    file.close();
  }
}

/** Pieces of 256 KiB. */
const PIECES_BETWEEN_TURNS = 16;

async function runHash(source: string, job: Running): Promise<Digest> {
  const file = new FollowedFile(source);
  job.file = file;
  const hash = createHash('sha256');
  try {
    for (let pieces = 1; ; pieces += 1) {
      const piece = await file.next(job.controller.signal);
      if (piece.length === 0) break;
      hash.update(piece);
      if (pieces % PIECES_BETWEEN_TURNS === 0) await nextTurn(); // for other jobs, and for the end of this one
    }
    return `sha256:${hash.digest('hex')}` as Digest;
  } finally {
    file.close();
  }
}

/** Runs a generator to its end, and lets other jobs of this thread in at its pauses. */
async function stepwise<T>(steps: Generator<void, T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await nextTurn();
    signal.throwIfAborted();
  }
}

async function runRemove({ parent, name }: Jobs['remove']['request'], signal: AbortSignal): Promise<void> {
  const fd = openDirectory(parent);
  try {
    await stepwise(removeTreeAt(fd, name), signal);
  } finally {
    close(fd);
  }
}

async function run(request: JobRequest, job: Running): Promise<Jobs[JobKind]['result']> {
  switch (request.kind) {
    case 'unpack':
      return await runUnpack(request, job);
    case 'listChunks':
      await listChunks(request, job.controller.signal);
      return undefined;
    case 'planChunks':
      return await planChunks(request, job.controller.signal);
    case 'unpackChunks':
      return await runUnpackChunks(request, job);
    case 'hash':
      return await runHash(request.source, job);
    case 'inherit':
      return inheritImplied(request.layer, request.implied, request.lower, request.tree);
    case 'describe':
      describeLike(request.source, request.target, request.user);
      return undefined;
    case 'sync':
      syncFileSystem(request.fd);
      return undefined;
    case 'remove':
      await runRemove(request, job.controller.signal);
      return undefined;
    case 'digestTree':
      return await stepwise(digestTree(request.path), job.controller.signal);
    case 'digestFile':
      return await stepwise(digestFile(request.path), job.controller.signal);
    case 'measure':
      return await stepwise(measureTree(request.path), job.controller.signal);
  }
}

function answer(message: FromWorker): void {
  parentPort?.postMessage(message);
}

async function start(id: number, request: JobRequest): Promise<void> {
  const job: Running = { controller: new AbortController() };
  running.set(id, job);
  try {
    answer({ is: 'done', job: id, result: await run(request, job) });
  } catch (error) {
    const { code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
    answer({ is: 'failed', job: id, kind: kindOf(error), message: messageOf(error), code: typeof code === 'string' ? code : undefined });
  } finally {
    running.delete(id);
  }
}

parentPort?.on('message', (message: ToWorker) => {
  if (message.is === 'start') {
    void start(message.job, message.request);
    return;
  }
  const job = running.get(message.job);
  if (message.is === 'cancel') job?.controller.abort(new DaemonError('Canceled', 'unpack layer: cancelled'));
  else if (message.complete) job?.file?.complete(message.sizeBytes);
  else job?.file?.grownTo(message.sizeBytes);
});
