import { mapSideBySide } from '../base/side-by-side.ts';
import { PodSandboxState } from '../../api/cri/enums.ts';
import type { ContainerStatus, PodSandbox } from '../../api/cri/runtime.ts';
import { CriError } from './cri-client.ts';
import type { CriClient } from './cri-client.ts';
import { shortId } from './find-object.ts';
import { fitTable } from './fit-table.ts';
import type { Column } from './fit-table.ts';
import { ageText, containerStateText, podStateText, timeText } from './words.ts';

/** How many pods are asked about at once. */
const AT_ONCE = 16;

export interface PodView {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
  readonly state: string;
  readonly createdAt: string | undefined;
  readonly ips: readonly string[];
  readonly runtimeHandler: string;
  readonly containers: readonly ContainerView[];
}

export interface ContainerView {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: string;
  readonly createdAt: string | undefined;
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  /** Of one that has exited. */
  readonly exitCode: number | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly image: string;
  readonly imageRef: string;
  readonly logPath: string | undefined;
}

/** The pods with their containers, by name. Without `all`: those that are ready, and of each container the newest attempt. */
export async function podViews(runtime: CriClient['runtime'], all: boolean): Promise<PodView[]> {
  const filter = all ? {} : { filter: { state: { state: PodSandboxState.SANDBOX_READY } } };
  const { items } = await runtime.listPodSandbox(filter);
  const pods = [...items].sort((a, b) => compare(sortKey(a), sortKey(b)) || Number(a.createdAt - b.createdAt));
  const views = await mapSideBySide(pods, AT_ONCE, async (pod) => podView(runtime, pod, all));
  return views.filter((view) => view !== undefined);
}

/** Undefined where the pod went in the meantime. */
async function podView(runtime: CriClient['runtime'], pod: PodSandbox, all: boolean): Promise<PodView | undefined> {
  try {
    const { status, containersStatuses } = await runtime.podSandboxStatus({ podSandboxId: pod.id });
    if (status === undefined) return undefined;
    const ips = [status.network?.ip ?? '', ...(status.network?.additionalIps ?? []).map(({ ip }) => ip)].filter((ip) => ip !== '');
    const { namespace = '', name = '', uid = '', attempt = 0 } = status.metadata ?? {};
    const containers = all ? sorted(containersStatuses) : newestAttempts(containersStatuses);
    return {
      id: pod.id,
      namespace,
      name,
      uid,
      attempt,
      state: podStateText(status.state),
      createdAt: timeText(status.createdAt),
      ips,
      runtimeHandler: status.runtimeHandler,
      containers: containers.map(containerView),
    };
  } catch (error) {
    if (error instanceof CriError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function containerView(status: ContainerStatus): ContainerView {
  const { id, metadata, state, createdAt, startedAt, finishedAt, exitCode, image, imageRef, reason, message, logPath } = status;
  const hasEnded = finishedAt !== 0n;
  return {
    id,
    name: metadata?.name ?? '',
    attempt: metadata?.attempt ?? 0,
    state: containerStateText(state),
    createdAt: timeText(createdAt),
    startedAt: timeText(startedAt),
    finishedAt: timeText(finishedAt),
    exitCode: hasEnded ? exitCode : undefined,
    reason: reason === '' ? undefined : reason,
    message: message === '' ? undefined : message,
    image: image?.userSpecifiedImage !== undefined && image.userSpecifiedImage !== '' ? image.userSpecifiedImage : (image?.image ?? ''),
    imageRef,
    logPath: logPath === '' ? undefined : logPath,
  };
}

function newestAttempts(statuses: readonly ContainerStatus[]): ContainerStatus[] {
  const byName = new Map<string, ContainerStatus>();
  for (const status of statuses) {
    const name = status.metadata?.name ?? '';
    const before = byName.get(name);
    if (before === undefined || before.createdAt < status.createdAt) byName.set(name, status);
  }
  return sorted([...byName.values()]);
}

function sorted(statuses: readonly ContainerStatus[]): ContainerStatus[] {
  return [...statuses].sort((a, b) => Number(a.createdAt - b.createdAt));
}

function sortKey({ metadata }: PodSandbox): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const COLUMNS: readonly Column[] = [
  { title: 'POD / CONTAINER', cut: { least: 16, keep: 'ends' } },
  { title: 'STATE' },
  { title: 'AGE', right: true },
  { title: 'RESTARTS', right: true },
  { title: 'IP / IMAGE', cut: { least: 15, keep: 'end' } },
  { title: 'ID' },
];

/** The pods as a table that is `width` wide, or as wide as it needs. */
export function podsText(pods: readonly PodView[], width: number | undefined, nowMs: number): string {
  const age = (at: string | undefined): string => (at === undefined ? '' : ageText(BigInt(Date.parse(at)) * 1_000_000n, nowMs));
  const rows = pods.flatMap((pod) => [
    [`${pod.namespace}/${pod.name}`, pod.state, age(pod.createdAt), String(pod.attempt), pod.ips.join(' '), shortId(pod.id)],
    ...pod.containers.map((container) => [
      `  ${container.name}`,
      container.exitCode === undefined ? container.state : `exit ${container.exitCode}`,
      age(container.createdAt),
      String(container.attempt),
      container.image,
      shortId(container.id),
    ]),
  ]);
  return `${fitTable(COLUMNS, rows, width).join('\n')}\n`;
}
