import { join } from 'node:path';
import type { Settings } from './schema.ts';

/**
 * What lies directly below the two directories of the configuration: `root`, which outlives a reboot, and `run_dir`, which does
 * not. What an object has in its own directory is told by its class. docs/disk-layout.md shows all of it.
 */
export class DiskLayout {
  readonly #root: string;
  readonly #runDir: string;
  readonly #imagestore: string;

  constructor({ root, runDir, imagestore }: Pick<Settings, 'root' | 'runDir' | 'imagestore'>) {
    this.#root = root;
    this.#runDir = runDir;
    this.#imagestore = imagestore;
  }

  /** Held by the daemon that works on this root. */
  get lockFile(): string {
    return join(this.#root, 'daemon.lock');
  }

  get sandboxRecords(): string {
    return join(this.#root, 'sandboxes');
  }

  get containerRecords(): string {
    return join(this.#root, 'containers');
  }

  /** The version of the daemon that has worked on this root last. */
  get lastVersion(): string {
    return join(this.#root, 'version');
  }

  /** Records of sandboxes and containers that cannot be read, set aside for a person to look at. */
  get bad(): string {
    return join(this.#root, 'bad');
  }

  /** What was done of late, for explanations. */
  get history(): string {
    return join(this.#root, 'history');
  }

  /** What CNI plugins have attached, and what is still to be released. */
  get cni(): string {
    return join(this.#root, 'cni');
  }

  /** Images, and what containers have written. */
  get storage(): string {
    return join(this.#root, 'storage');
  }

  /** Images alone: a directory of the root, or what `imagestore` names. */
  get imageStorage(): string {
    return this.#imagestore === '' ? this.storage : this.#imagestore;
  }

  /** Held by the daemon that works on an image store outside of its root. */
  get imagestoreLock(): string | undefined {
    return this.#imagestore === '' ? undefined : join(this.#imagestore, 'daemon.lock');
  }

  get blobs(): string {
    return join(this.imageStorage, 'blobs');
  }

  get layers(): string {
    return join(this.imageStorage, 'layers');
  }

  get imageRecords(): string {
    return join(this.imageStorage, 'images');
  }

  get writableLayers(): string {
    return join(this.storage, 'rootfs');
  }

  /** What a pod has written in the eyes of cAdvisor: nothing. Its `diff` is empty. */
  get noLayer(): string {
    return join(this.storage, 'no-layer');
  }

  /** There for a moment of each start: whether root file systems can have the owners of a user namespace is tried in it. */
  get userNamespaceProbe(): string {
    return join(this.imageStorage, 'userns-probe');
  }

  /** Where the CRI is served, unless the configuration names a place. */
  get criSocket(): string {
    return join(this.#runDir, 'podwright.sock');
  }

  get adminSocket(): string {
    return join(this.#runDir, 'admin.sock');
  }

  /** The state of an OCI runtime, unless the configuration names a place. */
  runtimeRoot(handler: string): string {
    return join(this.#runDir, 'runtime', handler);
  }

  get namespaces(): string {
    return join(this.#runDir, 'ns');
  }

  get sandboxFiles(): string {
    return join(this.#runDir, 'sandboxes');
  }

  get infra(): string {
    return join(this.#runDir, 'infra');
  }

  get networkCgroups(): string {
    return join(this.#runDir, 'network-cgroups');
  }

  get bundles(): string {
    return join(this.#runDir, 'bundles');
  }

  get execs(): string {
    return join(this.#runDir, 'exec');
  }

  /** Where conmon writes a file for each container that has ended, and has its sockets. */
  get exits(): string {
    return join(this.#runDir, 'exits');
  }

  /** There while signatures are verified. */
  get gpg(): string {
    return join(this.#runDir, 'gpg');
  }

  /** Which built-in AppArmor profile this boot has loaded. */
  get apparmorState(): string {
    return join(this.#runDir, 'apparmor');
  }

  /** The processes of NRI plugins that the daemon has started. */
  get nriProcesses(): string {
    return join(this.#runDir, 'nri.json');
  }

  /** Whose OOM kills have been told. */
  get oomLedger(): string {
    return join(this.#runDir, 'oom.json');
  }
}
