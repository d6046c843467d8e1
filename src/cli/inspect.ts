import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import { toPlainJson } from '../base/json.ts';
import type { CriClient } from './cri-client.ts';
import { listObjects, oneOf } from './find-object.ts';
import { timeText } from './words.ts';

/** What the daemon says of a pod or container, all of it: its status and what it keeps besides. */
export async function inspectionOf(runtime: CriClient['runtime'], words: string): Promise<object> {
  const found = oneOf(await listObjects(runtime), words);
  if (found.kind === 'pod') {
    const { status, containersStatuses, info } = await runtime.podSandboxStatus({ podSandboxId: found.pod.id, verbose: true });
    return { kind: 'pod', status: readable(status, PodSandboxState), containers: containersStatuses.map((each) => readable(each, ContainerState)), ...parsed(info) }; // prettier-ignore
  }
  const { status, info } = await runtime.containerStatus({ containerId: found.container.id, verbose: true });
  return { kind: 'container', status: readable(status, ContainerState), ...parsed(info) };
}

const TIMES: readonly string[] = ['createdAt', 'startedAt', 'finishedAt'];

/** A status with the name of its state, and times that a person can read. */
function readable(status: object | undefined, states: Readonly<Record<string, number>>): unknown {
  const entries = Object.entries(status ?? {}).map(([key, value]: [string, unknown]) => {
    if (key === 'state') return [key, Object.entries(states).find(([, number]) => number === value)?.[0] ?? value];
    if (TIMES.includes(key) && typeof value === 'bigint') return [key, timeText(value) ?? null];
    return [key, value];
  });
  return JSON.parse(toPlainJson(Object.fromEntries(entries)));
}

/** Each entry of the verbose answer, as data where it is JSON. */
function parsed(info: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(info).map(([name, text]): [string, unknown] => {
      try {
        return [name, JSON.parse(text)];
      } catch {
        return [name, text];
      }
    }),
  );
}
