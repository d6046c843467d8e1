let last = 0n;

/** Unix time in nanoseconds, exact to the millisecond, and larger at each call, so that lists have an order. */
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  return last;
}
