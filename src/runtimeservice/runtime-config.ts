import { CgroupDriver } from '../../api/cri/enums.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

/** Tells the kubelet the cgroup driver (KEP-4033). */
export function runtimeConfig(parts: Pick<RuntimeServiceParts, 'cgroupDriver'>): RuntimeServiceHandlers['runtimeConfig'] {
  return async () => ({ linux: { cgroupDriver: parts.cgroupDriver === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS } });
}

/** The pod CIDR of the node: nothing is derived from it, since the CNI configuration is the network plugin's own affair. */
export const updateRuntimeConfig: RuntimeServiceHandlers['updateRuntimeConfig'] = async () => ({});
