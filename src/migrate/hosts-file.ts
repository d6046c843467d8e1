import type { TomlValue } from '../config/kinds.ts';
import { writeValue } from '../config/print.ts';
import { tomlKey } from './report.ts';

/** What containerd's `registry.configs.HOST.tls` has. */
export interface HostTls {
  readonly insecure_skip_verify?: boolean;
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
}

/**
 * A hosts.toml that says what containerd's tables of mirrors and TLS settings say of a registry.
 * @param registry as references name it, or `*`
 * @param endpoints the mirrors in order, before the registry itself
 */
export function hostsToml(
  registry: string,
  endpoints: readonly string[],
  tlsOf: (host: string) => HostTls | undefined,
  headers: Readonly<Record<string, TomlValue>>,
): string {
  const urls = endpoints.map((endpoint) => withScheme(endpoint));
  const own = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const lines = ['# Made by podwright config migrate.'];
  // Without a server it is the registry that the name says, which is right for all of them.
  if (registry !== '*') lines.push(`server = ${writeValue(`${isLocal(own) ? 'http' : 'https'}://${own}`)}`);
  lines.push(...settings(tlsOf(own)), ...headerTable(headers, 'header'));
  for (const url of urls) {
    lines.push('', `[${tomlKey(['host', url.text])}]`, 'capabilities = ["pull", "resolve"]');
    if (url.hasPath) lines.push('override_path = true');
    lines.push(...settings(tlsOf(url.host)), ...headerTable(headers, tomlKey(['host', url.text, 'header'])));
  }
  return `${lines.join('\n')}\n`;
}

function settings(tls: HostTls | undefined): string[] {
  if (tls === undefined) return [];
  const { insecure_skip_verify: skips, ca_file: ca = '', cert_file: certificate = '', key_file: key = '' } = tls;
  return [
    ...(skips === true ? ['skip_verify = true'] : []),
    ...(ca === '' ? [] : [`ca = ${writeValue(ca)}`]),
    ...(certificate === '' ? [] : [`client = [[${writeValue(certificate)}, ${writeValue(key)}]]`]),
  ];
}

function headerTable(headers: Readonly<Record<string, TomlValue>>, table: string): string[] {
  const entries = Object.entries(headers);
  return entries.length === 0 ? [] : [`[${table}]`, ...entries.map(([name, value]) => `${tomlKey([name])} = ${writeValue(value)}`)];
}

function withScheme(endpoint: string): { readonly text: string; readonly host: string; readonly hasPath: boolean } {
  const text = /^https?:\/\//.test(endpoint) ? endpoint : `${isLocal(endpoint) ? 'http' : 'https'}://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return { text, host: url?.host ?? endpoint, hasPath: url !== undefined && url.pathname !== '/' };
}

/** containerd asks these by plain http. */
function isLocal(host: string): boolean {
  return /^(localhost|127\.0\.0\.1|\[?::1\]?)(:\d+)?(\/|$)/.test(host);
}
