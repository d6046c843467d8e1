import type { NetworkAttachRequest, NetworkDetachRequest } from '../cni/attachment.ts';
import type { CapabilityArgs } from '../cni/capability-args.ts';
import { bandwidthOf } from './bandwidth.ts';
import { asksForDns } from './pod-files.ts';
import type { SandboxRecord } from './sandbox.ts';

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

/** What CNI is asked for a sandbox. */
export function attachRequest(record: SandboxRecord, netnsPath: string): NetworkAttachRequest {
  return { containerId: record.id, netnsPath, pod: podOf(record), handler: record.runtimeHandler, capabilityArgs: capabilityArgs(record) };
}

/**
 * All that plugins may want to know of a pod, the same as containerd and CRI-O give; each plugin is told what it declares
 * (CNI conventions, "Dynamic plugin specific fields").
 */
function capabilityArgs({ config }: SandboxRecord): CapabilityArgs {
  const portMappings = config.portMappings
    .filter((mapping) => mapping.hostPort > 0)
    .map((mapping) => ({
      hostPort: mapping.hostPort,
      containerPort: mapping.containerPort,
      protocol: PROTOCOLS[mapping.protocol as 0 | 1 | 2],
      hostIP: mapping.hostIp,
    }));
  const bandwidth = bandwidthOf(config.annotations);
  const { dnsConfig: dns } = config;
  const cgroupPath = config.linux?.cgroupParent ?? '';
  return {
    ...(portMappings.length > 0 ? { portMappings } : {}),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(asksForDns(dns) ? { dns: { servers: dns.servers, searches: dns.searches, options: dns.options } } : {}),
    ...(cgroupPath === '' ? {} : { cgroupPath }),
    'io.kubernetes.cri.pod-annotations': config.annotations,
  };
}

/** The namespace's path is left out where it is gone. */
export function detachRequest(record: SandboxRecord, netnsPath: string | undefined): NetworkDetachRequest {
  return { containerId: record.id, netnsPath, pod: podOf(record), handler: record.runtimeHandler };
}

function podOf(record: SandboxRecord): NetworkAttachRequest['pod'] {
  const { name = '', namespace = '', uid = '' } = record.config.metadata ?? {};
  return { name, namespace, uid };
}
