import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { prepareMonitor, type MonitoredContainer, type PreparedMonitor } from '../ociruntime/monitor.ts';
import type { MonitorRequest, RestoreRequest } from '../ociruntime/spawn-monitor.ts';
import { hasHooks } from '../ocispec/hooks.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import type { ContainerRecord } from './container.ts';
import { inNameOfField } from './in-name-of-field.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';

/** Has the runtime restore the container under a monitor of its own. What is restored runs at once, so the monitor is in its place before. */
export async function restoreUnderMonitor(
  parts: ContainerParts,
  record: ContainerRecord,
  work: AbortSignal,
  restore: RestoreRequest,
): Promise<MonitoredContainer> {
  return prepareContainersMonitor(parts, record, work, {}, restore).create({});
}

/** What it needs, where that is being made. */
export interface MonitorNeeds {
  /** Those of the bundle and of the log, which it opens at once. */
  readonly directoriesMade?: Promise<unknown>;
  readonly cgroupMade?: Promise<unknown>;
}

/** Of one container. */
export interface ContainersMonitor extends Omit<PreparedMonitor, 'create'> {
  /** See {@link PreparedMonitor.create}. */
  readonly create: (spec: Pick<OciSpec, 'hooks'>) => Promise<MonitoredContainer>;
}

/** Starts its monitor, which then waits to be told to create it; see {@link prepareMonitor}. */
export function prepareContainersMonitor(
  parts: ContainerParts,
  record: ContainerRecord,
  work: AbortSignal,
  { directoriesMade, cgroupMade }: MonitorNeeds,
  restore?: RestoreRequest,
): ContainersMonitor {
  const config: ContainerConfig = record.config;
  const request: MonitorRequest = {
    containerId: record.id,
    name: record.name,
    bundle: bundleOf(parts, record.id),
    logPath: record.logPath === '' ? '/dev/null' : record.logPath,
    terminal: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    placeMonitor: async (pid) => {
      await cgroupMade;
      await parts.placement.placeMonitor(record.cgroupParent, record.id, pid);
    },
    timeoutMs: parts.createTimeoutMs(record.runtimeHandler),
    signal: work,
    restore,
  };
  const monitor = prepareMonitor(parts.monitor, runtimeOf(parts, record), request, directoriesMade ?? Promise.resolve());
  const { leavesNothing } = parts.runtimes.features(record.runtimeHandler);
  const create = async ({ hooks }: Pick<OciSpec, 'hooks'>): Promise<MonitoredContainer> =>
    monitor.create({ isPlacedFirst: !leavesNothing || hasHooks(hooks) || restore !== undefined }).catch(async (error: unknown) => {
      throw await inNameOfField(error, record);
    });
  return { create, discard: monitor.discard };
}
