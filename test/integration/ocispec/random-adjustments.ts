import type { ContainerAdjustment, Init, LinuxContainerAdjustment, LinuxResources } from '../../../api/nri/messages.ts';
import { seededRandom } from '../../support/random-messages.ts';

/** Random adjustments that upstream and ours both take. */
export class RandomAdjustments {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  #list<T>(make: () => T): T[] {
    return Array.from({ length: this.#random() < 0.5 ? 0 : this.#below(5) }, make);
  }

  #maybe<T>(make: () => T): T | undefined {
    return this.#random() < 0.5 ? undefined : make();
  }

  #marked(key: string): string {
    return this.#random() < 0.3 ? `-${key}` : key;
  }

  /** Each key once, marked or not: of both upstream takes any. */
  #map<T>(keys: readonly string[], value: () => T): Record<string, T> {
    const taken = keys.filter(() => this.#random() < 0.4);
    return Object.fromEntries(taken.map((key) => [this.#marked(key), value()]));
  }

  next(): Init<ContainerAdjustment> {
    const word = (): string => this.#pick(['', 'a', 'x=y', 'ä b', '-c']);
    // Upstream takes the propagation of one mount for the next too, so either all say one or none.
    const propagation = this.#pick([[], ['rprivate']]);
    return {
      annotations: this.#map(['a', 'b', 'new', 'x/y'], word),
      env: this.#list(() => ({ key: this.#marked(this.#pick(['PATH', 'HOME', 'N', 'M', 'ß'])), value: word() })),
      args: this.#list(word).map((each, index) => (index === 0 ? '/bin/sh' : each)),
      mounts: this.#list(() => ({
        destination: this.#marked(this.#pick(['/data', '/twice', '/m', '/m/n', '/m/n/o', '/M', '/dev/shm', '/proc', '/z/'])),
        type: 'proc',
        source: this.#pick(['/s', 's']),
        options: [...propagation, ...this.#list(() => this.#pick(['ro', 'nosuid', 'size=1']))],
      })),
      hooks: this.#maybe(() => {
        const stage = (): { path: string }[] => this.#list(() => ({ path: this.#pick(['/a', '/b']), args: this.#list(word) }));
        return {
          prestart: stage(),
          createRuntime: stage(),
          createContainer: stage(),
          startContainer: stage(),
          poststart: stage(),
          poststop: stage(),
        };
      }),
      rlimits: this.#list(() => {
        const soft = BigInt(this.#below(1000));
        return { type: this.#pick(['RLIMIT_NOFILE', 'RLIMIT_CORE', 'RLIMIT_CPU']), soft, hard: soft + this.#pick([0n, 1n, 2n ** 60n]) };
      }),
      linux: this.#maybe(() => this.#linux(word)),
    };
  }

  #linux(word: () => string): Init<LinuxContainerAdjustment> {
    return {
      devices: this.#list(() => ({
        path: this.#marked(this.#pick(['/dev/has', '/dev/other', '/dev/x', '/dev/y'])),
        type: this.#pick(['b', 'c']),
        major: BigInt(this.#below(500)),
        minor: BigInt(this.#below(500)),
        fileMode: this.#maybe(() => ({ value: this.#pick([0, 0o600, 0o777]) })),
        uid: this.#maybe(() => ({ value: this.#below(3) })),
        gid: this.#maybe(() => ({ value: this.#below(3) })),
      })),
      oomScoreAdj: this.#maybe(() => ({ value: BigInt(this.#below(2001) - 1000) })),
      ioPriority: this.#maybe(() => ({ class: this.#below(4), priority: this.#below(8) })),
      scheduler: this.#maybe(() => ({
        policy: this.#below(8),
        nice: this.#below(40) - 20,
        priority: this.#below(3),
        flags: this.#list(() => this.#below(7)),
        runtime: this.#pick([0n, 5n, 2n ** 62n]),
        deadline: this.#pick([0n, 2n ** 53n + 1n]),
        period: this.#pick([0n, 1n]),
      })),
      seccompPolicy: this.#maybe(() => ({
        defaultAction: this.#pick(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL']),
        architectures: this.#list(() => this.#pick(['SCMP_ARCH_X86', 'SCMP_ARCH_ARM'])),
        flags: this.#list(() => 'SECCOMP_FILTER_FLAG_LOG'),
        listenerPath: word(),
        listenerMetadata: word(),
        syscalls: this.#list(() => ({
          names: this.#list(() => this.#pick(['read', 'write'])),
          action: 'SCMP_ACT_LOG',
          errnoRet: this.#maybe(() => ({ value: this.#below(3) })),
          args: this.#list(() => ({
            index: this.#below(6),
            value: this.#pick([0n, 7n, 2n ** 64n - 1n]),
            valueTwo: this.#pick([0n, 2n ** 53n + 1n]),
            op: this.#pick(['SCMP_CMP_NE', 'SCMP_CMP_MASKED_EQ']),
          })),
        })),
      })),
      namespaces: this.#list(() => ({
        type: this.#pick(['network', 'ipc', '-ipc', 'uts', '-uts', 'cgroup', '-cgroup']),
        path: this.#pick(['', '/run/ns']),
      })),
      sysctl: this.#map(['net.core.somaxconn', 'net/ipv4/ip_forward', 'net.x'], word),
      netDevices: this.#map(['eth0', 'eth1'], () => ({ name: word() })),
      memoryPolicy: this.#maybe(() => ({ mode: this.#pick([2, 3]), nodes: this.#pick(['', '0-1']), flags: this.#list(() => 0) })),
      rdt: this.#maybe(() => ({
        closId: this.#maybe(() => ({ value: word() })),
        schemata: this.#maybe(() => ({ value: this.#list(word) })),
        enableMonitoring: this.#maybe(() => ({ value: this.#random() < 0.5 })),
        remove: this.#random() < 0.3,
      })),
      resources: this.#maybe(() => this.#resources()),
    };
  }

  #resources(): Init<LinuxResources> {
    const optional = <T>(values: readonly T[]): { value: T } | undefined => this.#maybe(() => ({ value: this.#pick(values) }));
    return {
      cpu: this.#maybe(() => ({
        shares: optional([0n, 2n, 1024n]),
        quota: optional([-1n, 0n, 5000n]),
        period: optional([0n, 1000n, 100_000n]),
        cpus: this.#pick(['', '0', '1-3,5']),
        mems: this.#pick(['', '0-1']),
      })),
      memory: this.#maybe(() => ({ limit: optional([-1n, 0n, 4096n, 2n ** 52n]) })),
      hugepageLimits: this.#list(() => ({ pageSize: this.#pick(['2MB', '1GB']), limit: this.#pick([0n, 2n ** 30n]) })),
      unified: this.#random() < 0.5 ? {} : { [this.#pick(['memory.high', 'io.weight'])]: this.#pick(['', 'max']) },
      pids: this.#maybe(() => ({ limit: BigInt(1 + this.#below(1000)) })),
      rdtClass: optional(['', 'gold']),
      blockioClass: optional(['']),
      devices: this.#list(() => ({
        allow: this.#random() < 0.5,
        type: this.#pick(['', 'a', 'b', 'c']),
        major: optional([0n, 7n]),
        minor: optional([0n, 7n]),
        access: this.#pick(['w', 'r', 'rwm']),
      })),
    };
  }
}
