import type { LayerSnapshot, PullSnapshot } from '../base/pull-snapshot.ts';
import { escaped } from '../base/escaped.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const ID_WIDTH = 12;
const MOST_BAR = 30;
/** What a line has beside its bar and its words: id, state, percent, sizes, rate, and the blanks between. */
const FIXED_WIDTH = 57;
const LEAST_WORDS = 16;
/** Of the words of a retry that follow a layer. */
const INDENT = ' '.repeat(ID_WIDTH + 1);

/** `12/98 MiB`: in the unit of the whole. */
export function partText(bytes: number, ofBytes: number): string {
  const unit = unitOf(ofBytes);
  return `${numberText(bytes, unit)}/${numberText(ofBytes, unit)} ${UNITS[unit] ?? ''}`;
}

/** `5.2 MiB`, three digits or four. */
export function bytesText(bytes: number): string {
  const unit = unitOf(bytes);
  return `${numberText(bytes, unit)} ${UNITS[unit] ?? ''}`;
}

function unitOf(bytes: number): number {
  let unit = 0;
  for (let value = bytes; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return unit;
}

function numberText(bytes: number, unit: number): string {
  const value = bytes / 1024 ** unit;
  return unit > 0 && value > 0 && value < 10 ? value.toFixed(1) : String(Math.floor(value));
}

/** `17 s`, `3 min 20 s`, `2 h 5 min` */
export function durationText(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `docker.io/library/app:1: fetching, 12/98 MiB, 5.2 MiB/s, 17 s left` */
export function headText(pull: PullSnapshot): string {
  const { image, step, wantedBytes, receivedBytes, bytesPerSecond, secondsLeft, outcome, retries, startedAt, endedAt } = pull;
  const words: string[] = [];
  if (outcome === undefined) words.push(STEPS[step]);
  else words.push(outcome === 'OK' ? 'pulled' : `failed: ${outcome}`);
  if (wantedBytes !== undefined && wantedBytes > 0)
    words.push(outcome === undefined ? partText(receivedBytes, wantedBytes) : bytesText(receivedBytes));
  if (bytesPerSecond > 0) words.push(`${bytesText(bytesPerSecond)}/s`);
  if (secondsLeft !== undefined) words.push(`${durationText(secondsLeft)} left`);
  if (endedAt !== undefined) words.push(`in ${((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).toFixed(1)} s`);
  if (retries > 0) words.push(retriesText(retries));
  return escaped(`${image}: ${words.join(', ')}`);
}

const STEPS: Readonly<Record<PullSnapshot['step'], string>> = {
  resolving: 'asking for its manifest',
  fetching: 'fetching',
  syncing: 'writing it to the disk',
  recording: 'writing its record',
};

function retriesText(retries: number): string {
  return retries === 1 ? '1 retry' : `${retries} retries`;
}

/** `for pod shop/web-1`; whoever asks by the CRI is the kubelet, nearly always. */
export function askersText({ askers, askersLeftOut }: PullSnapshot): string {
  const names = askers.map(({ by, pod }) => (by === 'admin' ? 'podwright image pull' : pod === undefined ? 'the CRI' : `pod ${pod}`));
  const words = [...new Set(names)];
  if (askersLeftOut > 0) words.push(`${askersLeftOut} more`);
  return words.length === 0 ? '' : escaped(`for ${words.join(', ')}`);
}

/** A pull for a terminal: a line for the whole, and a bar for each layer, those under way first where not all fit. */
export function pullLines(pull: PullSnapshot, columns: number, rows: number): string[] {
  const lines = [headText(pull), ...askerLines(pull)];
  if (pull.host !== undefined && pull.step === 'resolving') lines.push(escaped(`  ${pull.host}`));
  if (pull.lastError !== undefined) lines.push(escaped(`  last failure: ${briefly(pull.lastError)}`));
  const { shown, leftOut } = fit(pull, Math.max(rows - lines.length - 1, 1));
  for (const layer of shown) lines.push(...layerLines(layer, columns));
  if (leftOut > 0) lines.push(`${INDENT}and ${leftOut} more layers`);
  return lines.map((line) => cut(line, columns));
}

function askerLines(pull: PullSnapshot): string[] {
  const others = pull.askers.some(({ by }) => by === 'cri') || pull.askersLeftOut > 0;
  return others ? [`  ${askersText(pull)}`] : [];
}

function fit({ layers, layerCount }: PullSnapshot, rows: number): { shown: readonly LayerSnapshot[]; leftOut: number } {
  const heightOf = (layer: LayerSnapshot): number => (layer.lastError === undefined ? 1 : 2);
  const whole = layers.reduce((sum, layer) => sum + heightOf(layer), 0);
  if (whole + (layerCount > layers.length ? 1 : 0) <= rows) return { shown: layers, leftOut: layerCount - layers.length };
  const urgent = layers.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const chosen = new Set<LayerSnapshot>();
  let height = 1;
  for (const layer of urgent) {
    height += heightOf(layer);
    if (height > rows) break;
    chosen.add(layer);
  }
  return { shown: layers.filter((layer) => chosen.has(layer)), leftOut: layerCount - chosen.size };
}

const ORDER: readonly LayerSnapshot['state'][] = ['failed', 'fetching', 'unpacking', 'waiting', 'unpacked', 'present'];

function layerLines(layer: LayerSnapshot, columns: number): string[] {
  const { state, wantedBytes, receivedBytes, bytesPerSecond, retries, lastError, sizeBytes } = layer;
  const barWidth = Math.min(Math.max(columns - FIXED_WIDTH - LEAST_WORDS, 6), MOST_BAR);
  const isMoving = state === 'fetching' || state === 'failed';
  const isDone = state === 'unpacking' || state === 'unpacked';
  const bar = isMoving || isDone ? barText(receivedBytes, wantedBytes, barWidth) : ' '.repeat(barWidth + 7);
  const size = isMoving && wantedBytes !== undefined ? partText(receivedBytes, wantedBytes) : sizeText(isDone ? receivedBytes : sizeBytes);
  const rate = bytesPerSecond > 0 ? `${bytesText(bytesPerSecond)}/s` : '';
  const line = `${idText(layer)} ${state.padEnd(9)} ${bar} ${size.padStart(13)} ${rate.padStart(10)} ${sourceText(layer)}`;
  if (lastError === undefined) return [escaped(line.trimEnd())];
  const words = retries === 0 ? '' : `${retriesText(retries)}, the last after: `;
  const room = columns - INDENT.length - words.length - 1;
  return [escaped(line.trimEnd()), escaped(`${INDENT}${words}${cutInside(briefly(lastError), room)}`)];
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? '' : bytesText(bytes);
}

export function idText({ digest }: LayerSnapshot): string {
  return (digest ?? '').replace('sha256:', '').slice(0, ID_WIDTH).padEnd(ID_WIDTH);
}

/** `[####----]  50%` */
function barText(bytes: number, ofBytes: number | undefined, width: number): string {
  const part = ofBytes === undefined ? 0 : ofBytes === 0 ? 1 : Math.min(bytes / ofBytes, 1);
  const full = Math.floor(part * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${String(Math.floor(part * 100)).padStart(3)}%`;
}

/** Without what the kubelet alone needs, and with digests cut as those of layers are. */
export function briefly(error: string): string {
  return error.replaceAll(/RegistryUnavailable: /g, '').replaceAll(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, '$1');
}

/** Words begin with who failed and end with why. */
function cutInside(words: string, room: number): string {
  if (words.length <= room || room < 3) return words;
  const tail = Math.floor((room - 1) / 2);
  return `${words.slice(0, room - 1 - tail)}…${words.slice(words.length - tail)}`;
}

/** The hosts that have sent something; the last one is asked now. */
export function sourceText({ sources, host, isOfChunks }: LayerSnapshot): string {
  const hosts = sources.map((source) => source.host);
  if (host !== undefined && hosts.at(-1) !== host) hosts.push(host);
  const words = hosts.length === 0 ? '' : hosts.toReversed().join(' after ');
  return isOfChunks ? `${words} (chunks)` : words;
}

/** Cut to a terminal's width, which must not break the line. */
export function cut(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, Math.max(columns - 2, 0))}…`;
}
