import { messages } from '../../api/nri/messages.ts';
import type { ContainerAdjustment, Init, LinuxContainerAdjustment, LinuxResources } from '../../api/nri/messages.ts';
import type { AdjustmentContext } from '../../src/ocispec/nri-context.ts';
import { HOST, HOST_MOUNTS, RUNTIME } from './spec-inputs.ts';

/** Messages as the wire hands them on: what is not given has its default. */
export const adjustment = (init: Init<ContainerAdjustment>): ContainerAdjustment =>
  messages.ContainerAdjustment.decode(messages.ContainerAdjustment.encode(init));
export const linuxAdjustment = (linux: Init<LinuxContainerAdjustment>): ContainerAdjustment => adjustment({ linux });
export const nriResources = (init: Init<LinuxResources>): LinuxResources =>
  messages.LinuxResources.decode(messages.LinuxResources.encode(init));

/** A runtime and a host that can do all of it. */
export const ABLE: AdjustmentContext = {
  runtime: {
    ...RUNTIME,
    idmapMounts: true,
    netDevices: true,
    scheduling: true,
    timeNamespace: true,
    rdtSchemata: true,
    rdtMonitoring: true,
    memoryPolicy: ['MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_F_STATIC_NODES'],
  },
  host: HOST,
  hostMounts: [...HOST_MOUNTS, { ...HOST_MOUNTS[0]!, target: '/sys/fs/resctrl', type: 'resctrl' }],
  deviceSources: new Map(),
};
