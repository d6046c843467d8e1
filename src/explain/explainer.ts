import type { Explanation, ExplainedObject, ExplainedOperation } from '../base/explanation.ts';
import { fail } from '../base/errors.ts';
import { present } from '../base/field.ts';
import { operationsUnderWay, type Operation } from '../base/steps.ts';
import { isoTime } from '../base/time.ts';
import type { Container } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import { containerTitle, imageOf } from '../container/subject.ts';
import type { History } from '../history/history.ts';
import type { PullSnapshot } from '../base/pull-snapshot.ts';
import type { ImageStore } from '../image/store.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { podTitle } from '../podsandbox/subject.ts';
import { candidatesOf, findObject, imageName, imagesOf, isOfContainer, podOf, type Candidate, type FoundObject } from './find-object.ts';
import { explainOperation, type TellWait } from './report.ts';

export interface ExplainerParts {
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly images: ImageStore;
  readonly history: History;
  readonly pulls: () => readonly PullSnapshot[];
  /** What a process waits for, in words. */
  readonly describeWait: (pid: number) => Promise<{ readonly words: string } | undefined>;
}

/** Most that a question may have, characters. */
const MOST_ASKED = 512;
/** Of one object, the newest are told; of the containers of a pod so many together, and some of each. */
const MOST_OPERATIONS = 64;
const MOST_OF_CONTAINERS = 256;
/** Of one pod, the newest are looked at, by their number and their steps; and the newest of its containers. */
const MOST_LOOKED_AT = 2000;
const MOST_STEPS_LOOKED_AT = 40_000;
const MOST_CONTAINERS = 64;
/** The history is looked through for so many ids, or names, on the event loop: each is compared with all of it. */
const MOST_TEXTS = 32;

/** Says of a pod, container or image what was done, what is being done and what is waited for. It takes no lock and waits for no object. */
export class Explainer {
  readonly #parts: ExplainerParts;
  readonly #tellWait: TellWait;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
    this.#tellWait = async ({ name, pid, detail }, { subject }) => {
      if (name === 'fetch layer') return layerWords(parts.pulls(), subject.image, detail);
      return pid === undefined ? '' : ((await parts.describeWait(pid))?.words ?? `process ${pid} has ended`);
    };
  }

  /** @throws NotFound; InvalidArgument where several may be meant; the signal's reason. */
  async explain(asked: string, signal: AbortSignal): Promise<Explanation> {
    if (asked === '' || asked.length > MOST_ASKED)
      fail('InvalidArgument', `explain: the object has ${asked.length} characters, must have 1 to ${MOST_ASKED}`);
    const found = findObject(asked, [...(await this.#past([asked, lastPart(asked)], signal)).flatMap(candidatesOf), ...this.#present()]);
    const at = new Date().toISOString();
    if (found.kind === 'image') return { asked, at, object: await this.#image(found, signal), containers: [], pulls: [] };
    const pod = podOf(found.name);
    // The name begins with the pod's. What has no name is found by its id alone.
    const all = await this.#operations([pod, ...found.ids.slice(-MOST_TEXTS)], signal);
    const ownPulls = all.filter(({ what, subject }) => what === 'pull image' && subject.name === pod);
    const pulls = [...ownPulls, ...joinedBy(ownPulls)].sort((one, other) => one.startedAtMs - other.startedAtMs);
    if (found.kind === 'container') {
      const object = await this.#container(found, all);
      const own = pulls.filter(
        ({ subject }) => object.image === undefined || subject.image === undefined || sameImage(subject.image, object.image),
      );
      return { asked, at, object, containers: [], pulls: await this.#told(own) };
    }
    const ofPod = all.filter(
      ({ what, subject }) =>
        what !== 'pull image' &&
        (podOf(subject.name) === found.name || (subject.sandboxId !== undefined && found.ids.includes(subject.sandboxId))),
    );
    const itsContainers = this.#containersOf(found, ofPod);
    const most = Math.min(MOST_OPERATIONS, Math.floor(MOST_OF_CONTAINERS / Math.max(1, itsContainers.length)));
    const containers = await Promise.all(itsContainers.map(async (each) => this.#container(each, ofPod, most)));
    return { asked, at, object: await this.#pod(found, ofPod), containers, pulls: await this.#told(pulls) };
  }

  async #pod({ kind, name, ids }: FoundObject, all: readonly Operation[]): Promise<ExplainedObject> {
    const { store } = this.#parts.sandboxes;
    const creating = store.listCreating().find(({ id }) => ids.includes(id));
    const id = creating?.id ?? ids.findLast((each) => store.get(each) !== undefined) ?? ids.at(-1) ?? '';
    const live = store.get(id);
    const record = live?.record ?? creating;
    const state = live?.state.is ?? (creating === undefined ? 'gone' : 'Creating');
    const reason = live?.state.is === 'Lost' ? live.state.reason : undefined;
    const own = all.filter(({ subject }) => !isOfContainer(subject));
    return {
      kind,
      id,
      name,
      state,
      ...present({ reason, createdAt: record && isoTime(record.createdAtNs) }),
      ...othersOf(ids, id),
      ...(await this.#toldLast(own)),
    };
  }

  async #container({ kind, name, ids }: FoundObject, all: readonly Operation[], most = MOST_OPERATIONS): Promise<ExplainedObject> {
    const { store } = this.#parts.containers;
    const creating = store.listCreating().find(({ id }) => ids.includes(id));
    const id = creating?.id ?? ids.findLast((each) => store.get(each) !== undefined) ?? ids.at(-1) ?? '';
    const live = store.get(id);
    const record = live?.record ?? creating;
    const own = all.filter(({ subject }) => {
      if (!isOfContainer(subject)) return false;
      return subject.containerId === undefined ? subject.name === name && name !== '' : ids.includes(subject.containerId);
    });
    const last = own.findLast(({ subject }) => subject.image !== undefined)?.subject;
    const sandboxId = record?.sandboxId ?? own.at(-1)?.subject.sandboxId;
    return {
      kind,
      id,
      name,
      state: live?.state.is ?? (creating === undefined ? 'gone' : 'Creating'),
      ...present({
        createdAt: record && isoTime(record.createdAtNs),
        sandboxId,
        image: record === undefined ? last?.image : imageOf(record.config),
      }),
      ...(live === undefined ? endOf(own, id) : stateOf(live)),
      ...othersOf(ids, id),
      ...(await this.#toldLast(own, most)),
    };
  }

  async #image({ kind, name, ids }: FoundObject, signal: AbortSignal): Promise<ExplainedObject> {
    const { images } = this.#parts;
    const record = images.resolve(ids[0] ?? name);
    const names = [name, ...(record?.names ?? [])];
    // In whatever spelling a name is written, its last part is in it.
    const parts = [...new Set(names.map(lastPart))].slice(0, MOST_TEXTS);
    const found = await this.#operations([record?.id ?? '', ...parts], signal);
    const whole = new Set([wholeName(name), ...(record?.names ?? [])]); // those of a record are whole
    const own = found.filter((operation) => {
      const { what, facts } = operation;
      if (what !== 'pull image' && what !== 'load image') return false;
      if (imagesOf(operation).some((image) => whole.has(wholeName(image)))) return true;
      const { imageId, imageIds = '' } = facts;
      return record !== undefined && [imageId, ...String(imageIds).split(' ')].includes(record.id);
    });
    const isPulled = own.some(({ durationMs }) => durationMs === undefined);
    return {
      kind,
      id: record?.id ?? '',
      name: name === '' ? (record?.names[0] ?? '') : name,
      state: isPulled ? 'being pulled' : record === undefined ? 'gone' : 'present',
      ...(await this.#toldLast(own)),
    };
  }

  /** The containers of a pod, those of one name together. */
  #containersOf(pod: FoundObject, all: readonly Operation[]): FoundObject[] {
    const groups = new Map<string, Set<string>>();
    const add = (name: string, id: string | undefined): void => {
      const group = groups.get(name) ?? new Set();
      groups.set(name, group);
      if (id !== undefined) group.add(id);
    };
    for (const { subject } of all) if (isOfContainer(subject)) add(subject.name ?? '', subject.containerId);
    for (const { record } of this.#parts.containers.store.list()) {
      const sandbox = this.#parts.sandboxes.store.get(record.sandboxId)?.record;
      if (sandbox !== undefined && pod.ids.includes(record.sandboxId)) add(containerTitle(sandbox, record.config), record.id);
    }
    return [...groups].slice(-MOST_CONTAINERS).map(([name, ids]) => ({ kind: 'container', name, ids: [...ids] }));
  }

  /** All that is there, or being made. */
  #present(): Candidate[] {
    const { sandboxes, containers, images } = this.#parts;
    const pods = [...sandboxes.store.list().map(({ record }) => record), ...sandboxes.store.listCreating()];
    const made = [...containers.store.list().map(({ record }) => record), ...containers.store.listCreating()];
    return [
      ...operationsUnderWay().flatMap(candidatesOf),
      ...pods.map(({ id, config }): Candidate => ({ kind: 'pod', id, name: podTitle(config.metadata) })),
      ...made.map(({ id, sandboxId, config }): Candidate => {
        const sandbox = pods.find((pod) => pod.id === sandboxId);
        return { kind: 'container', id, name: sandbox === undefined ? '' : containerTitle(sandbox, config) };
      }),
      ...images.list().flatMap(({ id, names }) => ['', ...names].map((name): Candidate => ({ kind: 'image', id, name }))),
    ];
  }

  /** What was and is done that has one of `texts` in it, oldest first. */
  async #operations(texts: readonly string[], signal: AbortSignal): Promise<Operation[]> {
    const wanted = texts.filter((text) => text !== '');
    const past = await this.#past(wanted, signal);
    const now = operationsUnderWay().filter(({ subject }) => {
      const written = JSON.stringify(subject);
      return wanted.some((text) => written.includes(text));
    });
    return [...past, ...now].sort((one, other) => one.startedAtMs - other.startedAtMs);
  }

  async #past(texts: readonly string[], signal: AbortSignal): Promise<Operation[]> {
    const found: Operation[] = [];
    let steps = 0;
    for await (const operation of this.#parts.history.find(texts, signal)) {
      found.push(operation);
      steps += weightOf(operation);
      while (found.length > MOST_LOOKED_AT || steps > MOST_STEPS_LOOKED_AT) steps -= weightOf(found.shift());
    }
    return found;
  }

  async #toldLast(operations: readonly Operation[], most = MOST_OPERATIONS): Promise<Pick<ExplainedObject, 'operations' | 'left'>> {
    const last = operations.slice(-most);
    return { operations: await this.#told(last), left: operations.length - last.length };
  }

  async #told(operations: readonly Operation[]): Promise<ExplainedOperation[]> {
    const underWay = new Set(operationsUnderWay());
    return Promise.all(operations.slice(-MOST_OPERATIONS).map(async (each) => explainOperation(each, underWay.has(each), this.#tellWait)));
  }
}

function stateOf({ state }: Container): Pick<ExplainedObject, 'pid' | 'startedAt' | 'end'> {
  const isAlive = state.is === 'Created' || state.is === 'Starting' || state.is === 'Running' || state.is === 'Parked';
  const startedAt = 'startedAtNs' in state && state.startedAtNs !== undefined ? isoTime(state.startedAtNs) : undefined;
  const end =
    'exitCode' in state && 'finishedAtNs' in state
      ? { exitCode: state.exitCode, reason: String(state.reason), message: state.message ?? '', finishedAt: isoTime(state.finishedAtNs) }
      : undefined;
  return present({ pid: isAlive && state.process.pid > 0 ? state.process.pid : undefined, startedAt, end });
}

/** How a container ended that is gone, as its history tells. */
function endOf(operations: readonly Operation[], id: string): Pick<ExplainedObject, 'end'> {
  const exit = operations.findLast(({ what, subject }) => what === 'container exit' && subject.containerId === id);
  if (exit === undefined) return {};
  const { exitCode, reason, message = '' } = exit.facts;
  const finishedAt = new Date(exit.startedAtMs).toISOString();
  return { end: { exitCode: Number(exitCode), reason: String(reason), message: String(message), finishedAt } };
}

/** The pulls under way of the same images, which somebody else has begun: some of `pulls` may wait for them. */
function joinedBy(pulls: readonly Operation[]): Operation[] {
  const images = pulls.flatMap(({ durationMs, subject }) =>
    durationMs === undefined && subject.image !== undefined ? [subject.image] : [],
  );
  return operationsUnderWay().filter(
    (each) => each.what === 'pull image' && !pulls.includes(each) && images.some((image) => sameImage(image, each.subject.image ?? '')),
  );
}

function othersOf(ids: readonly string[], id: string): Pick<ExplainedObject, 'others'> {
  const others = ids.filter((each) => each !== id);
  return others.length === 0 ? {} : { others };
}

function weightOf(operation: Operation | undefined): number {
  return (operation?.steps.length ?? 0) + (operation?.notes.length ?? 0);
}

/** Of an image's name what all its spellings have: `busybox` of `docker.io/library/busybox:1`. */
function lastPart(name: string): string {
  return /([^/:@]+)(?:[:@][^/]*)?$/.exec(name)?.[1] ?? name;
}

function sameImage(one: string, other: string): boolean {
  return wholeName(one) === wholeName(other);
}

/** The same for all spellings of one name. */
function wholeName(text: string): string {
  return imageName(text) ?? text;
}

function layerWords(pulls: readonly PullSnapshot[], image: string | undefined, detail: string): string {
  const layers = pulls.filter((pull) => pull.image === image).flatMap((pull) => pull.layers);
  const layer = layers.find(({ digest }) => digest !== undefined && detail.includes(digest));
  if (layer === undefined) return '';
  const { receivedBytes, wantedBytes, bytesPerSecond, host, retries, lastError } = layer;
  const words = [`${receivedBytes} of ${wantedBytes ?? 'an unknown number of'} bytes have come`, `${bytesPerSecond} bytes a second`];
  if (host !== undefined) words.push(`from ${host}`);
  if (retries > 0) words.push(`${retries} retries, the last for: ${lastError ?? ''}`);
  return words.join(', ');
}
