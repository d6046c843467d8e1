import { flag, unixSocket } from './kinds.ts';
import { key, section } from './schema-nodes.ts';

/** The table `cadvisor`. */
export const cadvisorSection = section(
  "Names for the kubelet's cAdvisor, which asks CRI-O and containerd alone: /metrics/cadvisor gets container, pod, namespace, image and the pod's network. docs/cadvisor.md",
  {
    crioCompat: key(
      flag,
      false,
      "Whether we answer in CRI-O's place: new containers' cgroups are named crio-ID.scope, pods get a cgroup for their network, and cAdvisor is answered at the socket below.",
    ),
    socketPath: key(
      unixSocket,
      '/var/run/crio/crio.sock',
      'Where cAdvisor asks, a path that it has built in; the CRI is served there too. A socket on which another runtime answers is left to that one, with a warning, and names of cgroups stay as they are without this.',
    ),
  },
);
