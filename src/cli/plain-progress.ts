import type { LayerSnapshot, PullSnapshot } from '../base/pull-snapshot.ts';
import { escaped } from '../base/escaped.ts';
import { briefly, bytesText, headText, idText, sourceText } from './pull-view.ts';

/** How often a pull is told of while nothing happens but that bytes come, milliseconds. */
const TELL_MS = 5000;

/** A pull as lines for a file or a log: what has happened, and now and then how far it is. */
export class PlainProgress {
  readonly #print: (line: string) => void;
  #step: PullSnapshot['step'] | undefined;
  #toldAtMs = Date.now();
  /** What was told of each layer: by its digest, which an image may have more than once, and which of these it is. */
  readonly #layers = new Map<string, { isHere: boolean; retries: number }>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  tell(pull: PullSnapshot): void {
    const nowMs = Date.now();
    const counts = new Map<string, number>();
    for (const layer of pull.layers) {
      const { digest = '' } = layer;
      const count = counts.get(digest) ?? 0;
      counts.set(digest, count + 1);
      this.#tellLayer(layer, `${digest} ${count}`);
    }
    if (this.#step === pull.step && nowMs - this.#toldAtMs < TELL_MS) return;
    this.#step = pull.step;
    this.#toldAtMs = nowMs;
    this.#print(headText(pull));
  }

  #tellLayer(layer: LayerSnapshot, key: string): void {
    const { state, retries, lastError } = layer;
    const told = this.#layers.get(key) ?? { isHere: false, retries: 0 };
    const isHere = state === 'unpacking' || state === 'unpacked' || state === 'present';
    const name = `layer ${idText(layer).trim()}`;
    if (retries > told.retries && lastError !== undefined)
      this.#print(escaped(`${name}: tried again (${retries}), after: ${briefly(lastError)}`));
    if (isHere && !told.isHere) this.#print(escaped(`${name}: ${hereText(layer)}`));
    this.#layers.set(key, { isHere, retries });
  }
}

function hereText(layer: LayerSnapshot): string {
  const { state, receivedBytes, bytesPerSecond } = layer;
  if (state === 'present') return 'is here already';
  const rate = bytesPerSecond === 0 ? '' : `, ${bytesText(bytesPerSecond)}/s`;
  const source = sourceText(layer);
  return `received ${bytesText(receivedBytes)}${rate}${source === '' ? '' : ` from ${source}`}`;
}
