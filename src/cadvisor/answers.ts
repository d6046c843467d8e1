import type { ContainerFacts, StorageFacts } from './backend.ts';

/** user_namespaces(7): all ids but the last. */
const ALL_IDS = [{ container_id: 0, host_id: 0, size: 4_294_967_295 }];

/** The label by which cAdvisor and the kubelet know what stands for a pod's network. */
const CONTAINER_NAME = 'io.kubernetes.container.name';
const POD_CONTAINER = 'POD';

/**
 * The answer to `GET /info`, in the words of CRI-O (pkg/types of cri-o/cri-o). cAdvisor takes the size of what a container has
 * written from its root's `diff` with the driver "overlay" alone, and with the cgroup driver "systemd" only scopes as containers.
 * The place of images is told where it is the same, too: without it a kubelet whose endpoint is CRI-O's socket finds no file system of
 * containers, and says so as an error.
 */
export function infoAnswer({ root, images, cgroupDriver }: StorageFacts): Readonly<Record<string, unknown>> {
  return {
    storage_driver: 'overlay',
    storage_image: images,
    storage_root: root,
    cgroup_driver: cgroupDriver,
    default_id_mappings: { uids: ALL_IDS, gids: ALL_IDS },
  };
}

/** The answer to `GET /containers/ID`, likewise. A pid of 0 makes cAdvisor ask again for the figures of a network. */
export function containerAnswer(facts: ContainerFacts): Readonly<Record<string, unknown>> {
  return {
    name: facts.name,
    pid: facts.pid ?? 0,
    image: facts.image,
    image_ref: facts.imageRef,
    created_time: Number(facts.createdAtNs), // to some 200 ns: JSON's numbers are doubles
    labels: facts.kind === 'pod' ? { ...facts.labels, [CONTAINER_NAME]: POD_CONTAINER } : facts.labels,
    annotations: facts.annotations,
    crio_annotations: {},
    log_path: facts.logPath,
    root: facts.root,
    sandbox: facts.sandboxId,
    ip_addresses: facts.ips,
    host_network: facts.hostNetwork,
  };
}
