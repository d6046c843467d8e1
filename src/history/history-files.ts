import { mkdir, open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../base/deadline.ts';
import { unlessMissing } from '../base/errors.ts';

const READ_BYTES = 256 * 1024;
/** A longer line is none of ours, bytes. */
const MOST_LINE_BYTES = 1024 * 1024;
const LINE_FEED = 10;

/** Two files of lines, of which the newer one is appended to; where it is full, it takes the place of the older one. */
export class HistoryFiles {
  readonly #directory: string;
  readonly #mostBytes: number;
  /** Of the newer file; undefined until it is known. */
  #sizeBytes: number | undefined;

  /** @param mostBytes of both together. */
  constructor(directory: string, mostBytes: number) {
    this.#directory = directory;
    this.#mostBytes = mostBytes;
  }

  /**
   * Adds whole lines. Nothing is flushed, and no file stays open: one that is open for writing keeps its mount from being made
   * read-only. After a failure the next call begins anew.
   */
  async append(lines: string): Promise<void> {
    const bytes = Buffer.from(lines);
    try {
      if (this.#sizeBytes !== undefined && this.#sizeBytes + bytes.length > this.#mostBytes / 2) await this.#rotate();
      const file = await open(this.#newer, 'a', 0o600).catch(async () => this.#openFirst());
      try {
        this.#sizeBytes ??= await endLine(file);
        await file.appendFile(bytes);
        this.#sizeBytes += bytes.length;
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#sizeBytes = undefined;
      throw error;
    }
  }

  /** The lines that have one of `texts` in them, oldest first. @throws the signal's reason. */
  async *lines(texts: readonly string[], signal?: AbortSignal): AsyncGenerator<string> {
    // Both are opened before one is read: a rotation meanwhile changes nothing then.
    const files = await Promise.all([this.#older, this.#newer].map(async (path) => unlessMissing(open(path, 'r'), undefined)));
    const wanted = texts.map((text) => Buffer.from(text));
    try {
      for (const file of files) if (file !== undefined) yield* linesOf(file, wanted, signal);
    } finally {
      for (const file of files) await file?.close();
    }
  }

  async #openFirst(): Promise<FileHandle> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    return open(this.#newer, 'a', 0o600);
  }

  async #rotate(): Promise<void> {
    await rename(this.#newer, this.#older);
    this.#sizeBytes = undefined;
  }

  get #newer(): string {
    return join(this.#directory, 'operations.jsonl');
  }

  get #older(): string {
    return join(this.#directory, 'operations.old.jsonl');
  }
}

/** A daemon that was killed may have left a line without an end. @returns the size. */
async function endLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  await file.appendFile('\n');
  return size + 1;
}

async function* linesOf(file: FileHandle, wanted: readonly Buffer[], signal: AbortSignal | undefined): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for (let at = 0; ;) {
    if (signal?.aborted === true) throw reasonOf(signal);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    const piece = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = piece.indexOf(LINE_FEED); end !== -1; end = piece.indexOf(LINE_FEED, start)) {
      const line = piece.subarray(start, end);
      start = end + 1;
      if (wanted.some((text) => line.includes(text))) yield line.toString();
    }
    const left = piece.subarray(start);
    rest = left.length > MOST_LINE_BYTES ? Buffer.alloc(0) : left;
  }
}
