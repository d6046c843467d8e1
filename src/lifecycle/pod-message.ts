import type { LinuxNamespace, PodSandbox } from '../../api/nri/messages.ts';
import { nriResourcesOf, nriResourcesOfCri } from '../ocispec/nri-resources.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { podResources, type Sandbox } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';

/** A pod as plugins see it: what the CRI told of it, where its namespaces are, and its infra process where it has one. */
export async function podMessage(sandboxes: Pick<Sandboxes, 'runtimeSpec'>, sandbox: Sandbox): Promise<PodSandbox> {
  const { record, state } = sandbox;
  const { metadata, labels, annotations, linux } = record.config;
  // Ours: what infra.ts has written, or a part of a spec.
  const { linux: ofSpec } = (await sandboxes.runtimeSpec(sandbox)) as Partial<OciSpec>;
  const { overhead, resources } = podResources(sandbox);
  return {
    id: record.id,
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    namespace: metadata?.namespace ?? '',
    labels: { ...labels },
    annotations: { ...annotations },
    // As RunPodSandbox named it, like the CRI's own status.
    runtimeHandler: record.askedHandler ?? record.runtimeHandler,
    linux: {
      podOverhead: nriResourcesOfCri(overhead),
      podResources: nriResourcesOfCri(resources),
      cgroupParent: linux?.cgroupParent ?? '',
      cgroupsPath: ofSpec?.cgroupsPath ?? '',
      namespaces: namespacesOf(sandbox, ofSpec?.namespaces),
      resources: (ofSpec as Partial<OciSpec['linux']> | undefined)?.resources && nriResourcesOf(ofSpec?.resources ?? {}),
    },
    pid: infraPid(sandbox),
    ips: [...state.network.ips],
  };
}

/** 0 of a pod without an infra process, and when that has been ended. */
function infraPid({ state }: Sandbox): number {
  return isTakenDown(state.is) ? 0 : (state.infra?.process.pid ?? 0);
}

/** Of a stopped pod there are none any more. */
function namespacesOf(sandbox: Sandbox, namespaces: OciSpec['linux']['namespaces'] = []): LinuxNamespace[] {
  if (isTakenDown(sandbox.state.is)) return [];
  const pid = infraPid(sandbox);
  // The infra container has made its PID namespace itself, so its spec has no path to it.
  const pidPath = pid === 0 ? '' : `/proc/${pid}/ns/pid`;
  return namespaces.map(({ type, path = type === 'pid' ? pidPath : '' }) => ({ type, path }));
}

function isTakenDown(is: Sandbox['state']['is']): boolean {
  return is === 'NotReady' || is === 'Removing';
}
