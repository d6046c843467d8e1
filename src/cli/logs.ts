import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { ContainerState } from '../../api/cri/enums.ts';
import type { Container } from '../../api/cri/runtime.ts';
import { hasErrno, messageOf } from '../base/errors.ts';
import { CriError } from './cri-client.ts';
import type { CriClient } from './cri-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { listObjects, nameOf, oneContainerOf, shortId } from './find-object.ts';
import type { FoundContainer, Objects } from './find-object.ts';
import { followLog, readToEnd } from './follow-log.ts';
import type { LogReader } from './follow-log.ts';
import { written } from './io.ts';
import type { CliIo } from './io.ts';
import { LogParser } from './log-parser.ts';
import type { LogStream } from './log-parser.ts';
import { tailStart } from './log-tail.ts';

export interface LogOptions {
  readonly follow: boolean;
  /** How many of the last lines; undefined: all. */
  readonly tail: number | undefined;
  /** Unix time, milliseconds. */
  readonly sinceMs: number | undefined;
  readonly timestamps: boolean;
  /** Of the attempt before. */
  readonly previous: boolean;
}

/** How often a daemon is asked whether a followed container has ended, milliseconds. */
const ASK_EVERY_MS = 1000;

/** Prints what a container has written: its stdout on ours, its stderr on ours. */
export async function printLog(runtime: CriClient['runtime'], words: string, options: LogOptions, io: CliIo): Promise<void> {
  const objects = await listObjects(runtime);
  const found = oneContainerOf(objects, words);
  const container = options.previous ? attemptBefore(objects, found) : found.container;
  const { status } = await runtime.containerStatus({ containerId: container.id });
  const path = status?.logPath ?? '';
  const name = `container ${shortId(container.id)} (${nameOf({ ...found, container })})`;
  if (path === '') throw new CliError(EXIT.failed, `${name} has no log: it was made without a log path`);
  const file = await openLog(path, name);
  await print(file, path, options, endOf(runtime, container.id), io);
}

async function print(file: FileHandle, path: string, options: LogOptions, isOver: () => Promise<boolean>, io: CliIo): Promise<void> {
  const { size } = await file.stat();
  const from = options.tail === undefined ? undefined : await tailStart(file, size, options.tail);
  const output = new Output(io);
  const parser = new LogParser({ ...options, from }, (stream, text) => {
    output.add(stream, text);
  });
  const reader: LogReader = {
    read: async (chunk, position) => {
      parser.push(chunk, position);
      await output.flush();
    },
    nextFile: () => {
      parser.nextFile();
    },
    missed: () => {
      io.stderr.write('podwright: logs: the log was rotated faster than it was read, lines are missing\n');
    },
  };
  const position = from === undefined ? 0 : Math.min(from.stdout, from.stderr);
  if (options.follow) await followLog(path, file, position, isOver, reader);
  else await readToEnd(file, position, reader).finally(() => file.close());
}

async function openLog(path: string, name: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    const why = hasErrno(error, 'ENOENT')
      ? `its log ${path} is not there: it was removed, or never begun`
      : `read its log: ${messageOf(error)}`;
    throw new CliError(EXIT.failed, `${name}: ${why}`, { cause: error });
  }
}

/** The newest of the earlier attempts at a container, in whichever sandbox of its pod. @throws {CliError} where there is none */
function attemptBefore({ pods, containers }: Objects, { container, pod }: FoundContainer): Container {
  const uid = pod?.metadata?.uid;
  const sandboxes = new Set(pods.filter(({ metadata }) => metadata?.uid === uid).map(({ id }) => id));
  const earlier = containers.filter(
    (each) =>
      (each.podSandboxId === container.podSandboxId || sandboxes.has(each.podSandboxId)) &&
      each.metadata?.name === container.metadata?.name &&
      each.createdAt < container.createdAt,
  );
  const [newest] = earlier.sort((a, b) => Number(b.createdAt - a.createdAt));
  if (newest !== undefined) return newest;
  throw new CliError(EXIT.failed, `of container ${shortId(container.id)} (${container.metadata?.name ?? ''}) there is no earlier attempt`);
}

/** Whether the container has ended; asked of the daemon once in a while. A daemon that is away says nothing of it. */
function endOf(runtime: CriClient['runtime'], containerId: string): () => Promise<boolean> {
  let askedAtMs = -Infinity;
  return async () => {
    const now = performance.now();
    if (now - askedAtMs < ASK_EVERY_MS) return false;
    askedAtMs = now;
    try {
      const { status } = await runtime.containerStatus({ containerId }, { timeoutMs: 10 * ASK_EVERY_MS });
      return status?.state === ContainerState.CONTAINER_EXITED;
    } catch (error) {
      if (error instanceof CriError) return error.code === 'NOT_FOUND';
      throw error;
    }
  };
}

/** What is to be written next, in order, however the streams alternate. */
class Output {
  readonly #io: CliIo;
  #pieces: { readonly stream: LogStream; readonly texts: Buffer[] }[] = [];

  constructor(io: CliIo) {
    this.#io = io;
  }

  /** The text is not copied: to be written before what it stands in is used again. */
  add(stream: LogStream, text: Buffer): void {
    const last = this.#pieces.at(-1);
    if (last?.stream === stream) last.texts.push(text);
    else this.#pieces.push({ stream, texts: [text] });
  }

  /** Resolves when all has been taken. @throws where the reader has gone */
  async flush(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const { stream, texts } of pieces) await written(this.#io[stream], Buffer.concat(texts));
  }
}
