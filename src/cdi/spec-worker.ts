// Entry of the thread that reads CDI spec files, started by spec-thread.ts: the YAML library is loaded here alone.
import { readFileSync, statSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { parseDocument } from './parse-document.ts';
import { readSpec } from './read-spec.ts';
import type { ReadFile } from './spec-thread.ts';

/** A spec of eight graphics cards in seven parts each has 60 KB. */
const FILE_LIMIT_BYTES = 8 * 1024 * 1024;

function readFile(path: string): ReadFile {
  let document: unknown;
  try {
    // eslint-disable-next-line no-restricted-syntax -- a thread of its own; asynchronous calls would take one of libuv's four from the daemon
    const stats = statSync(path);
    if (!stats.isFile()) return { path, error: 'it is not a regular file' };
    if (stats.size > FILE_LIMIT_BYTES) return { path, error: `it has ${stats.size} bytes, must have at most ${FILE_LIMIT_BYTES}` };
    // eslint-disable-next-line no-restricted-syntax -- as above
    document = parseDocument(readFileSync(path, 'utf8'));
    return { path, spec: readSpec(document) };
  } catch (error) {
    const kind = new Field(document, '').asObject()?.at('kind').asText();
    return { path, error: messageOf(error), ...(kind === undefined ? {} : { kind }) };
  }
}

parentPort?.on('message', (path: string) => {
  parentPort?.postMessage(readFile(path));
});
