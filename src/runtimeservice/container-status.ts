import { readFile } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { toPlainJson } from '../base/json.ts';
import { cgroupsPathOf, isAliveState, type Container } from '../container/container.ts';
import { containerStatusMessage } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function containerStatus(parts: RuntimeServiceParts): RuntimeServiceHandlers['containerStatus'] {
  return async (request) => {
    const container = parts.containers.get(request.containerId);
    return {
      status: containerStatusMessage(parts, container),
      info: request.verbose ? { info: toPlainJson(await containerInfo(parts, container)) } : {},
    };
  };
}

/** What `crictl inspect` shows besides the status. */
async function containerInfo(parts: RuntimeServiceParts, container: Container): Promise<Readonly<Record<string, unknown>>> {
  const { record, state } = container;
  const spec = await unlessMissing(readFile(parts.containers.bundleOf(record.id).specFile, 'utf8'), undefined);
  return {
    sandboxID: record.sandboxId,
    pid: isAliveState(state) ? state.process.pid : 0,
    state: state.is,
    name: record.name,
    runtimeHandler: record.runtimeHandler,
    cgroupsPath: cgroupsPathOf(container),
    ...(await parts.figures.strainOfContainer(container)),
    runtimeSpec: spec === undefined ? null : (JSON.parse(spec) as unknown),
    config: record.config,
  };
}
