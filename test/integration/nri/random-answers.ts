/** Random answers of plugins, of which every second case or so has a conflict. */
import type {
  ContainerAdjustment,
  ContainerUpdate,
  CreateContainerResponse,
  Init,
  LinuxContainerAdjustment,
  LinuxResources,
} from '../../../api/nri/messages.ts';
import { seededRandom } from '../../support/random-messages.ts';
import { CREATE, UPDATE } from './merge-cases.ts';
import type { MergeCase } from './merge-lab.ts';

/** Case `seed`. What the module does by mistake is left out where it cannot be levelled: see merge-mended.ts. */
export function randomCase(seed: number): MergeCase {
  const random = new RandomAnswers(seededRandom(seed));
  const plugins = 1 + random.below(4);
  const name = `random case ${seed}`;
  const kind = random.below(4);
  if (kind === 0) return { name, call: 'update', request: UPDATE, answers: random.times(plugins, () => ({ update: random.updates(['c1', 'o1', 'o2']) })) }; // prettier-ignore
  if (kind === 1) return { name, call: 'stop', answers: random.times(plugins, () => ({ update: random.updates(['c1', 'o1', 'o2']) })) };
  return { name, call: 'create', request: CREATE, answers: random.times(plugins, () => random.creation()) };
}

class RandomAnswers {
  readonly #next: () => number;
  /** What plugins of the case have set in maps so far. */
  readonly #set = new Set<string>();

  constructor(next: () => number) {
    this.#next = next;
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }

  creation(): Init<CreateContainerResponse> {
    const adjust: Init<ContainerAdjustment> = {
      annotations: this.#map('own', (value) => value),
      mounts: this.#names('/own').map((destination) => ({ destination, source: `/${this.below(9)}` })),
      env: this.#names('OWN').map((key) => ({ key, value: String(this.below(9)) })),
      args: this.#seldom(() => (this.below(2) === 0 ? ['', 'a'] : ['b'])) ?? [],
      hooks: this.#seldom(() => ({ prestart: [{ path: `/${this.below(9)}` }], poststop: this.#seldom(() => [{ path: '/p' }]) ?? [] })),
      rlimits: this.#seldom(() => [{ type: `RLIMIT_${'ABC'.charAt(this.below(3))}` }]) ?? [],
      cdiDevices: this.#seldom(() => [{ name: `v/c=${this.below(3)}` }]) ?? [],
      linux: this.#seldom(() => this.#linux()) ?? this.#seldom(() => this.#linux()),
    };
    return { adjust: this.below(8) === 0 ? undefined : adjust, update: this.updates(this.below(20) === 0 ? ['c1'] : ['o1', 'o2']) };
  }

  updates(ids: readonly string[]): Init<ContainerUpdate>[] {
    return this.times(Math.max(0, this.below(4) - 1), () => {
      const containerId = ids[this.below(ids.length)]!;
      if (this.below(4) > 0) return { containerId, linux: { resources: this.#resources(false) } };
      return { containerId, ignoreFailure: true, linux: { resources: { cpu: { shares: { value: 1n } } } } }; // a failure claims nothing
    });
  }

  #linux(): Init<LinuxContainerAdjustment> {
    return {
      devices: this.#names('/dev/own').map((path) => ({ path, type: 'c', major: BigInt(this.below(9)) })),
      resources: this.#seldom(() => this.#resources(true)),
      cgroupsPath: this.#seldom(() => '/x') ?? '',
      oomScoreAdj: this.#seldom(() => ({ value: BigInt(this.below(9) - 4) })),
      ioPriority: this.#seldom(() => ({ class: this.below(4) })),
      seccompPolicy: this.#seldom(() => ({ defaultAction: 'SCMP_ACT_ALLOW' })),
      namespaces: this.#seldom(() => [{ type: ['ipc', '-ipc', 'uts', '-network'][this.below(4)]! }]) ?? [],
      sysctl: this.#map('net.own', (value) => value),
      netDevices: this.#map('own0', (name) => ({ name })),
      scheduler: this.#seldom(() => ({ policy: this.below(7) })),
      memoryPolicy: this.#seldom(() => ({ mode: this.below(6) })),
      rdt: this.#seldom(() => ({
        remove: this.below(2) === 0,
        closId: this.#seldom(() => ({ value: 'x' })),
        schemata: this.#seldom(() => ({ value: ['L3:0=f'] })),
        enableMonitoring: this.#seldom(() => ({ value: true })),
      })),
    };
  }

  #resources(pids: boolean): Init<LinuxResources> {
    const number = (): { value: bigint } | undefined => this.#seldom(() => ({ value: BigInt(this.below(1000)) }));
    return {
      memory: this.#seldom(() => ({ limit: number(), reservation: number(), swap: number(), kernel: number(), swappiness: number() })),
      cpu: this.#seldom(() => ({ shares: number(), quota: number(), period: number(), cpus: this.#seldom(() => '0-1') ?? '' })),
      hugepageLimits: this.#seldom(() => [{ pageSize: ['2MB', '1GB'][this.below(2)]!, limit: 5n }]) ?? [],
      unified: this.#seldom(() => ({ [`k${this.below(3)}`]: '1', [`k${this.below(3)}`]: '2' })) ?? {},
      blockioClass: this.#seldom(() => ({ value: 'x' })),
      rdtClass: this.#seldom(() => ({ value: 'x' })),
      pids: pids ? this.#seldom(() => ({ limit: BigInt(this.below(9)) })) : undefined,
    };
  }

  /** One in three or so. */
  #seldom<T>(make: () => T): T | undefined {
    return this.below(3) === 0 ? make() : undefined;
  }

  /** Names of items, of which some are removals, some are there more than once, and one is the container's own. */
  #names(own: string): string[] {
    return this.times(Math.max(0, this.below(6) - 3), () => {
      const name = [own, `${own}1`, `${own}2`, `${own}3`][this.below(4)]!;
      return this.below(3) === 0 ? `-${name}` : name;
    });
  }

  /** As names, but what another plugin has set is not removed alone: there the module leaves it to chance. */
  #map<T>(own: string, valueOf: (text: string) => T): Record<string, T> {
    const entries: Record<string, T> = {};
    for (const name of this.#names(own)) entries[name] = valueOf(String(this.below(9)));
    for (const name of Object.keys(entries)) {
      const key = name.replace(/^-/, '');
      const alone = name.startsWith('-') && !Object.hasOwn(entries, key);
      if (alone && this.#set.has(key)) Reflect.deleteProperty(entries, name);
    }
    for (const name of Object.keys(entries)) if (!name.startsWith('-')) this.#set.add(name);
    return entries;
  }
}
