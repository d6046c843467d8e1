import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Readable, Writable } from 'node:stream';
import { hasErrno, isSystemError, messageOf } from '../base/errors.ts';
import type { Explanation } from '../base/explanation.ts';
import type { LeakFixReport } from '../admin/debug-reports.ts';
import { FAILURE_TRAILER } from '../admin/reports.ts';
import type { ImageDetailReport, PruneReport } from '../admin/image-reports.ts';
import type {
  ArchiveFormat,
  FailureReport,
  ImageReport,
  LayerReport,
  LeakReport,
  LoadEvent,
  ResolveReport,
  StatusReport,
} from '../admin/reports.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** Not imported: for that, Node would load its fetch as well, which takes longer than most commands. */
const { request } = process.getBuiltinModule('node:http');

/** A client of the daemon's admin socket. Every method throws {@link CliError}: no daemon, or the daemon's own words. */
export class AdminClient {
  readonly #socketPath: string;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends every call that has not ended by then */
  constructor(socketPath: string, signal?: AbortSignal) {
    this.#socketPath = socketPath;
    this.#signal = signal;
  }

  async status(): Promise<StatusReport> {
    return (await this.#getJson('/v1/status')) as StatusReport;
  }

  async leaks(): Promise<LeakReport> {
    return (await this.#getJson('/v1/leaks')) as LeakReport;
  }

  async fixLeaks(): Promise<LeakFixReport> {
    return JSON.parse(await readAll(await this.#send('POST', '/v1/leaks/fix'))) as LeakFixReport;
  }

  async explain(object: string): Promise<Explanation> {
    return (await this.#getJson(`/v1/explain?${new URLSearchParams({ object }).toString()}`)) as Explanation;
  }

  async images(): Promise<readonly ImageReport[]> {
    return (await this.#getJson('/v1/images')) as readonly ImageReport[];
  }

  async resolveImage(name: string): Promise<ResolveReport> {
    return (await this.#getJson(`/v1/images/resolve?${new URLSearchParams({ ref: name }).toString()}`)) as ResolveReport;
  }

  /** The lines of an answer as they come; `signal` closes the connection. */
  async *events<Event>(method: 'GET' | 'POST', path: string, signal: AbortSignal): AsyncGenerator<Event> {
    const response = await this.#send(method, path, undefined, signal);
    try {
      yield* eventsOf<Event>(response);
    } catch (error) {
      throw error instanceof CliError ? error : new CliError(EXIT.failed, `the daemon broke off: ${messageOf(error)}`, { cause: error });
    } finally {
      response.destroy();
    }
  }

  async inspectImage(reference: string): Promise<ImageDetailReport> {
    return (await this.#json('GET', `/v1/images/inspect?${queryOf({ ref: reference })}`)) as ImageDetailReport;
  }

  async removeImage(reference: string): Promise<ImageReport> {
    return (await this.#json('POST', `/v1/images/remove?${queryOf({ ref: reference })}`)) as ImageReport;
  }

  async pruneImages(isDryRun: boolean): Promise<PruneReport> {
    return (await this.#json('POST', `/v1/images/prune?dry_run=${isDryRun}`)) as PruneReport;
  }

  /** @param reference undefined: all. */
  async verifyImages(reference: string | undefined, isToRepair: boolean): Promise<readonly LayerReport[]> {
    const query = queryOf({ repair: String(isToRepair), ...(reference === undefined ? {} : { ref: reference }) });
    return (await this.#json('POST', `/v1/images/verify?${query}`)) as readonly LayerReport[];
  }

  /** Sends an archive; `progress` sees the daemon's words as they come. Returns the images that were in it. */
  async loadImages(archive: Readable, progress: (message: string) => void): Promise<readonly ImageReport[]> {
    const images: ImageReport[] = [];
    const response = await this.#send('POST', '/v1/images/load', archive);
    try {
      for await (const event of eventsOf<LoadEvent>(response)) {
        if (event.event === 'progress') progress(event.message);
        else if (event.event === 'image') images.push(event.image);
        else if (event.event === 'done') return images;
        else throw new CliError(EXIT.failed, event.message);
      }
    } catch (error) {
      archive.destroy();
      throw error instanceof CliError ? error : readFailure(archive.errored ?? error);
    }
    throw new CliError(EXIT.failed, 'image load: the daemon broke off before it was done');
  }

  /** Writes the archive of images to `target`. */
  async saveImages(references: readonly string[], format: ArchiveFormat, target: Writable): Promise<void> {
    const query = new URLSearchParams([...references.map((reference): [string, string] => ['ref', reference]), ['format', format]]);
    const response = await this.#send('GET', `/v1/images/save?${query.toString()}`);
    try {
      await pipeline(response, target);
    } catch (error) {
      throw new CliError(EXIT.failed, `image save: ${messageOf(error)}`, { cause: error });
    }
    const failure = response.trailers[FAILURE_TRAILER];
    if (failure !== undefined) throw new CliError(EXIT.failed, decodeURIComponent(failure));
  }

  /** Writes what the daemon answers to `target`. */
  async download(method: 'GET' | 'POST', path: string, target: Writable): Promise<void> {
    const response = await this.#send(method, path);
    try {
      await pipeline(response, target);
    } catch (error) {
      if (isSystemError(error) && error.code !== 'ECONNRESET') throw error; // of the target
      throw new CliError(EXIT.failed, `the daemon broke off before it was done: ${messageOf(error)}`, { cause: error });
    }
  }

  async #getJson(path: string): Promise<unknown> {
    return await this.#json('GET', path);
  }

  async #json(method: 'GET' | 'POST', path: string): Promise<unknown> {
    return JSON.parse(await readAll(await this.#send(method, path)));
  }

  /** Resolves when the answer begins; the body goes on being sent. */
  async #send(method: string, path: string, body?: Readable, signal = this.#signal): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socketPath, method, path, agent: false, ...(signal === undefined ? {} : { signal }) });
      outgoing.once('response', resolve);
      outgoing.on('error', (error) => {
        reject(this.#unreachable(error));
      });
      if (body === undefined) outgoing.end();
      else {
        body.once('error', (error) => {
          reject(readFailure(error));
          outgoing.destroy();
        });
        body.pipe(outgoing);
      }
    });
    if (response.statusCode === 200) return response;
    const failure = JSON.parse(await readAll(response)) as FailureReport;
    throw new CliError(EXIT.failed, failure.message);
  }

  #unreachable(error: Error): CliError {
    if (this.#signal?.aborted === true)
      return new CliError(EXIT.failed, `the daemon on ${this.#socketPath} does not answer in time`, { cause: error });
    if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) {
      return new CliError(EXIT.noDaemon, `no daemon answers on ${this.#socketPath}: is "podwright serve" running, with this run_dir?`, {
        cause: error,
      });
    }
    if (hasErrno(error, 'EACCES', 'EPERM')) return new CliError(EXIT.failed, `${this.#socketPath} is open to root only`, { cause: error });
    return new CliError(EXIT.failed, `${this.#socketPath}: ${error.message}`, { cause: error });
  }
}

function queryOf(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams(fields).toString();
}

function readFailure(error: unknown): CliError {
  return new CliError(EXIT.failed, `image load: ${messageOf(error)}`, { cause: error });
}

/** The lines of an answer as they come. Not by node:readline, which never ends when its input breaks off. */
async function* eventsOf<Event>(response: Readable): AsyncGenerator<Event> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Event;
  }
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
