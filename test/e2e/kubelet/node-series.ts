/** What a kubelet says of the same pods on two nodes, in a form in which both are alike. */
import { readJson } from 'fs-extra/esm';
import { container, NODE_NAME, pod, SLEEP } from './pods.ts';
import type { PodManifest } from './pods.ts';

/** A pod with and one without an infra container, and one on the node's network. Their names are theirs alone. */
export const SEEN_PODS: readonly PodManifest[] = [
  pod('seen', [
    container('main', `head -c 1000000 /dev/zero >/written; ${SLEEP}`, {
      resources: { requests: { memory: '32Mi', cpu: '100m' }, limits: { memory: '64Mi', cpu: '1' } },
    }),
    container('second', SLEEP),
  ]),
  pod('seen-shared', [container('main', SLEEP)], { shareProcessNamespace: true }),
  pod('seen-host', [container('main', SLEEP)], { hostNetwork: true }),
];

/** The lists that scripts/record-crio-series.ts has written. */
export interface NodeSeries {
  /** What they were recorded with. */
  readonly recordedWith: string;
  /** Of /metrics/cadvisor: `name{label="value",...}` of the pods that are seen. */
  readonly cadvisor: readonly string[];
  /** Of /stats/summary: the path of each figure, of the node and of the pods that are seen. */
  readonly summary: readonly string[];
}

export async function readCrioSeries(): Promise<NodeSeries> {
  return (await readJson(new URL('../../fixtures/crio-node-series.json', import.meta.url).pathname)) as NodeSeries;
}

/** What is missing of the wanted list, and what there is besides, of metrics that the wanted list has: other kernels have others. */
export function compareSeries(
  wanted: readonly string[],
  found: readonly string[],
): { readonly missing: string[]; readonly further: string[] } {
  const [has, wants] = [new Set(found), new Set(wanted)];
  const metrics = new Set(wanted.map(metricOf));
  return {
    missing: wanted.filter((one) => !has.has(one)),
    further: found.filter((one) => !wants.has(one) && metrics.has(metricOf(one))),
  };
}

function metricOf(series: string): string {
  return series.split('{')[0] ?? '';
}

const LINE = /^(\w+)\{(.*)\} \S+/gm;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
/** How many processors and disks a machine has is not the runtime's. */
const OF_MACHINE = new Set(['cpu', 'device']);

/** The series of the pods that are seen, on a page of /metrics/cadvisor. @param cgroupRoot above kubepods */
export function cadvisorSeries(page: string, cgroupRoot: string): string[] {
  const lines = new Set<string>();
  const uids = new Set<string>();
  const all = [...page.matchAll(LINE)].map(([, name = '', labels = '']) => ({
    name,
    labels: [...labels.matchAll(LABEL)].map(([, label = '', value = '']) => [label, value] as const),
  }));
  const valueOf = (labels: (typeof all)[number]['labels'], wanted: string): string => labels.find(([label]) => label === wanted)?.[1] ?? '';
  for (const { labels } of all) {
    if (!isSeen(valueOf(labels, 'pod'))) continue;
    const uid = /\/pod([0-9a-f-]+)/.exec(valueOf(labels, 'id'))?.[1];
    if (uid !== undefined) uids.add(uid);
  }
  for (const { name, labels } of all) {
    const uid = /\/pod([0-9a-f-]+)/.exec(valueOf(labels, 'id'))?.[1] ?? '';
    // A monitor's cgroup: docs/cadvisor.md.
    if (!uids.has(uid) || valueOf(labels, 'id').includes('/podwright-conmon-')) continue;
    const isPod = valueOf(labels, 'container') === 'POD';
    const isOnHost = valueOf(labels, 'pod') === `seen-host-${NODE_NAME}`;
    const told = labels.map(([label, value]) => `${label}="${normalized(label, value, { cgroupRoot, isPod, isOnHost })}"`).sort();
    lines.add(`${name}{${told.join(',')}}`);
  }
  return [...lines].sort();
}

function isSeen(podName: string): boolean {
  return SEEN_PODS.some(({ metadata: { name } }) => podName === `${name}-${NODE_NAME}`);
}

/** Ids, the cgroups' naming, and the pause image's name are the runtime's own. */
function normalized(
  label: string,
  value: string,
  { cgroupRoot, isPod, isOnHost }: { readonly cgroupRoot: string; readonly isPod: boolean; readonly isOnHost: boolean },
): string {
  if (OF_MACHINE.has(label) && value !== '') return '*';
  if (label === 'image' && value !== '') return isPod ? 'PAUSE' : 'IMAGE'; // its value is another case's
  if (label === 'interface') return interfaceName(value, isOnHost);
  const text = value.replaceAll(/[0-9a-f]{64}/g, 'ID').replaceAll(/\b(pod|_)?[0-9a-f]{32}\b/g, '$1UID');
  if (label !== 'id') return text.replace(/_[0-9a-f]{32}_/, '_UID_');
  const own = text.startsWith(cgroupRoot) ? text.slice(cgroupRoot.length) : text;
  return own.replace(/\/(crio-|podwright-)?(conmon-)?ID(\.scope)?$/, '/$2ID');
}

/** A pod's own, or one of the node's: what those are called, and how many there are, is the node's. */
function interfaceName(name: string, isOnHost: boolean): string {
  return name === 'eth0' && !isOnHost ? name : '*';
}

/** The paths of all figures in an answer of /stats/summary; a list's entries go by their names. */
export function summarySeries(text: string): string[] {
  const { node, pods } = JSON.parse(text) as {
    readonly node: object;
    readonly pods: readonly { readonly podRef: { readonly name: string } }[];
  };
  const lines = new Set<string>();
  collect('node', { ...node, network: undefined }, lines);
  for (const one of pods.filter(({ podRef }) => isSeen(podRef.name))) collect(`pod ${one.podRef.name}`, one, lines);
  return [...lines].sort();
}

function collect(path: string, value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) {
    into.add(path);
    return;
  }
  const entries = Array.isArray(value)
    ? value.map((one: { readonly name?: string }, at) => [one.name ?? String(at), one] as const)
    : Object.entries(value as Record<string, unknown>);
  for (const [name, one] of entries) {
    // Which interfaces there are beside the pod's own is the node's.
    const isOther = path.endsWith('.interfaces') && (name !== 'eth0' || path.startsWith('pod seen-host-'));
    if (one !== undefined && !isOther) collect(`${path}.${name}`, one, into);
  }
}
