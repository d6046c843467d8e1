import type { SELinuxOption } from '../../api/cri/runtime.ts';

/** The labels of a container's processes and of its files. */
export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

/** As container-selinux names them. spc_t is "super privileged container", which SELinux does not confine. */
const USER = 'system_u';
const ROLE = 'system_r';
const FILE_ROLE = 'object_r';
const TYPE = 'container_t';
const PRIVILEGED_TYPE = 'spc_t';
const FILE_TYPE = 'container_file_t';
const LEVEL = 's0';

export interface SelinuxInput {
  /** The container's, else the sandbox's. */
  readonly options: SELinuxOption | undefined;
  readonly privileged: boolean;
  /** The pod's own level (`s0:c1,c2`), where the request names none. */
  readonly podLevel: string | undefined;
}

/** The labels `user:role:type:level`; what the request leaves empty has the usual value. */
export function selinuxLabels({ options, privileged, podLevel }: SelinuxInput): SelinuxLabels {
  const user = options?.user || USER;
  const role = options?.role || ROLE;
  const type = options?.type || (privileged ? PRIVILEGED_TYPE : TYPE);
  // A privileged container without a level sees the files of all pods.
  const level = options?.level || (privileged ? LEVEL : (podLevel ?? LEVEL));
  return { process: [user, role, type, level].join(':'), mount: [user, FILE_ROLE, FILE_TYPE, level].join(':') };
}
