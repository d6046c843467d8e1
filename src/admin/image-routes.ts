import type { ServerResponse } from 'node:http';
import { sleep } from '../base/deadline.ts';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { answerJson } from './answer.ts';
import type { ImageBackend } from './image-backend.ts';
import type { PullEvent, PullsEvent } from './image-reports.ts';
import type { PullSnapshot } from '../base/pull-snapshot.ts';
import type { Exchange, Route } from './route.ts';

/** Changes are told at most so often, milliseconds. */
const TELL_MS = 250;
/** A client that does not read what it has asked for is left when so much waits for it, bytes. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
/** What is told at once of many pulls, bytes; the others come at the next time. */
const MOST_AT_ONCE_BYTES = 1024 * 1024;
/** Most that watch pulls at once. */
const MOST_WATCHERS = 8;
/** Longest reference: a host, a path of 255 characters, tag and digest fit. */
const MOST_REFERENCE = 1024;

/** What the admin socket serves of pulls and single images. */
export function imageRoutes(backend: ImageBackend): readonly Route[] {
  let watchers = 0;
  return [
    {
      method: 'GET',
      path: '/v1/pulls',
      handle: async (exchange) => {
        if (watchers >= MOST_WATCHERS)
          throw new DaemonError('Unavailable', `watch pulls: ${watchers} watch already, must be at most ${MOST_WATCHERS}`);
        watchers += 1;
        try {
          await watchPulls(backend, exchange);
        } finally {
          watchers -= 1;
        }
      },
    },
    { method: 'POST', path: '/v1/images/pull', handle: async (exchange) => pullImage(backend, exchange) },
    {
      method: 'GET',
      path: '/v1/images/inspect',
      handle: async ({ url, response }) => {
        answerJson(response, await backend.inspectImage(referenceOf(url, 'inspect image')));
      },
    },
    {
      method: 'POST',
      path: '/v1/images/remove',
      handle: async ({ url, response }) => {
        answerJson(response, await backend.removeImage(referenceOf(url, 'remove image')));
      },
    },
    {
      method: 'POST',
      path: '/v1/images/prune',
      handle: async ({ url, response, signal }) => {
        answerJson(response, await backend.pruneImages(flagOf(url, 'dry_run'), signal));
      },
    },
  ];
}

/** All pulls, then what changes, until none is under way; with `follow=true` until the client leaves. */
async function watchPulls(backend: ImageBackend, { url, response, signal }: Exchange): Promise<void> {
  const follow = flagOf(url, 'follow');
  const lines = new Lines<PullsEvent>(response);
  /** By id, last what was told last. */
  const told = new Map<number, string>();
  const stop = backend.onPullEnded((pull) => {
    lines.tell({ event: 'ended', pull });
  });
  try {
    let { pulls, leftOut } = backend.pulls();
    lines.tellText(firstLine(told, pulls, leftOut));
    while (!signal.aborted && (follow || pulls.length > 0)) {
      await sleep(TELL_MS, signal);
      ({ pulls, leftOut } = backend.pulls());
      if (lines.isBehind) continue;
      const order = [...told.keys()]; // those first of which least was told of late, or nothing yet
      for (const pull of pulls.toSorted((one, other) => order.indexOf(one.id) - order.indexOf(other.id)))
        if (lines.unreadBytes < MOST_AT_ONCE_BYTES) tellChange(lines, told, pull);
      for (const id of told.keys()) if (!pulls.some((pull) => pull.id === id)) told.delete(id);
    }
  } finally {
    stop();
  }
  lines.tell({ event: 'done' });
  response.end();
}

function tellChange(lines: Lines<PullsEvent>, told: Map<number, string>, pull: PullSnapshot): void {
  const text = JSON.stringify(pull);
  if (told.get(pull.id) === text) return;
  told.delete(pull.id);
  told.set(pull.id, text);
  lines.tellText(`{"event":"pull","pull":${text}}`);
}

/** The event `pulls`. Pulls that it has no room for count as left out, and are told as changes. */
function firstLine(told: Map<number, string>, pulls: readonly PullSnapshot[], leftOut: number): string {
  let bytes = 0;
  for (const pull of pulls) {
    const text = JSON.stringify(pull);
    bytes += Buffer.byteLength(text);
    if (bytes > MOST_AT_ONCE_BYTES) break;
    told.set(pull.id, text);
  }
  return `{"event":"pulls","pulls":[${[...told.values()].join(',')}],"leftOut":${leftOut + pulls.length - told.size}}`;
}

/** Tells how far the pull is while it goes on. A client that leaves ends it, where nobody else waits for it. */
async function pullImage(backend: ImageBackend, { url, response, signal }: Exchange): Promise<void> {
  const name = referenceOf(url, 'pull image');
  const lines = new Lines<PullEvent>(response);
  const over = new AbortController();
  let progress: (() => PullSnapshot) | undefined;
  const tellProgress = (): void => {
    if (progress !== undefined && !lines.isBehind) lines.tell({ event: 'progress', pull: progress() });
  };
  const ticks = tick(tellProgress, AbortSignal.any([signal, over.signal]));
  try {
    const image = await backend.pullImage(name, signal, (seen) => {
      progress = seen;
      tellProgress();
    });
    tellProgress();
    lines.tell({ event: 'image', image });
    lines.tell({ event: 'done' });
  } catch (error) {
    tellProgress();
    lines.tell({ event: 'failed', kind: kindOf(error), message: messageOf(error) });
  } finally {
    over.abort();
    await ticks;
  }
  response.end();
}

async function tick(work: () => void, until: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(TELL_MS, until);
    if (until.aborted) return;
    work();
  }
}

/** Lines of JSON to a client, who may be slow. */
class Lines<Event> {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.setHeader('content-type', 'application/jsonl').flushHeaders();
  }

  /** Whether the client has yet to read what was told before: what can wait should. */
  get isBehind(): boolean {
    return this.#response.writableNeedDrain;
  }

  /** What the client has yet to read. */
  get unreadBytes(): number {
    return this.#response.writableLength;
  }

  tell(event: Event): void {
    this.tellText(JSON.stringify(event));
  }

  /** Tells an event that is JSON already. */
  tellText(event: string): void {
    if (this.#response.destroyed) return;
    if (this.#response.writableLength > MOST_UNREAD_BYTES) this.#response.destroy();
    else this.#response.write(`${event}\n`);
  }
}

function referenceOf(url: URL, what: string): string {
  const reference = url.searchParams.get('ref') ?? '';
  if (reference === '') throw new DaemonError('InvalidArgument', `${what}: no ref is given, must be one`);
  if (reference.length > MOST_REFERENCE)
    throw new DaemonError('InvalidArgument', `${what}: ref has ${reference.length} characters, must have at most ${MOST_REFERENCE}`);
  return reference;
}

function flagOf(url: URL, name: string): boolean {
  const text = url.searchParams.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false') throw new DaemonError('InvalidArgument', `${name} is "${text}", must be true or false`);
  return text === 'true';
}
