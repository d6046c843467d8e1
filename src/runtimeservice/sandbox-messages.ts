import { NamespaceMode, PodSandboxState } from '../../api/cri/enums.ts';
import type { Init, PodSandbox, PodSandboxFilter, PodSandboxStatus } from '../../api/cri/runtime.ts';
import { keptPerState } from '../base/kept-messages.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { hasLabels } from './labels.ts';

export function sandboxState(sandbox: Sandbox): PodSandboxState {
  return sandbox.state.is === 'Ready' ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
}

/** A sandbox as List answers it. */
export const podSandbox = keptPerState((sandbox: Sandbox): Init<PodSandbox> => ({
  id: sandbox.record.id,
  metadata: sandbox.record.config.metadata,
  state: sandboxState(sandbox),
  createdAt: sandbox.record.createdAtNs,
  labels: sandbox.record.config.labels,
  annotations: sandbox.record.config.annotations,
  runtimeHandler: sandbox.record.askedHandler ?? sandbox.record.runtimeHandler,
}));

/** A sandbox as PodSandboxStatus answers it: the kubelet compares the namespace options, and makes a new one on a difference. */
export function podSandboxStatus(sandbox: Sandbox): Init<PodSandboxStatus> {
  const { record, state } = sandbox;
  const [ip = '', ...additional] = state.network.ips;
  const options = record.config.linux?.securityContext?.namespaceOptions;
  return {
    ...podSandbox(sandbox),
    network: { ip, additionalIps: additional.map((address) => ({ ip: address })) },
    linux: {
      namespaces: { options: options ?? { network: NamespaceMode.POD, pid: NamespaceMode.POD, ipc: NamespaceMode.POD } },
    },
  };
}

/** Whether a sandbox is one of those asked for: id prefix, state and labels, all of them. */
export function sandboxMatches(sandbox: Sandbox, filter: PodSandboxFilter | undefined): boolean {
  if (filter === undefined) return true;
  if (filter.id !== '' && !sandbox.record.id.startsWith(filter.id)) return false;
  if (filter.state !== undefined && filter.state.state !== sandboxState(sandbox)) return false;
  return hasLabels(sandbox.record.config.labels, filter.labelSelector);
}
