/** What is asked of the cluster, in the fields of Kubernetes' API (node.k8s.io/v1, v1). */

/** Of a RuntimeClass. */
export interface RuntimeClass {
  readonly name: string;
  readonly handler: string;
  /** Resource to quantity, such as `cpu` to `100m`: what each pod of it costs beside its containers. */
  readonly overhead: Readonly<Record<string, string>>;
  /** Labels that a node must have. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Taints that its pods tolerate, besides those that a pod tolerates itself. */
  readonly tolerations: readonly Toleration[];
}

export interface Toleration {
  readonly key?: string;
  /** `Exists` or `Equal`, which is the default. */
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** Of a Node. */
export interface ClusterNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly isUnschedulable: boolean;
}

export interface Cluster {
  /** Where it is asked: the URL of its API server. */
  readonly server: string;
  readonly classes: readonly RuntimeClass[];
  /** Undefined where the node is not known; then `nodeFault` says why. */
  readonly node: ClusterNode | undefined;
  readonly nodeFault?: string;
}

/** A runtime handler of this node. */
export interface NodeHandler {
  readonly name: string;
  readonly program: string;
  /** Why its program cannot be run; undefined where it can. */
  readonly fault?: string;
  /** What its pods cannot have, in words. */
  readonly lacks: readonly string[];
}
