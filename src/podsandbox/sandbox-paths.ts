import { join } from 'node:path';
import { LAYERS } from '../linux/namespaces.ts';
import { MonitoredBundle } from '../ociruntime/monitored-bundle.ts';
import type { SandboxRecord } from './sandbox.ts';

/** The directories below the run directory that have one entry for each sandbox. */
export interface SandboxDirectories {
  /** What containers mount of their pod: RUN/sandboxes. */
  readonly files: string;
  /** Pinned namespaces: RUN/ns. */
  readonly namespaces: string;
  /** Infra containers' bundles, and the root file system that they share: RUN/infra. */
  readonly infra: string;
  /** A link for each pod that has a cgroup without processes: RUN/network-cgroups. */
  readonly networkCgroups: string;
}

/** The namespaces that the containers of a pod join, each a path or `host`. */
export type PodNamespaces = Readonly<Record<'net' | 'ipc' | 'uts' | 'user', string>>;

/** The places of one sandbox on the disk besides its record. A reboot takes all of them. */
export class SandboxPaths {
  readonly #directories: SandboxDirectories;
  readonly #id: string;

  constructor(directories: SandboxDirectories, id: string) {
    this.#directories = directories;
    this.#id = id;
  }

  /** The pod's own files, each of which containers mount by itself. */
  get files(): string {
    return join(this.#directories.files, this.#id);
  }

  get hosts(): string {
    return join(this.files, 'hosts');
  }

  get resolvConf(): string {
    return join(this.files, 'resolv.conf');
  }

  get hostname(): string {
    return join(this.files, 'hostname');
  }

  /** The pod's /dev/shm, a tmpfs. */
  get shm(): string {
    return join(this.files, 'shm');
  }

  /** Has one file for each namespace that the pod has of its own, with the namespace mounted on it. */
  get namespaces(): string {
    return join(this.#directories.namespaces, this.#id);
  }

  /** The pod's network namespace, in a pod that has one of its own. */
  get netns(): string {
    return join(this.namespaces, 'net');
  }

  /** The pod's user namespace, in a pod that has one of its own. */
  get userns(): string {
    return join(this.namespaces, 'user');
  }

  /** All layers of images with the owners of the pod's user namespace, read-only. */
  get layers(): string {
    return join(this.namespaces, LAYERS);
  }

  /** The paths or `host` of the namespaces that the pod's containers join. */
  namespacesOf({ namespaces: { net, ipc, user } }: Pick<SandboxRecord, 'namespaces'>): PodNamespaces {
    return {
      net: net === 'pod' ? this.netns : 'host',
      ipc: ipc === 'pod' ? join(this.namespaces, 'ipc') : 'host',
      // A pod on the node's network has the node's name too.
      uts: net === 'pod' ? join(this.namespaces, 'uts') : 'host',
      user: user === undefined ? 'host' : this.userns,
    };
  }

  /** The bundle of the infra container. */
  get infra(): MonitoredBundle {
    const directory = join(this.#directories.infra, this.#id);
    return new MonitoredBundle(directory, join(directory, 'persist'));
  }

  /** What the infra container says: the pause program says nothing. */
  get infraLog(): string {
    return join(this.infra.directory, 'log');
  }
}

/** The root file system that all infra containers share, read-only. */
export function infraRootfs({ infra }: Pick<SandboxDirectories, 'infra'>): string {
  return join(infra, 'rootfs');
}
