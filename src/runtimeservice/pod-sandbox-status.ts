import { toJson } from '../base/json.ts';
import { nowNs } from '../base/time.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { containerStatusMessage } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { podSandboxStatus } from './sandbox-messages.ts';

export function podSandboxStatusRpc(parts: RuntimeServiceParts): RuntimeServiceHandlers['podSandboxStatus'] {
  return async (request) => {
    const sandbox = parts.sandboxes.get(request.podSandboxId);
    const containers = parts.containers.list().filter((container) => container.record.sandboxId === sandbox.record.id);
    return {
      status: podSandboxStatus(sandbox),
      containersStatuses: containers.map((container) => containerStatusMessage(parts, container)),
      timestamp: nowNs(),
      info: request.verbose ? { info: toJson(sandboxInfo(parts, sandbox)) } : {},
    };
  };
}

function sandboxInfo(parts: RuntimeServiceParts, sandbox: Sandbox): Readonly<Record<string, unknown>> {
  const { record, state } = sandbox;
  return {
    state: state.is,
    ...(state.is === 'Lost' ? { reason: state.reason } : {}),
    pid: state.infra?.process.pid ?? 0,
    name: record.name,
    namespaces: record.namespaces,
    cgroupParent: record.cgroupParent,
    runtimeHandler: record.runtimeHandler,
    cniResult: parts.networks.attachment(record.id)?.results,
    config: record.config,
  };
}
