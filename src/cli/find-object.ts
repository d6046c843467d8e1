import type { Container, PodSandbox } from '../../api/cri/runtime.ts';
import { escaped } from '../base/escaped.ts';
import type { CallOptions, CriClient } from './cri-client.ts';
import { CliError, EXIT } from './exit-codes.ts';

/** The pods and containers that are here. */
export interface Objects {
  readonly pods: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

export interface FoundPod {
  readonly kind: 'pod';
  readonly pod: PodSandbox;
}

export interface FoundContainer {
  readonly kind: 'container';
  readonly container: Container;
  /** Undefined where it went between two questions. */
  readonly pod: PodSandbox | undefined;
}

export type Found = FoundPod | FoundContainer;

const SHOWN_ID_LENGTH = 12;
/** How many of several matches a refusal names. */
const SHOWN_MATCHES = 20;

export async function listObjects(runtime: CriClient['runtime'], options: CallOptions = {}): Promise<Objects> {
  // Containers first: the pod of each was there before it.
  const { containers } = await runtime.listContainers({}, options);
  const { items } = await runtime.listPodSandbox({}, options);
  return { pods: items, containers };
}

/**
 * What a person may mean: an id or the beginning of one, the name of a container or pod, `namespace/pod` or
 * `namespace/pod/container`. Where a name or a whole id fits, beginnings of ids do not count. Of several attempts at one pod or
 * container a name means the newest; an id means just what has it.
 */
export function matching(objects: Objects, words: string): readonly Found[] {
  const all = everything(objects);
  const whole = all.filter((found) => idOf(found) === words);
  if (whole.length > 0) return whole;
  const named = newest(all.filter((found) => nameOf(found) === words || (!words.includes('/') && lastName(found) === words)));
  if (named.length > 0) return named;
  return /^[0-9a-f]+$/.test(words) ? all.filter((found) => idOf(found).startsWith(words)) : [];
}

/** The one pod or container that the words mean. @throws {CliError} where there is none, or several: with their list. */
export function oneOf(objects: Objects, words: string): Found {
  return only(matching(objects, words), words, 'pod or container');
}

/** The one container that the words mean; those of a pod mean its only container. @throws {CliError} as {@link oneOf}. */
export function oneContainerOf(objects: Objects, words: string): FoundContainer {
  const found = matching(objects, words);
  const containers = found.filter((each) => each.kind === 'container');
  if (containers.length > 0) return only(containers, words, 'container');
  const pod = only(found, words, 'pod or container');
  if (pod.kind === 'container') return pod;
  const inside = newest(everything(objects).filter((each) => each.kind === 'container' && each.container.podSandboxId === pod.pod.id));
  if (inside.length === 0) throw new CliError(EXIT.failed, `pod ${nameOf(pod)} has no containers`);
  return only(inside as FoundContainer[], words, `container of pod ${nameOf(pod)}`);
}

/** `namespace/pod` or `namespace/pod/container` */
export function nameOf(found: Found): string {
  const pod = `${found.pod?.metadata?.namespace ?? ''}/${found.pod?.metadata?.name ?? ''}`;
  return found.kind === 'pod' ? pod : `${pod}/${found.container.metadata?.name ?? ''}`;
}

export function idOf(found: Found): string {
  return found.kind === 'pod' ? found.pod.id : found.container.id;
}

export function shortId(id: string): string {
  return id.slice(0, SHOWN_ID_LENGTH);
}

/** Each with its pod. */
export function everything({ pods, containers }: Objects): Found[] {
  const byId = new Map(pods.map((pod) => [pod.id, pod]));
  return [
    ...pods.map((pod): Found => ({ kind: 'pod', pod })),
    ...containers.map((container): Found => ({ kind: 'container', container, pod: byId.get(container.podSandboxId) })),
  ];
}

function lastName(found: Found): string | undefined {
  return (found.kind === 'pod' ? found.pod : found.container).metadata?.name;
}

function newest(all: readonly Found[]): Found[] {
  const byName = new Map<string, Found>();
  for (const found of all) {
    const key = `${found.kind} ${nameOf(found)}`;
    const before = byName.get(key);
    if (before === undefined || createdAt(before) < createdAt(found)) byName.set(key, found);
  }
  return [...byName.values()];
}

function createdAt(found: Found): bigint {
  return (found.kind === 'pod' ? found.pod : found.container).createdAt;
}

function only<T extends Found>(found: readonly T[], words: string, what: string): T {
  const [first] = found;
  if (first === undefined) {
    throw new CliError(EXIT.failed, `no ${what} is called "${escaped(words)}": podwright ps -a shows what there is`);
  }
  if (found.length === 1) return first;
  const list = found.slice(0, SHOWN_MATCHES).map((each) => `  ${each.kind} ${shortId(idOf(each))} ${escaped(nameOf(each))}`);
  if (found.length > SHOWN_MATCHES) list.push(`  and ${found.length - SHOWN_MATCHES} more`);
  throw new CliError(EXIT.failed, `"${escaped(words)}" means ${found.length} things, say which:\n${list.join('\n')}`);
}
