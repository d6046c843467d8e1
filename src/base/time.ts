const NS_PER_MS = 1_000_000n;
let last = 0n;

/** Unix time in nanoseconds, exact to the millisecond, and larger at each call, so that lists have an order. */
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * NS_PER_MS;
  last = now > last ? now : last + 1n;
  return last;
}

/** A time in nanoseconds since 1970 as RFC 3339 has it, in UTC, to the millisecond. */
export function isoTime(ns: bigint): string {
  return new Date(Number(ns / NS_PER_MS)).toISOString();
}
