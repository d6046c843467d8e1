import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { createMonitored, type MonitoredContainer, type RestoreRequest } from '../ociruntime/monitor.ts';
import type { ContainerRecord } from './container.ts';
import { inNameOfField } from './in-name-of-field.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

/** Has the runtime create the container under its monitor, or restore it. */
export async function monitorContainer(
  parts: ContainerParts,
  record: ContainerRecord,
  work: AbortSignal,
  restore?: RestoreRequest,
): Promise<MonitoredContainer> {
  const config: ContainerConfig = record.config;
  const making = createMonitored(parts.monitor, runtimeOf(parts, record), {
    containerId: record.id,
    name: record.name,
    bundle: bundleOf(parts, record.id),
    logPath: record.logPath === '' ? '/dev/null' : record.logPath,
    terminal: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    placeMonitor: async (pid) => parts.placement.placeMonitor(record.cgroupParent, record.id, pid),
    timeoutMs: parts.createTimeoutMs(record.runtimeHandler),
    signal: work,
    restore,
  });
  return making.catch(async (error: unknown) => {
    throw await inNameOfField(error, record);
  });
}
