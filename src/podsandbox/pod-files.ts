import { readFile } from 'node:fs/promises';
import type { DNSConfig, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { DaemonError, unlessMissing } from '../base/errors.ts';

/** The texts of a pod's own files in /etc. */
export interface PodFileContents {
  readonly hosts: string;
  readonly resolvConf: string;
  readonly hostname: string;
}

export interface PodFilesInput {
  readonly config: Pick<PodSandboxConfig, 'dnsConfig'>;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  /** The pod's addresses, where they are known by now. */
  readonly ips?: readonly string[];
}

/** What the host has, which a pod may get a copy of. */
export interface HostFiles {
  readonly hosts: string;
  readonly resolvConf: string;
  /** What systemd-resolved asks, in place of its own address on the loopback; resolved.conf(5). */
  readonly upstreamResolvConf?: string | undefined;
}

/**
 * The files of a pod. A file that the host does not have is empty.
 * @throws DaemonError InvalidArgument for a DNSConfig that cannot be written down.
 */
export async function podFileContents(input: PodFilesInput): Promise<PodFileContents> {
  const needsHosts = input.hostNetwork;
  const needsResolvConf = !asksForDns(input.config.dnsConfig);
  const read = async (path: string): Promise<string> => unlessMissing(readFile(path, 'utf8'), '');
  const [hosts, resolvConf, upstreamResolvConf] = await Promise.all([
    needsHosts ? read('/etc/hosts') : '',
    needsResolvConf ? read('/etc/resolv.conf') : '',
    needsResolvConf ? read('/run/systemd/resolve/resolv.conf') : '',
  ]);
  return composePodFiles(input, { hosts, resolvConf, upstreamResolvConf });
}

/** The same from given host files. @throws DaemonError InvalidArgument */
export function composePodFiles(input: PodFilesInput, host: HostFiles): PodFileContents {
  const { dnsConfig } = input.config;
  return {
    hosts: input.hostNetwork ? host.hosts : hostsText(input.hostname, input.ips ?? []),
    resolvConf: asksForDns(dnsConfig) ? resolvConfText(dnsConfig) : hostResolvConf(host, input.hostNetwork),
    hostname: `${input.hostname}\n`,
  };
}

/** Whether a pod has a DNS configuration. One with nothing in it is none, as for containerd and CRI-O: the host's is taken. */
export function asksForDns(dns: DNSConfig | undefined): dns is DNSConfig {
  return dns !== undefined && dns.servers.length + dns.searches.length + dns.options.length > 0;
}

/** hosts(5). The names of IPv6 are those that Debian's own file has. */
function hostsText(hostname: string, ips: readonly string[]): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...ips.map((ip) => `${ip}\t${hostname}`),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The host's resolv.conf for a pod. Where all its servers are on the loopback, a pod with a network of its own cannot
 * reach them and gets what lies behind systemd-resolved, if that runs.
 */
function hostResolvConf(host: HostFiles, hostNetwork: boolean): string {
  const servers = [...host.resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '');
  const onlyLoopback = servers.length > 0 && servers.every((server) => server.startsWith('127.') || server === '::1');
  const upstream = host.upstreamResolvConf ?? '';
  return onlyLoopback && !hostNetwork && upstream !== '' ? upstream : host.resolvConf;
}

/** Most search domains, and most characters of their list: the kubelet's own limits (kubernetes pkg/apis/core/validation). */
const SEARCHES_LIMIT = 32;
const SEARCH_CHARACTERS_LIMIT = 2048;

/** resolv.conf(5). */
export function resolvConfText(dns: DNSConfig): string {
  for (const [field, words] of Object.entries({ servers: dns.servers, searches: dns.searches, options: dns.options })) {
    const broken = words.find((word) => word === '' || /[\s\0]/.test(word));
    if (broken === undefined) continue;
    throw new DaemonError('InvalidArgument', `make resolv.conf: dns_config.${field} has ${JSON.stringify(broken)}, must be one word`);
  }
  const searches = dns.searches.join(' ');
  if (dns.searches.length > SEARCHES_LIMIT || searches.length > SEARCH_CHARACTERS_LIMIT) {
    throw new DaemonError(
      'InvalidArgument',
      `make resolv.conf: dns_config.searches has ${dns.searches.length} domains of ${searches.length} characters, must have at most ${SEARCHES_LIMIT} of ${SEARCH_CHARACTERS_LIMIT}`,
    );
  }
  const lines = [
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(searches === '' ? [] : [`search ${searches}`]),
    ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(' ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
