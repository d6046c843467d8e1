import { pipeline } from 'node:stream/promises';
import { DaemonError } from '../base/errors.ts';
import { answerJson } from './answer.ts';
import type { DebugBackend } from './debug-backend.ts';
import type { Route } from './route.ts';

export function debugRoutes(backend: DebugBackend): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/leaks/fix',
      handle: async ({ response, signal }) => {
        answerJson(response, await backend.fixLeaks(signal));
      },
    },
    {
      method: 'POST',
      path: '/v1/debug/profile',
      handle: async ({ url, response, signal }) => {
        const profile = await backend.profile(secondsOf(url), signal);
        response.setHeader('content-type', 'application/json').end(profile);
      },
    },
    {
      method: 'POST',
      path: '/v1/debug/heap',
      handle: async ({ response, signal }) => {
        await backend.heap(async (snapshot) => {
          response.setHeader('content-type', 'application/json');
          await pipeline(snapshot, response, { signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]) });
        });
      },
    },
    {
      method: 'GET',
      path: '/v1/debug/stacks',
      handle: async ({ response }) => {
        answerJson(response, await backend.stacks());
      },
    },
  ];
}

/** How long a client may take to read a snapshot of the heap, milliseconds: it stays in memory as long. */
const SEND_MS = 300_000;
/** Most a profile may take, seconds. */
const MOST_SECONDS = 60;

function secondsOf(url: URL): number {
  const text = url.searchParams.get('seconds') ?? '10';
  const seconds = Number(text);
  if (text !== '' && Number.isFinite(seconds) && seconds > 0 && seconds <= MOST_SECONDS) return seconds;
  throw new DaemonError(
    'InvalidArgument',
    `debug profile: seconds is ${JSON.stringify(text)}, must be a number above 0, at most ${MOST_SECONDS}`,
  );
}
