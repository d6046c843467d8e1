import { toPlainJson } from '../base/json.ts';
import { podResources, type Sandbox } from '../podsandbox/sandbox.ts';
import { containerStatusMessages } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { podSandboxStatus } from './sandbox-messages.ts';

/**
 * Without a timestamp. With one, a kubelet with EventedPLEG would take the containers from this answer and not from its own
 * list; kubelet 1.37 then takes none of them as started, and runs the pod's init containers again (kuberuntime, GetPodStatus:
 * activeContainerStatuses stays empty). Without it the kubelet lists, as it does without the gate.
 */
export function podSandboxStatusRpc(parts: RuntimeServiceParts): RuntimeServiceHandlers['podSandboxStatus'] {
  return async (request) => {
    const sandbox = parts.sandboxes.get(request.podSandboxId);
    return {
      status: podSandboxStatus(sandbox),
      containersStatuses: containerStatusMessages(parts, sandbox.record.id),
      info: request.verbose ? { info: toPlainJson(await sandboxInfo(parts, sandbox)) } : {},
    };
  };
}

/** What `crictl inspectp` shows besides the status; tools find the path of the network namespace in runtimeSpec, as with the peers. */
async function sandboxInfo(parts: RuntimeServiceParts, sandbox: Sandbox): Promise<Readonly<Record<string, unknown>>> {
  const { record, state } = sandbox;
  return {
    state: state.is,
    ...(state.is === 'Lost' ? { reason: state.reason } : {}),
    pid: state.infra?.process.pid ?? 0,
    name: record.name,
    namespaces: record.namespaces,
    cgroupParent: record.cgroupParent,
    ...(await parts.figures.strainOfPod(sandbox)),
    runtimeHandler: record.runtimeHandler,
    ...podResources(sandbox),
    cniResult: parts.networks.attachment(record.id)?.results,
    runtimeSpec: await parts.sandboxes.runtimeSpec(sandbox),
    config: record.config,
  };
}
