import { isIP } from 'node:net';
import { isObject, type JsonObject } from '../base/json.ts';
import type { Field } from '../base/field.ts';

/** A plugin's answer to ADD, as it came; `cniVersion` is filled in where the plugin left it out. */
export type CniResult = JsonObject & { readonly cniVersion: string };

/** Checks that a plugin's answer is an object; its fields are the next plugin's to judge. @throws InvalidArgument that says what it is. */
export function resultFrom(answer: Field, cniVersion: string): CniResult {
  return { ...answer.object(), cniVersion: answer.at('cniVersion').asText() || cniVersion };
}

/** Which address of a pod is its first: of a family, where it has one, or as its plugins have it. */
export type AddressPreference = 'cni' | 'ipv4' | 'ipv6';

/** As isIP() has them. */
const FAMILIES = { cni: -1, ipv4: 4, ipv6: 6 } as const satisfies Record<AddressPreference, number>;

/** The addresses with the first of the preferred family before all others, as containerd's ip_pref does. */
export function preferredFirst(addresses: readonly string[], preference: AddressPreference): string[] {
  const first = addresses.find((address) => isIP(address) === FAMILIES[preference]);
  return first === undefined ? [...addresses] : [first, ...addresses.filter((address) => address !== first)];
}

interface ListedAddress {
  readonly ip: string;
  readonly interfaceName: string | undefined;
}

/**
 * The pod's addresses in a result, without their prefix length: those of `ifName` first, then those of other interfaces in
 * the sandbox; each group in the plugin's order. Addresses on the host's side (interfaces without "sandbox") are left out;
 * one that names no interface is the pod's. Results before 0.3.0 have "ip4" and "ip6" instead of "ips".
 */
export function addressesOf(result: CniResult, ifName: string): string[] {
  const addresses = 'ips' in result ? listedAddresses(result) : oldAddresses(result);
  const own = addresses.filter((address) => address.interfaceName === undefined || address.interfaceName === ifName);
  const others = addresses.filter((address) => !own.includes(address));
  return [...new Set([...own, ...others].map((address) => address.ip))];
}

function listedAddresses(result: CniResult): ListedAddress[] {
  const { ips, interfaces } = result;
  const known: unknown[] = Array.isArray(interfaces) ? interfaces : [];
  const found: ListedAddress[] = [];
  for (const entry of Array.isArray(ips) ? (ips as unknown[]) : []) {
    if (!isObject(entry)) continue;
    const ip = withoutPrefix(entry['address']);
    if (ip === undefined) continue;
    const index = entry['interface'];
    if (typeof index !== 'number') {
      found.push({ ip, interfaceName: undefined });
      continue;
    }
    const on = known[index];
    if (isObject(on) && typeof on['sandbox'] === 'string' && on['sandbox'] !== '') found.push({ ip, interfaceName: String(on['name']) });
  }
  return found;
}

function oldAddresses(result: CniResult): ListedAddress[] {
  return [result['ip4'], result['ip6']].flatMap((entry) => {
    const ip = isObject(entry) ? withoutPrefix(entry['ip']) : undefined;
    return ip === undefined ? [] : [{ ip, interfaceName: undefined }];
  });
}

function withoutPrefix(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  const ip = address.split('/')[0] ?? '';
  return isIP(ip) === 0 ? undefined : ip;
}
