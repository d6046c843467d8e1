import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unlessMissing } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import { bootId } from '../linux/process.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import { isAliveState, type Container, type ContainerRecord } from './container.ts';

export interface ChosenCgroupsParts {
  readonly store: { readonly get: (id: string) => Container | undefined; readonly list: () => readonly Container[] };
  /** Those of all pods, below every hierarchy's root. */
  readonly podCgroups: () => readonly string[];
  readonly placement: Pick<CgroupPlacement, 'readPath' | 'parentDirectory'>;
  readonly cgroups: Pick<Cgroups, 'exists'>;
}

/** The annotation of a spec that names the pod. */
const SANDBOX_ID = 'io.kubernetes.cri.sandbox-id';

/** Of one that is being made or removed. */
interface Hold {
  readonly directory: string;
  /** Resolves when it is removed; undefined while it is made. */
  readonly removed?: Promise<void>;
}

/**
 * Cgroups that plugins have chosen for containers, instead of the ones that we choose. Everything in a container's cgroup is
 * killed with it, so one is nobody else's: it is not there before, it has no other in it or above it, and it is held from
 * the choice until it is removed. A container's state says which it is; without a state (Creating) the bundle's spec does.
 */
export class ChosenCgroups {
  readonly #parts: ChosenCgroupsParts;
  readonly #holds = new Map<string, Hold>();

  constructor(parts: ChosenCgroupsParts) {
    this.#parts = parts;
  }

  /** Holds a cgroup for a container about to be made. @returns what it must be, in words, where it cannot have it. */
  async hold({ id, cgroupParent }: ContainerRecord, cgroupsPath: string): Promise<string | undefined> {
    const { placement, cgroups } = this.#parts;
    const read = placement.readPath(cgroupsPath);
    if ('must' in read) return read.must;
    const { directory } = read;
    const own = placement.parentDirectory(cgroupParent);
    if (isWithin(directory, own) && dirname(directory) !== own) return `must be right in the cgroup of its pod, ${own}, or outside of it`;
    const foreign = this.#parts.podCgroups().find((pod) => isWithin(directory, pod) && !isWithin(own, pod));
    if (foreign !== undefined) return `must not be in the cgroup of another pod, ${foreign}`;
    // One that has just ended gives its own back.
    for (const each of [...this.#holds.values()]) if (overlap(each.directory, directory)) await each.removed;
    const holder = this.#holderBeside(id, directory);
    if (holder !== undefined) return `must not be that of container ${holder}, nor in it or above it`;
    this.#holds.set(id, { directory });
    const parent = dirname(directory);
    const [isThere, hasParent] = await Promise.all([cgroups.exists(directory), cgroups.exists(parent)]);
    if (!isThere && hasParent) return undefined;
    this.#holds.delete(id);
    return isThere
      ? 'must not be there yet: it is removed with the container, and all that runs in it'
      : `must be in a cgroup that is there: ${parent} is not`;
  }

  /** The container's state tells from now on what it holds. */
  letGo(id: string): void {
    this.#holds.delete(id);
  }

  /**
   * Has the cgroup of a container removed, also that of one that was not finished.
   * @param specFile of its bundle
   * @param remove gets what is chosen for it; undefined where nothing is, or another container has it by now.
   * @throws what `remove` throws; the cgroup stays held.
   */
  async removing(record: ContainerRecord, specFile: string, remove: (chosen: string | undefined) => Promise<void>): Promise<void> {
    const { id } = record;
    const container = this.#parts.store.get(id);
    const chosen = container === undefined ? await chosenIn(specFile, record) : container.state.chosenCgroup;
    const read = chosen === undefined ? undefined : this.#parts.placement.readPath(chosen);
    if (read === undefined || !('directory' in read) || this.#holderBeside(id, read.directory) !== undefined) {
      await remove(undefined);
    } else {
      const { promise: removed, resolve } = Promise.withResolvers<undefined>();
      this.#holds.set(id, { directory: read.directory, removed });
      try {
        // A boot ends all cgroups, and one of the same path is another.
        await remove(record.bootId === (await bootId()) ? chosen : undefined);
      } finally {
        resolve(undefined);
      }
    }
    this.#holds.delete(id);
  }

  /** Whether what was chosen for a container that is on record no more is no other's by now. */
  isFree(id: string, cgroupsPath: string): boolean {
    const read = this.#parts.placement.readPath(cgroupsPath);
    return 'directory' in read && this.#holderBeside(id, read.directory) === undefined;
  }

  #holderBeside(id: string, directory: string): string | undefined {
    const { store, placement } = this.#parts;
    for (const [other, hold] of this.#holds) if (other !== id && overlap(hold.directory, directory)) return other;
    const found = store.list().find(({ record, state }) => {
      if (state.chosenCgroup === undefined || record.id === id || !isAliveState(state)) return false;
      const read = placement.readPath(state.chosenCgroup);
      return 'directory' in read && overlap(read.directory, directory);
    });
    return found?.record.id;
  }
}

/** What a bundle's spec says of its cgroup and its pod; empty texts where it is missing or half written. */
export async function placeIn(specFile: string): Promise<{ readonly cgroupsPath: string; readonly sandboxId: string }> {
  const text = await unlessMissing(readFile(specFile, 'utf8'), '{}');
  try {
    const spec = Field.parse(text, '');
    return {
      cgroupsPath: spec.at('linux').asObject()?.at('cgroupsPath').asText() ?? '',
      sandboxId: spec.at('annotations').asObject()?.at(SANDBOX_ID).asText() ?? '',
    };
  } catch {
    return { cgroupsPath: '', sandboxId: '' }; // It was being written: nothing was started from it.
  }
}

async function chosenIn(specFile: string, record: ContainerRecord): Promise<string | undefined> {
  const { cgroupsPath } = await placeIn(specFile);
  return cgroupsPath === '' || cgroupsPath === record.cgroupsPath ? undefined : cgroupsPath;
}

function isWithin(directory: string, other: string): boolean {
  return `${directory}/`.startsWith(other.endsWith('/') ? other : `${other}/`);
}

function overlap(one: string, other: string): boolean {
  return isWithin(one, other) || isWithin(other, one);
}
