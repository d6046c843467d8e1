/** What cAdvisor wants to know, as the daemon tells it. */
export interface CadvisorBackend {
  storage(): StorageFacts;
  /** A container, or the pod that a sandbox's id names, finished or still being made. */
  find(id: string): ContainerFacts | undefined;
}

export interface StorageFacts {
  /** Has what containers write. */
  readonly root: string;
  /** Has the images; it may be the same. */
  readonly images: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}

export interface ContainerFacts {
  readonly kind: 'container' | 'pod';
  readonly name: string;
  /** Of a pod: a process that is on the pod's network. undefined while there is none. */
  readonly pid: number | undefined;
  readonly image: string;
  readonly imageRef: string;
  readonly createdAtNs: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Empty where there is none. */
  readonly logPath: string;
  /** A directory in which `diff` is what it has written. */
  readonly root: string;
  readonly sandboxId: string;
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
}
