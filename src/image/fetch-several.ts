import { reasonOf } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { step } from '../base/steps.ts';
import type { Downloads } from './download.ts';
import type { Release, Slots } from '../base/slots.ts';
import type { LayerProgress } from './progress.ts';

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Parts worked on at once. */
  readonly parallelLayers: number;
  /** Limits downloads, and says in which ranges large layers come; undefined where nothing is downloaded. */
  readonly downloads?: Downloads | undefined;
}

/**
 * Fetches the parts of an image, several at once, in their order, each with a slot of the downloads. The first failure stops the rest,
 * is told by the progress of its part, and is thrown when all have stopped.
 * @param fetch gets the signal that stops it; it may give its slot back when it has all that it downloads.
 */
export async function fetchSeveral<T extends { readonly progress: LayerProgress }>(
  parts: readonly T[],
  { signal: caller, parallelLayers, downloads }: FetchOptions,
  fetch: (part: T, signal: AbortSignal, slot: Release | undefined) => Promise<void>,
): Promise<void> {
  if (caller.aborted) throw reasonOf(caller);
  const stop = new AbortController();
  const signal = AbortSignal.any([caller, stop.signal]);
  const queue = [...parts];
  const failures: unknown[] = [];
  const runner = async (): Promise<void> => {
    for (let part = queue.shift(); part !== undefined && failures.length === 0; part = queue.shift()) {
      let place: Release | undefined;
      let slot: Release | undefined;
      try {
        place = await turn(downloads?.layers, signal);
        slot = await turn(downloads?.slots, signal);
        await fetch(part, signal, slot);
      } catch (error) {
        if (!signal.aborted) part.progress.fail(error);
        failures.push(error);
        stop.abort(error instanceof DaemonError ? error : new DaemonError('Internal', messageOf(error), { cause: error }));
      } finally {
        slot?.();
        place?.();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelLayers, queue.length) }, runner));
  if (failures.length > 0) throw failures[0];
}

async function turn(slots: Slots | undefined, signal: AbortSignal): Promise<Release | undefined> {
  return slots?.tryAcquire() ?? (slots && (await step('wait for turn', async () => slots.acquire(signal), 'behind other layers')));
}
