import type { ResolveReport } from '../admin/reports.ts';

type EndpointReport = ResolveReport['meanings'][number]['endpoints'][number];

/** `image resolve REF` */
export function resolveText({ name, reason, meanings }: ResolveReport): string {
  const lines = [`${name}: ${reason}`];
  for (const { reference, endpoints, refusal } of meanings) {
    lines.push(reference);
    if (refusal !== undefined) lines.push(`  refused: ${refusal}`);
    else if (endpoints.length === 0) lines.push('  no endpoint is asked');
    for (const [index, endpoint] of endpoints.entries()) lines.push(...endpointLines(index + 1, endpoint));
  }
  return `${lines.join('\n')}\n`;
}

function endpointLines(number: number, endpoint: EndpointReport): string[] {
  const { host, scheme, path, isMirror, isAskedFirst, reason, headers, dialTimeoutMs } = endpoint;
  const url = `${scheme === 'any' ? 'https' : scheme}://${host}${path}`;
  const facts: (readonly [string, string] | undefined)[] = [
    ['why', reason],
    isAskedFirst ? undefined : ['tags', 'not asked what they mean, content alone'],
    scheme === 'http' ? undefined : ['tls', tlsText(endpoint)],
    headers.length === 0 ? undefined : ['headers', headers.join(', ')],
    dialTimeoutMs === undefined ? undefined : ['dial timeout', `${dialTimeoutMs} ms`],
    ['credentials', credentialsText(endpoint)],
  ];
  const lines = facts.filter((fact) => fact !== undefined).map(([what, text]) => `     ${what}: ${text}`);
  return [`  ${number}. ${url}${isMirror ? ' (mirror)' : ''}`, ...lines];
}

function tlsText({ scheme, verifies, authorities, hasClientCertificate }: EndpointReport): string {
  const parts = [verifies ? 'verified' : 'not verified'];
  if (authorities > 0) parts.push(`with authorities of its own (${authorities})`);
  if (hasClientCertificate) parts.push('shows a client certificate');
  if (scheme === 'any') parts.push('plain http where https fails');
  return parts.join(', ');
}

function credentialsText({ isMirror, credentials, credentialsFault }: EndpointReport): string {
  const own = credentialsFault === undefined ? (credentials ?? 'none') : `none, ${credentialsFault}`;
  return isMirror ? own : `those of the request, else ${own}`;
}
