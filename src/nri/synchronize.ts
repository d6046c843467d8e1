import { setImmediate as nextTurn } from 'node:timers/promises';
import { messages } from '../../api/nri/messages.ts';
import type { Container, ContainerUpdate, PodSandbox } from '../../api/nri/messages.ts';
import { DaemonError } from '../base/errors.ts';
import type { Plugin } from './plugin.ts';

/**
 * Most of one request, bytes. A ttrpc message may have 4 MiB (github.com/containerd/ttrpc, channel.go: messageLengthMax); what is left
 * of it is for the names of service and method, and the time.
 */
export const MOST_BYTES = 4 * 1024 * 1024 - 4096;
/** How many objects are encoded at a time, so that the event loop goes on meanwhile. */
const ENCODED_AT_ONCE = 50;

/** The fields of SynchronizeRequest (api.proto), as they stand on the wire: number and type. */
const PODS_TAG = (1 << 3) | 2;
const CONTAINERS_TAG = (2 << 3) | 2;
const MORE = Uint8Array.of(3 << 3, 1);

interface Snapshot {
  readonly pods: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

/**
 * Tells a plugin of all pods and containers, in as many requests as they need, within `timeoutMs` together.
 * @returns what it wants updated; undefined where it did not answer, and has been dropped.
 * @throws {DaemonError} Internal where it cannot be synchronized.
 */
export async function synchronize(
  plugin: Plugin,
  snapshot: Snapshot,
  { timeoutMs, mostBytes = MOST_BYTES }: { readonly timeoutMs: number; readonly mostBytes?: number },
): Promise<ContainerUpdate[] | undefined> {
  const end = performance.now() + timeoutMs;
  const parts = await encodeParts(snapshot, mostBytes);
  for (const [index, part] of parts.entries()) {
    const more = index < parts.length - 1;
    const leftMs = end - performance.now();
    if (leftMs <= 0)
      throw new DaemonError(
        'DeadlineExceeded',
        `Synchronize: not finished after ${timeoutMs / 1000} s, at part ${index + 1} of ${parts.length}`,
      );
    const answer = await plugin.callEncoded('Synchronize', more ? Buffer.concat([part, MORE]) : part, leftMs);
    if (answer === undefined || !more) return answer?.update;
    // A plugin that does not know of parts takes the first for the whole.
    if (!answer.more || answer.update.length > 0)
      throw new DaemonError(
        'Internal',
        `NRI plugin ${plugin.label}: Synchronize: it does not take what there is in parts, and ${snapshot.containers.length} containers do not fit into one`,
      );
  }
  return [];
}

/** Requests without `more`. Each object is encoded once: a repeated field is its tag, its length and its bytes, one after the other. */
export async function encodeParts({ pods, containers }: Snapshot, mostBytes: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  let part: Uint8Array[] = [];
  let size = 0;
  const finish = (): void => {
    parts.push(Buffer.concat(part));
    part = [];
    size = 0;
  };
  let encoded = 0;
  const add = async (tag: number, what: string, bytes: Uint8Array): Promise<void> => {
    const field = Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes]);
    if (field.length + MORE.length > mostBytes)
      throw new DaemonError('ResourceExhausted', `${what} alone is ${field.length} bytes for an NRI plugin, must be at most ${mostBytes}`);
    if (size + field.length + MORE.length > mostBytes) finish();
    part.push(field);
    size += field.length;
    encoded += 1;
    if (encoded % ENCODED_AT_ONCE === 0) await nextTurn();
  };
  for (const pod of pods) await add(PODS_TAG, `pod sandbox ${pod.id}`, messages.PodSandbox.encode(pod));
  for (const container of containers) await add(CONTAINERS_TAG, `container ${container.id}`, messages.Container.encode(container));
  finish();
  return parts;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}
