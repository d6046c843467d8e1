import type { ContainerConfig } from '../../api/cri/runtime.ts';
import {
  prepareMonitor,
  type MonitoredContainer,
  type MonitorRequest,
  type PreparedMonitor,
  type RestoreRequest,
} from '../ociruntime/monitor.ts';
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
  return prepareContainersMonitor(parts, record, work, Promise.resolve(), restore).create();
}

/** Starts its monitor, which then waits to be told to create it; see {@link prepareMonitor}. */
export function prepareContainersMonitor(
  parts: ContainerParts,
  record: ContainerRecord,
  work: AbortSignal,
  place: Promise<unknown>,
  restore?: RestoreRequest,
): PreparedMonitor {
  const config: ContainerConfig = record.config;
  const request: MonitorRequest = {
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
  };
  const monitor = prepareMonitor(parts.monitor, runtimeOf(parts, record), request, place);
  const create = async (): Promise<MonitoredContainer> =>
    monitor.create().catch(async (error: unknown) => {
      throw await inNameOfField(error, record);
    });
  return { create, discard: monitor.discard };
}
