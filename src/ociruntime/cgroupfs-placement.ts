import { hasErrno } from '../base/errors.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import { before, checkRequestedParent, crioName, idAtEnd, idsWithoutProcess, isOwnName, OWN_NAME_PREFIX } from './placement.ts';
import type { CgroupNaming, CgroupPlacement } from './placement.ts';

/** Below it are the pods that name no parent, each in a cgroup of its own. */
const DEFAULT_PARENT = '/podwright';
/** Between a pod's cgroup and a container's id in linux.cgroupsPath. */
const SEPARATOR = '/';
/** Of a directory, without what no log line should have. */
const NAME = /^[^\p{Cc}]{1,200}$/u;
/** How often a pod's cgroup is made again, while the last pod beside it takes the parent away. */
const ENSURE_ATTEMPTS = 3;

/** Cgroups that we make and remove ourselves. A parent is a path: `/kubepods/pod1`. */
export class CgroupfsPlacement implements CgroupPlacement {
  readonly driver = 'cgroupfs';
  naming: CgroupNaming = 'own';
  readonly #cgroups: Cgroups;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  parent(requested: string, sandboxId: string): string {
    checkRequestedParent(requested);
    if (requested === '') return `${DEFAULT_PARENT}/${sandboxId}`;
    return requested.startsWith('/') ? requested : `/${requested}`;
  }

  cgroupsPath(parent: string, id: string): string {
    return `${parent}${SEPARATOR}${this.naming === 'crio' ? crioName(id) : id}`;
  }

  parentOf(cgroupsPath: string, id: string): string | undefined {
    return before(cgroupsPath, `${SEPARATOR}${id}`) ?? before(cgroupsPath, `${SEPARATOR}${crioName(id)}`);
  }

  /** None: a cgroup has no properties beside its limits. */
  runtimeAnnotations(): Readonly<Record<string, string>> {
    return {};
  }

  parentDirectory(parent: string): string {
    return parent;
  }

  parentAt(directory: string): string {
    return directory;
  }

  readPath(cgroupsPath: string): { readonly directory: string } | { readonly must: string } {
    const [root, ...names] = cgroupsPath.split('/');
    const last = names.at(-1) ?? '';
    if (root === '' && names.length > 0 && names.every(isName) && !isOwnName(last)) return { directory: cgroupsPath };
    return {
      must: `must be an absolute path whose parts are names, none of them . or .., the last neither an id (nor crio-ID) nor beginning with ${OWN_NAME_PREFIX}`,
    };
  }

  containerDirectory(parent: string, id: string, cgroupsPath = ''): string {
    if (this.parentOf(cgroupsPath, id) === parent) return cgroupsPath;
    const read = this.readPath(cgroupsPath);
    return 'directory' in read ? read.directory : `${parent}${SEPARATOR}${id}`;
  }

  async ensureParent(parent: string): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#cgroups.ensure(parent);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT') || attempt === ENSURE_ATTEMPTS) throw error;
      }
    }
  }

  async removeParent(parent: string): Promise<void> {
    await this.#cgroups.removeIfEmpty(parent);
    if (parent.startsWith(`${DEFAULT_PARENT}/`)) await this.#cgroups.removeIfEmpty(DEFAULT_PARENT);
  }

  async prepareMonitor(parent: string, id: string): Promise<void> {
    await this.#cgroups.ensure(monitorDirectory(parent, id));
  }

  async placeMonitor(parent: string, id: string, pid: number): Promise<void> {
    const directory = monitorDirectory(parent, id);
    try {
      await this.#cgroups.move(directory, pid);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#cgroups.ensure(directory); // nobody has prepared it
      await this.#cgroups.move(directory, pid);
    }
  }

  /** Nobody but us manages these cgroups. */
  async toldOutOfMemory(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async makeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void> {
    await this.#cgroups.makeLeaf(this.containerDirectory(parent, id, cgroupsPath));
  }

  async removeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void> {
    await this.#cgroups.removeLeaf(this.containerDirectory(parent, id, cgroupsPath));
  }

  async removeContainer(parent: string, id: string, cgroupsPath?: string): Promise<void> {
    await this.#removeEach([this.containerDirectory(parent, id, cgroupsPath), monitorDirectory(parent, id)]);
  }

  idOf(name: string): string | undefined {
    const id = idAtEnd(name);
    return id !== undefined && namesOf(id).includes(name) ? id : undefined;
  }

  async idsWithoutProcess(parent: string): Promise<string[]> {
    return idsWithoutProcess(this.#cgroups, parent, (name) => this.idOf(name));
  }

  async removeAllOf(parent: string, id: string): Promise<void> {
    await this.#removeEach(namesOf(id).map((name) => `${parent}${SEPARATOR}${name}`));
  }

  async #removeEach(paths: readonly string[]): Promise<void> {
    await Promise.all(paths.map(async (path) => this.#cgroups.killAndRemove(path)));
  }
}

/** Of all cgroups that an object may have in a pod's. */
function namesOf(id: string): readonly string[] {
  return [id, crioName(id), monitorName(id)];
}

function monitorName(id: string): string {
  return `${OWN_NAME_PREFIX}conmon-${id}`;
}

function monitorDirectory(parent: string, id: string): string {
  return `${parent}${SEPARATOR}${monitorName(id)}`;
}

function isName(part: string): boolean {
  return part !== '.' && part !== '..' && NAME.test(part);
}
