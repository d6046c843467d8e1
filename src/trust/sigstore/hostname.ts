import { BlockList, isIP } from 'node:net';
import type { AlternativeNames } from './alternative-names.ts';

/**
 * Whether a certificate is for a host, or an address where the name is one: RFC 6125 as Go's crypto/x509 reads it. `*` stands for just one
 * label, the first; the subject's common name says nothing.
 */
export function isForHost({ hosts, addresses }: AlternativeNames, name: string): boolean {
  const bare = /^\[.+\]$/s.test(name) ? name.slice(1, -1) : name;
  if (isIP(bare) !== 0 && !bare.includes('%')) return addresses.some((address) => isAddress(address, bare));
  const asked = lower(name);
  const isPlain = isHostname(asked.replace(/\.$/, ''), false);
  return hosts.some((host) => {
    if (!isPlain || !isHostname(host, true)) return host !== '' && host !== '.' && asked !== '' && asked !== '.' && lower(host) === asked;
    const [pattern, labels] = [lower(host).split('.'), asked.replace(/\.$/, '').split('.')];
    return pattern.length === labels.length && pattern.every((label, index) => label === labels[index] || (index === 0 && label === '*'));
  });
}

function isHostname(name: string, mayBePattern: boolean): boolean {
  const labels = name.split('.');
  if (mayBePattern && labels[0] === '*' && labels.length > 1) labels.shift();
  return labels.every((label) => /^\w[\w-]*$/.test(label));
}

/** Of the letters of ASCII alone. */
function lower(name: string): string {
  return name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** IPv4 in IPv6 is that address too. */
function isAddress(bytes: Buffer, name: string): boolean {
  const text = bytes.length === 4 ? bytes.join('.') : (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
  const list = new BlockList();
  list.addAddress(text, bytes.length === 4 ? 'ipv4' : 'ipv6');
  return list.check(name, isIP(name) === 4 ? 'ipv4' : 'ipv6');
}
