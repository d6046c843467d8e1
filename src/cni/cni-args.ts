import { DaemonError } from '../base/errors.ts';
import type { PodIdentity } from './attachment-records.ts';

/** CNI_ARGS as Kubernetes plugins expect them. @throws {DaemonError} InvalidArgument where a value would end its pair. */
export function cniArgs(containerId: string, pod: PodIdentity): string {
  const pairs = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: containerId,
    K8S_POD_UID: pod.uid,
  };
  for (const [name, value] of Object.entries(pairs)) {
    if (/[;\0]/.test(value)) throw new DaemonError('InvalidArgument', `${name} for CNI plugins is "${value}", must be without ";"`);
  }
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${value}`)
    .join(';');
}
