import type { Cluster, ClusterNode, NodeHandler, RuntimeClass, Taint, Toleration } from './cluster.ts';

/**
 * What becomes of pods of a RuntimeClass on this node. `ok`: they start. `elsewhere`: the scheduler sends them to other nodes, and that is right,
 * or no harm. `limited`: they start, but not with all that a pod may ask for, or only those with tolerations of their own. `broken`: the
 * scheduler may send them here, and they do not start.
 */
export type Verdict = 'ok' | 'elsewhere' | 'limited' | 'broken';

export interface ClassReport {
  readonly name: string;
  readonly handler: string;
  readonly verdict: Verdict;
  /** What is, and what to do about it, a sentence each. */
  readonly reasons: readonly string[];
  readonly overhead: Readonly<Record<string, string>>;
}

export interface RuntimeClassReport {
  readonly server: string;
  /** The node that the classes were compared with; undefined where the cluster does not tell. */
  readonly node?: string;
  readonly nodeFault?: string;
  readonly classes: readonly ClassReport[];
  /** Handlers of this node that no RuntimeClass names: no pod can ask for them. */
  readonly unnamed: readonly string[];
}

/** Compares the cluster's RuntimeClasses with this node. */
export function judgeClasses({ server, classes, node, nodeFault }: Cluster, handlers: readonly NodeHandler[]): RuntimeClassReport {
  const named = new Set(classes.map(({ handler }) => handler));
  return {
    server,
    ...(node === undefined ? {} : { node: node.name }),
    ...(nodeFault === undefined ? {} : { nodeFault }),
    classes: [...classes].sort((one, other) => one.name.localeCompare(other.name, 'en')).map((each) => judgeClass(each, node, handlers)),
    unnamed: handlers.filter(({ name }) => !named.has(name)).map(({ name }) => name),
  };
}

function judgeClass(given: RuntimeClass, node: ClusterNode | undefined, handlers: readonly NodeHandler[]): ClassReport {
  const { name, handler, overhead } = given;
  const away = node === undefined ? [] : missingLabels(given, node);
  const start = whyNotStarted(handler, handlers);
  const report = (verdict: Verdict, reasons: readonly string[]): ClassReport => ({ name, handler, verdict, reasons, overhead });
  if (away.length > 0) return report('elsewhere', [...away, ...(start === undefined ? [] : [start])]);
  if (start !== undefined) {
    const advice =
      node === undefined ? [] : [`give the class a scheduling.nodeSelector that ${node.name} does not match, or this node the handler`];
    return report('broken', [start, ...advice]);
  }
  const limits = [
    ...(node === undefined ? [] : untolerated(given, node)),
    ...(handlers.find((each) => each.name === handler)?.lacks ?? []).map((lack) => `the handler cannot do ${lack}`),
  ];
  return limits.length === 0 ? report('ok', []) : report('limited', limits);
}

function whyNotStarted(handler: string, handlers: readonly NodeHandler[]): string | undefined {
  const found = handlers.find(({ name }) => name === handler);
  if (found === undefined) return `this node has no handler ${handler}: it has ${handlers.map(({ name }) => name).join(', ')}`;
  return found.fault === undefined ? undefined : `the program of handler ${handler}, ${found.program}, cannot be run: ${found.fault}`;
}

function missingLabels({ nodeSelector }: RuntimeClass, { name, labels }: ClusterNode): string[] {
  return Object.entries(nodeSelector)
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]) => {
      const has = labels[key];
      return `its pods go to nodes with ${key}=${value}, and ${name} has ${has === undefined ? 'no such label' : `${key}=${has}`}`;
    });
}

/** Taints that keep a pod away which tolerates no more than its class does. */
function untolerated({ tolerations }: RuntimeClass, { name, taints, isUnschedulable }: ClusterNode): string[] {
  const kept = taints
    .filter(({ effect }) => effect !== 'PreferNoSchedule')
    .filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)))
    .filter(({ key }) => !isUnschedulable || key !== 'node.kubernetes.io/unschedulable')
    .map(
      ({ key, value, effect }) =>
        `pods need a toleration of their own for ${key}${value === undefined || value === '' ? '' : `=${value}`}:${effect} of ${name}`,
    );
  return isUnschedulable ? [`${name} is cordoned: no pod is sent to it`, ...kept] : kept;
}

/** Kubernetes: Taints and Tolerations, and ToleratesTaint of k8s.io/api/core/v1. */
function tolerates({ key = '', operator = 'Equal', value = '', effect = '' }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  if (key === '') return false;
  const [ours, theirs] = [Number(value), Number(taint.value)];
  if (operator === 'Gt' || operator === 'Lt') return operator === 'Gt' ? theirs > ours : theirs < ours;
  return value === (taint.value ?? '');
}
