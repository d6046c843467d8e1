let last = 0n;

/** Unix time in nanoseconds (of millisecond truth), never the same or smaller twice, so that lists have an order. */
export function nowNs(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  return last;
}
