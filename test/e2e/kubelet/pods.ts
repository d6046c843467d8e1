import { loadYaml } from '@kubernetes/client-node';
import type { V1Container, V1ContainerStatus, V1ObjectMeta, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { IMAGES } from '../../support/test-image.ts';

/** The node's name; static pods carry it at the end of theirs. */
export const NODE_NAME = 'podwright-test';

/** Scripts of containers: one that ends when it is asked to, and a web server on port 8080. */
export const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
export const HTTPD = 'mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';

/** A pod as the tests write it: its name and its containers are always there. */
export type PodManifest = V1Pod & { readonly metadata: V1ObjectMeta & { readonly name: string }; readonly spec: V1PodSpec };

/** A pod of one or more containers, without a grace period worth waiting for. */
export function pod(name: string, containers: V1Container[], spec: Partial<V1PodSpec> = {}): PodManifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 2, dnsPolicy: 'Default', containers, ...spec },
  };
}

/** A container that runs a shell script in busybox. */
export function container(name: string, script: string, rest: Partial<V1Container> = {}): V1Container {
  return { name, image: IMAGES.busybox, imagePullPolicy: 'Never', command: ['sh', '-c', script], ...rest };
}

/** What the kubelet says of one container. `containerID` is "podwright://...", or empty where there was none yet. */
export type ContainerView = Pick<V1ContainerStatus, 'name' | 'ready' | 'restartCount' | 'imageID'> &
  Required<Pick<V1ContainerStatus, 'containerID' | 'state' | 'lastState'>>;

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

/** From the PodList of the kubelet's /pods, whose items are null where there are none. */
export function podsFromKubelet(json: string): PodStatus[] {
  const { items } = loadYaml<{ readonly items: readonly V1Pod[] | null }>(json); // JSON is YAML
  return (items ?? []).map(podFromKubelet);
}

function podFromKubelet({ metadata, status }: V1Pod): PodStatus {
  return {
    name: (metadata?.name ?? '').replace(new RegExp(`-${NODE_NAME}$`), ''),
    uid: metadata?.uid ?? '',
    phase: status?.phase ?? '',
    podIP: status?.podIP ?? '',
    ready: status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True',
    containers: (status?.containerStatuses ?? []).map(containerFromKubelet),
    initContainers: (status?.initContainerStatuses ?? []).map(containerFromKubelet),
  };
}

/** JSON from the kubelet leaves out what is empty. */
function containerFromKubelet(status: V1ContainerStatus): ContainerView {
  const { name, ready, restartCount, imageID, containerID = '', state = {}, lastState = {} } = status;
  return { name, ready, restartCount, imageID, containerID, state, lastState };
}
