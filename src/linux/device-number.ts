/** The kernel's and glibc's 64-bit device number, makedev(3). */
export function joinDeviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/** As glibc's major() and minor(): makedev(3). The number has 64 bits, of which bit operations of JavaScript see 32. */
export function splitDeviceNumber(device: number): { major: number; minor: number } {
  const low = device % 2 ** 32;
  const high = Math.floor(device / 2 ** 32);
  return { major: ((low >>> 8) & 0xfff) + (high & 0xfffff000), minor: (low & 0xff) + ((low >>> 12) & 0xfff00) };
}
