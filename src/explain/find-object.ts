import { DaemonError, fail } from '../base/errors.ts';
import type { Operation, Subject } from '../base/steps.ts';
import { formatReference, parseReference, withTag } from '../image/reference.ts';

/** An object that is asked for. */
export interface FoundObject {
  readonly kind: 'pod' | 'container' | 'image';
  readonly name: string;
  /** Whose ids have this name or prefix, oldest first; empty where none is known. */
  readonly ids: readonly string[];
}

/** Something that has an id or a name: of a store, of work under way, of the history. */
export interface Candidate {
  readonly kind: FoundObject['kind'];
  readonly id: string;
  readonly name: string;
}

/** Most that are named where several may be meant. */
const MOST_NAMED = 8;
/** Shorter words are no prefix of an id: everything begins so. */
const SHORTEST_PREFIX = 3;
const KINDS = ['pod', 'container', 'image'] as const;

/** How well it fits what is asked for. Only what fits best counts. */
type Fit = 'whole id' | 'name' | 'prefix';
const FITS: readonly Fit[] = ['whole id', 'name', 'prefix'];

/**
 * What `asked` means among `candidates`: a whole id, or else a name, NAMESPACE/NAME, NAMESPACE/POD/CONTAINER, an image, or else the
 * beginning of an id. A pod comes before containers that are called like it.
 * @throws NotFound, or InvalidArgument that names what it may mean.
 */
export function findObject(asked: string, candidates: Iterable<Candidate>): FoundObject {
  const found = new Map<string, { kind: FoundObject['kind']; name: string; ids: Set<string>; fit: Fit }>();
  const image = imageName(asked);
  for (const candidate of candidates) {
    const { kind, id, name } = candidate;
    const fit = fitOf(candidate, asked, image);
    if (fit === undefined) continue;
    const key = `${fit} ${kind} ${fit === 'name' ? name : id}`;
    const known = found.get(key) ?? { kind, name, ids: new Set(), fit };
    if (id !== '') known.ids.add(id);
    if (known.name === '') known.name = name;
    found.set(key, known);
  }
  const all = [...found.values()];
  const best = FITS.find((fit) => all.some((each) => each.fit === fit));
  for (const kind of KINDS) {
    const ofKind = all.filter((each) => each.fit === best && each.kind === kind);
    const [first, ...others] = ofKind;
    if (first === undefined) continue;
    if (others.length > 0)
      refuse(
        asked,
        ofKind.map(({ name, ids }) => (best === 'name' ? name : [...ids].join())),
      );
    return { kind, name: first.name, ids: [...first.ids] };
  }
  return fail(
    'NotFound',
    `explain ${asked}: no pod, container or image of this name or id is known, nor was one as far as the history goes`,
  );
}

function fitOf({ kind, id, name }: Candidate, asked: string, image: string | undefined): Fit | undefined {
  if (id !== '' && (id === asked || id === `sha256:${asked}`)) return 'whole id';
  if (isNamed(name, asked) || (kind === 'image' && isOfImage(name, asked, image))) return 'name';
  const isPrefix = asked.length >= SHORTEST_PREFIX && (id.startsWith(asked) || id.startsWith(`sha256:${asked}`));
  return isPrefix ? 'prefix' : undefined;
}

function refuse(asked: string, names: readonly string[]): never {
  const shown = names.slice(0, MOST_NAMED).join(', ');
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  throw new DaemonError('InvalidArgument', `explain ${asked}: it may be ${shown}${more}; ask for one of them`);
}

/** `web` and `shop/web` name `shop/web`; `nginx`, `shop/web/nginx` name `shop/web/nginx`. */
function isNamed(name: string, asked: string): boolean {
  return name !== '' && (name === asked || name.endsWith(`/${asked}`));
}

/** Tag, digest and default registry may be left out. */
function isOfImage(name: string, asked: string, image: string | undefined): boolean {
  return isNamed(name.replace(/[:@][^/]*$/, ''), asked) || (image !== undefined && imageName(name) === image);
}

/** The name in full, so that `busybox` finds `docker.io/library/busybox:latest`. */
export function imageName(text: string): string | undefined {
  try {
    return formatReference(withTag(parseReference(text)));
  } catch {
    return undefined;
  }
}

/** The objects that an operation was about. */
export function candidatesOf(operation: Operation): Candidate[] {
  const { what, subject } = operation;
  const { containerId, sandboxId, name = '' } = subject;
  if (what === 'pull image' || what === 'load image') return imagesOf(operation).map((image) => ({ kind: 'image', id: '', name: image }));
  const podName = podOf(name);
  const pod: Candidate[] = sandboxId === undefined && podName === '' ? [] : [{ kind: 'pod', id: sandboxId ?? '', name: podName }];
  return isOfContainer(subject) ? [...pod, { kind: 'container', id: containerId ?? '', name }] : pod;
}

/** The names of what was pulled or loaded. */
export function imagesOf({ subject: { image }, facts }: Operation): readonly string[] {
  const { names } = facts;
  return [...new Set([...(image === undefined ? [] : [image]), ...(typeof names === 'string' ? names.split(' ') : [])])];
}

export function isOfContainer({ containerId, name = '' }: Subject): boolean {
  return containerId !== undefined || name.split('/').length === 3;
}

/** `NAMESPACE/POD` of the name of a pod or of its container. */
export function podOf(name = ''): string {
  return name.split('/').slice(0, 2).join('/');
}
