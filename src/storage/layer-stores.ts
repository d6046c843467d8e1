import { dirname, join } from 'node:path';
import { kindOf, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { runAt } from '../linux/reluctant-place.ts';
import type { OutsideTree } from './outside-tree.ts';

/** How long a store may take to say what it has of an image, milliseconds: it asks the registry for manifest and tables of contents. */
const FIND_MS = 15_000;
/** How long it may take to be told what is used, milliseconds. */
const NOTE_MS = 5_000;
const MAX_INFO_BYTES = 64 * 1024;

/** A layer as an image names it, for a store that is asked for it. */
export interface WantedLayer {
  readonly tocDigest: Digest;
  readonly diffId: Digest;
}

/**
 * Asks additional layer stores (containers/storage, drivers/overlay: additionallayerstore) for layers of an image: file systems that show a layer by the
 * digest of its table of contents and fetch what is read. Each store is `DIRECTORY`, or `DIRECTORY:ref` where it wants the image's name too.
 * @param reference as a registry's client takes it: `registry.example/team/app@sha256:...`.
 * @returns the layers that one store has, of the first that has any. A store that fails or takes too long has none.
 */
export async function findStoredLayers(
  stores: readonly string[],
  reference: string,
  wanted: readonly WantedLayer[],
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<Digest, OutsideTree>> {
  for (const store of stores) {
    try {
      const found = await askStore(store, reference, wanted, signal);
      if (found.size > 0) return found;
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn('additional layer store has no answer: layers are pulled whole', {
        path: pathOf(store),
        image: reference,
        error: messageOf(error),
      });
    }
  }
  return new Map();
}

async function askStore(
  store: string,
  reference: string,
  wanted: readonly WantedLayer[],
  signal: AbortSignal,
): Promise<Map<Digest, OutsideTree>> {
  const root = pathOf(store);
  const image = store.endsWith(':ref') ? join(root, Buffer.from(reference).toString('base64')) : root;
  const directories = new Map(wanted.map((layer) => [join(image, layer.tocDigest), layer]));
  // As containers/storage has it, a layer is there when these three are. The first look has the store fetch what it must know.
  const parts = [...directories.keys()].flatMap((path) => ['diff', 'info', 'blob'].map((name) => join(path, name)));
  const there = await runAt(root, 'stat', { args: ['--format=%F\t%n', '--', ...parts], timeoutMs: FIND_MS, signal });
  const lines = there.stdout.toString().split('\n').slice(0, -1);
  const kinds = new Map(lines.map((line) => line.split('\t').toReversed() as [string, string]));
  if (kinds.size === 0) {
    const words = there.stderr.toString();
    // No layer of it is no fault; a store that is gone is.
    if (!/Input\/output error|No such file/.test(words) || /Transport endpoint/.test(words))
      throw new Error(words.trim().split('\n')[0] ?? '');
  }
  const found = new Map<Digest, OutsideTree>();
  for (const [path, layer] of directories) {
    const tree = join(path, 'diff');
    // No overlay can be mounted on what is no directory.
    if (kinds.get(tree) !== 'directory' || !kinds.has(join(path, 'info')) || !kinds.has(join(path, 'blob'))) continue;
    if (await isSame(root, path, layer, signal)) found.set(layer.tocDigest, { tree, store: root });
  }
  return found;
}

/** Whether what the store says of a layer goes with what the image says. */
async function isSame(root: string, path: string, { tocDigest, diffId }: WantedLayer, signal: AbortSignal): Promise<boolean> {
  const { stdout } = await runAt(root, 'head', {
    args: ['-c', String(MAX_INFO_BYTES), '--', join(path, 'info')],
    timeoutMs: NOTE_MS,
    signal,
  });
  try {
    const info = Field.parse(stdout.toString(), join(path, 'info'));
    const toc = info.at('toc-digest').asText() ?? tocDigest;
    const expected = info.at('flags').asObject()?.at('expected-layer-diffid').asText() ?? diffId;
    return toc === tocDigest && expected === diffId;
  } catch (error) {
    if (kindOf(error) !== 'InvalidArgument') throw error;
    return false;
  }
}

/** Tells the store that a layer is used: a file that it refuses to make. One that does make it counts nothing, and loses it again. */
export async function noteUse({ tree, store }: OutsideTree): Promise<void> {
  await note(store, ': >"$1/use" && rm -f "$1/use"', dirname(tree));
}

/** Tells the store that it is used no longer: it refuses that too. */
export async function noteRelease({ tree, store }: OutsideTree): Promise<void> {
  await note(store, 'rmdir "$1"', dirname(tree));
}

async function note(store: string, script: string, directory: string): Promise<void> {
  await runAt(store, 'sh', { args: ['-c', `{ ${script}; } 2>/dev/null; :`, 'sh', directory], timeoutMs: NOTE_MS });
}

function pathOf(store: string): string {
  return store.replace(/:ref$/, '');
}
