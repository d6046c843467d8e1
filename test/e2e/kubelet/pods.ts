import { IMAGES } from '../../support/test-image.ts';

/** The node's name; static pods carry it at the end of theirs. */
export const NODE_NAME = 'podwright-test';

/** Scripts of containers: one that ends when it is asked to, and a web server on port 8080. */
export const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
export const HTTPD = 'mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';

/** Of a Pod (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/) what the tests set. */
export interface PodManifest {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly ContainerManifest[];
    readonly initContainers?: readonly ContainerManifest[];
    readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
    readonly terminationGracePeriodSeconds?: number;
    readonly dnsPolicy?: 'Default';
    readonly volumes?: readonly object[];
  };
}

export interface Probe {
  readonly exec?: { readonly command: readonly string[] };
  readonly httpGet?: { readonly path: string; readonly port: number };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
  readonly timeoutSeconds?: number;
  readonly initialDelaySeconds?: number;
}

export interface ContainerManifest {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: 'Never';
  readonly command: readonly string[];
  readonly env?: readonly object[];
  readonly volumeMounts?: readonly object[];
  readonly resources?: { readonly limits?: Readonly<Record<string, string>>; readonly requests?: Readonly<Record<string, string>> };
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: object;
  readonly restartPolicy?: 'Always';
  readonly terminationMessagePolicy?: 'FallbackToLogsOnError';
}

/** A pod of one or more containers, without a grace period worth waiting for. */
export function pod(name: string, containers: readonly ContainerManifest[], spec: Partial<PodManifest['spec']> = {}): PodManifest {
  return {
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 2, dnsPolicy: 'Default', containers, ...spec },
  };
}

/** A container that runs a shell script in busybox. */
export function container(name: string, script: string, rest: Partial<ContainerManifest> = {}): ContainerManifest {
  return { name, image: IMAGES.busybox, imagePullPolicy: 'Never', command: ['sh', '-c', script], ...rest };
}

/** What the kubelet says of one container, in words of PodStatus. */
export interface ContainerView {
  readonly name: string;
  /** podwright://... */
  readonly containerID: string;
  readonly imageID: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: ContainerStateView;
  readonly lastState: ContainerStateView;
}

export interface ContainerStateView {
  readonly waiting?: { readonly reason: string; readonly message?: string };
  readonly running?: { readonly startedAt: string };
  readonly terminated?: TerminatedView;
}

export interface TerminatedView {
  /** podwright://... */
  readonly containerID: string;
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  /** RFC 3339, whole seconds. */
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface PodStatus {
  /** As in its manifest. */
  readonly name: string;
  readonly uid: string;
  readonly phase: string;
  readonly podIP: string;
  readonly ready: boolean;
  readonly containers: readonly ContainerView[];
  readonly initContainers: readonly ContainerView[];
}

/** From an item of the kubelet's /pods. */
export function podFromKubelet(item: unknown): PodStatus {
  const { metadata, status } = item as {
    metadata: { name: string; uid: string };
    status: {
      phase?: string;
      podIP?: string;
      conditions?: { type: string; status: string }[];
      containerStatuses?: Partial<ContainerView>[];
      initContainerStatuses?: Partial<ContainerView>[];
    };
  };
  return {
    name: metadata.name.replace(new RegExp(`-${NODE_NAME}$`), ''),
    uid: metadata.uid,
    phase: status.phase ?? '',
    podIP: status.podIP ?? '',
    ready: status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True',
    containers: (status.containerStatuses ?? []).map(containerFromKubelet),
    initContainers: (status.initContainerStatuses ?? []).map(containerFromKubelet),
  };
}

/** JSON from the kubelet leaves out what is empty. */
function containerFromKubelet(view: Partial<ContainerView>): ContainerView {
  return {
    name: view.name ?? '',
    containerID: view.containerID ?? '',
    imageID: view.imageID ?? '',
    ready: view.ready ?? false,
    restartCount: view.restartCount ?? 0,
    state: view.state ?? {},
    lastState: view.lastState ?? {},
  };
}
