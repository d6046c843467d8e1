import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import type { CgroupUsage } from '../linux/cgroups/figures.ts';

/** A cgroup's usage, and how fast it used the processors up to then. */
export interface Sample {
  /** Unix time, nanoseconds. */
  readonly atNs: bigint;
  readonly usage: CgroupUsage;
  /** Processor time per second of time, nanoseconds per second. */
  readonly nanoCores: bigint | undefined;
}

/** Two samples that are nearer than this give no rate, nanoseconds; the last rate stays. */
const LEAST_INTERVAL_NS = 500_000_000n;
const SECOND_NS = 1_000_000_000n;
/** A sample that nobody has asked to follow for so long is of no use, nanoseconds. */
const FORGET_AFTER_NS = 600n * SECOND_NS;

/** Samples cgroups when asked, and computes the rate against the sample before. */
export class Sampler {
  readonly #cgroups: Cgroups;
  readonly #last = new Map<string, Sample>();
  #sweptAtNs = 0n;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** @param sinceNs when the cgroup began to be used: the first rate is the average from then on. */
  async sample(path: string, sinceNs: bigint): Promise<Sample | undefined> {
    const usage = await this.#cgroups.usage(path);
    if (usage === undefined) {
      this.#last.delete(path);
      return undefined;
    }
    const atNs = BigInt(Date.now()) * 1_000_000n;
    const last = this.#last.get(path);
    if (last !== undefined && atNs - last.atNs < LEAST_INTERVAL_NS) return { atNs, usage, nanoCores: last.nanoCores };
    const sample = { atNs, usage, nanoCores: rate(usage.cpuNs, atNs, last?.usage.cpuNs ?? 0n, last?.atNs ?? sinceNs) };
    this.#last.set(path, sample);
    this.#forgetOld(atNs);
    return sample;
  }

  /** Without this, the samples of cgroups that have gone would stay for ever. */
  #forgetOld(nowNs: bigint): void {
    if (nowNs - this.#sweptAtNs < FORGET_AFTER_NS) return;
    this.#sweptAtNs = nowNs;
    for (const [path, { atNs }] of this.#last) if (nowNs - atNs > FORGET_AFTER_NS) this.#last.delete(path);
  }
}

/** Undefined where there is no time in between, or the counter has gone back (another cgroup of the same name). */
export function rate(cpuNs: bigint | undefined, atNs: bigint, beforeNs: bigint, sinceNs: bigint): bigint | undefined {
  if (cpuNs === undefined || atNs <= sinceNs || cpuNs < beforeNs) return undefined;
  return ((cpuNs - beforeNs) * SECOND_NS) / (atNs - sinceNs);
}
