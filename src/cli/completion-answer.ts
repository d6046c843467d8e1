import type { Command } from 'commander';
import { escaped } from '../base/escaped.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { loadConfig } from '../config/load.ts';
import { AdminClient } from './admin-client.ts';
import { placeOf } from './complete.ts';
import type { Candidate, Place } from './complete.ts';
import { configSources } from './config-options.ts';
import type { Options } from './config-options.ts';
import { everything, idOf, listObjects, nameOf, shortId } from './find-object.ts';
import type { Objects } from './find-object.ts';
import type { Held } from './held-argument.ts';
import { sizeText } from './io.ts';

/** How long the daemon may take to tell what there is, milliseconds: a person waits who has pressed a key. */
const ASK_MS = 500;
/** What a shell takes for a word as it stands. Names may come from others, and a completed word is run. */
const PLAIN = /^[\w./:@%+,=-]+$/;

type HeldPlace = Extract<Place, { readonly is: 'held' }>;

/**
 * What the scripts of the shells are told: a line `words`, `files` or `directories`, then a line for each word, with what it is
 * behind a tab. Nothing where the daemon is not there, or the configuration is wrong.
 * @param words those behind the program's name; the last one is what is being written
 */
export async function completionAnswer(podwright: Command, words: readonly string[]): Promise<string> {
  const place = placeOf(podwright, words);
  if (place.is === 'files' || place.is === 'directories') return `${place.is}\n`;
  const written = words.at(-1) ?? '';
  const all = place.is === 'words' ? place.words : await heldWords(podwright, place, written);
  return ['words', ...fitting(all, written).map(({ word, about }) => `${word}\t${escaped(about)}`), ''].join('\n');
}

/** What goes on with what is written, and can be run as it stands. */
export function fitting(candidates: readonly Candidate[], written: string): readonly Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(written) && PLAIN.test(word));
}

async function heldWords(podwright: Command, { held, options, asksAdmin }: HeldPlace, written: string): Promise<Candidate[]> {
  if (held.includes('manual page')) {
    const { manualPages } = await import('./manual.ts');
    return manualPages(podwright).map(({ name, about }) => ({ word: name, about }));
  }
  const has = (kind: Held): boolean => held.includes(kind);
  const asked = await Promise.allSettled([
    has('pod') || has('container') ? objectWords(options, asksAdmin, held, written) : [],
    has('image') ? imageWords(options, written) : [],
  ]);
  return asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** @param asksAdmin the command finds the daemon by its admin socket: the CRI's may be where only the daemon's own `--listen` says */
async function objectWords(options: Options, asksAdmin: boolean, held: readonly Held[], written: string): Promise<Candidate[]> {
  const { config } = await loadConfig(configSources(options));
  const admin = new AdminClient(new DiskLayout(config).adminSocket, AbortSignal.timeout(ASK_MS));
  const { listenPath } = asksAdmin ? await admin.status() : config;
  const { connect } = await import('./cri-client.ts');
  const cri = connect(listenPath);
  try {
    return wordsOf(await listObjects(cri.runtime, { timeoutMs: ASK_MS }), held, written);
  } finally {
    cri.close();
  }
}

/** Full names; those without a namespace, and ids, once something is written. */
export function wordsOf(objects: Objects, held: readonly Held[], written: string): Candidate[] {
  const words = new Map<string, Candidate>();
  for (const each of everything(objects).filter(({ kind }) => held.includes(kind))) {
    const about = each.kind === 'pod' ? 'pod' : `container of ${each.container.image?.userSpecifiedImage ?? ''}`;
    const bare = (each.kind === 'pod' ? each.pod : each.container).metadata?.name ?? '';
    const id = idOf(each);
    const more = written === '' ? [] : [bare, written.length > shortId(id).length ? id : shortId(id)];
    for (const word of [nameOf(each), ...more]) words.set(word, { word, about });
  }
  return [...words.values()];
}

async function imageWords(options: Options, written: string): Promise<Candidate[]> {
  const { config } = await loadConfig(configSources(options));
  const images = await new AdminClient(new DiskLayout(config).adminSocket, AbortSignal.timeout(ASK_MS)).images();
  return images.flatMap(({ id, names, sizeBytes }) => {
    const words = written === '' && names.length > 0 ? names : [...names, id, id.replace('sha256:', '').slice(0, 12)];
    return words.map((word) => ({ word, about: `image, ${sizeText(sizeBytes)}` }));
  });
}
