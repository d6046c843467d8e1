import { DaemonError } from '../base/errors.ts';
import type { OpenContent, OpenedContent } from './receive.ts';

export type Range = readonly [start: number, end: number];

export function bytesOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [start, end]) => sum + end - start, 0);
}

/**
 * Ranges of a content as one content: they follow each other, without what is between them. It can be opened at any offset and up to
 * any end, each time by a request for every range that it meets.
 * Its content @throws FailedPrecondition where a range is answered with something else.
 */
export function rangesSource(open: OpenContent, ranges: readonly Range[], what: string): OpenContent {
  const whole = bytesOf(ranges);
  return (offsetBytes, signal, endBytes = whole): Promise<OpenedContent> =>
    Promise.resolve({ content: piecesOf(open, cut(ranges, offsetBytes, endBytes), what, signal), offsetBytes, isRange: true });
}

/** The ranges that make up a part of the whole. */
function cut(ranges: readonly Range[], from: number, to: number): Range[] {
  const found: Range[] = [];
  let position = 0;
  for (const [start, end] of ranges) {
    const first = Math.max(start, start + from - position);
    const last = Math.min(end, start + to - position);
    if (first < last) found.push([first, last]);
    position += end - start;
  }
  return found;
}

async function* piecesOf(open: OpenContent, ranges: readonly Range[], what: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for (const [start, end] of ranges) {
    const answer = await open(start, signal, end);
    if (answer.isRange !== true || answer.offsetBytes !== start) {
      await answer.content[Symbol.asyncIterator]().return?.();
      throw new DaemonError('FailedPrecondition', `${what}: the registry does not send the range that it was asked for`);
    }
    let left = end - start;
    for await (const piece of answer.content) {
      const wanted = piece.subarray(0, left);
      left -= wanted.length;
      if (wanted.length > 0) yield wanted;
      if (left === 0) break;
    }
    if (left > 0) throw new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${what}: a range ended ${left} bytes too early`);
  }
}
