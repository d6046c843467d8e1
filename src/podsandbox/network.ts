import type { AttachRequest, DetachRequest } from '../cni/networks.ts';
import type { SandboxRecord } from './sandbox.ts';

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

/** Pod annotations that set the bandwidth capability's rates, as the kubelet's users know them (bits per second). */
const INGRESS_RATE = 'kubernetes.io/ingress-bandwidth';
const EGRESS_RATE = 'kubernetes.io/egress-bandwidth';

/** What CNI is asked for a sandbox (CNI conventions: port mappings, bandwidth, dns). */
export function attachRequest(record: SandboxRecord, netnsPath: string): AttachRequest {
  const { config } = record;
  const portMappings = config.portMappings
    .filter((mapping) => mapping.hostPort > 0)
    .map((mapping) => ({
      hostPort: mapping.hostPort,
      containerPort: mapping.containerPort,
      protocol: PROTOCOLS[mapping.protocol as 0 | 1 | 2],
      hostIP: mapping.hostIp,
    }));
  const ingress = parseRate(config.annotations[INGRESS_RATE]);
  const egress = parseRate(config.annotations[EGRESS_RATE]);
  return {
    containerId: record.id,
    netnsPath,
    pod: podOf(record),
    capabilityArgs: {
      ...(portMappings.length > 0 ? { portMappings } : {}),
      ...(ingress === undefined && egress === undefined
        ? {}
        : { bandwidth: { ...(ingress === undefined ? {} : { ingressRate: ingress }), ...(egress === undefined ? {} : { egressRate: egress }) } }),
    },
  };
}

/** The namespace's path is left out where it is gone. */
export function detachRequest(record: SandboxRecord, netnsPath: string | undefined): DetachRequest {
  return { containerId: record.id, netnsPath, pod: podOf(record) };
}

function podOf(record: SandboxRecord): AttachRequest['pod'] {
  const { name = '', namespace = '', uid = '' } = record.config.metadata ?? {};
  return { name, namespace, uid };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };

/** A resource quantity such as `10M` in bits per second; undefined where it is none. */
export function parseRate(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKMGTP]i?)?$/.exec(text ?? '');
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}
