import { kindOf, messageOf } from '../base/errors.ts';
import type { FindCredentials } from '../registry/credential-source.ts';
import type { Endpoint } from '../registry/endpoint.ts';
import type { Asked } from '../registry/registries-conf.ts';
import type { ShortNames } from '../registry/short-names.ts';
import { formatReference, parseReference, suffixOf, withTag } from './reference.ts';
import { meaningsToPull } from './short-names.ts';

export interface ResolveParts {
  readonly shortNames: ShortNames;
  /** @throws PermissionDenied for a blocked registry. */
  readonly endpoints: (asked: Asked) => Endpoint[];
  readonly findCredentials: FindCredentials;
}

/** What a pull of a name would do, and why. Nothing in it is secret. */
export interface ResolvedName {
  readonly name: string;
  /** Why it means what it means. */
  readonly reason: string;
  /** In the order in which they are tried. */
  readonly meanings: readonly ResolvedMeaning[];
}

interface ResolvedMeaning {
  readonly reference: string;
  /** In the order in which they are asked. */
  readonly endpoints: readonly ResolvedEndpoint[];
  /** Why nobody is asked. */
  readonly refusal?: string;
}

interface ResolvedEndpoint {
  readonly host: string;
  readonly scheme: Endpoint['scheme'];
  /** Of the repository on the host. */
  readonly path: string;
  readonly isMirror: boolean;
  /** False where a tag is asked for and the host may not say what tags mean: it is asked for the layers then. */
  readonly isAskedFirst: boolean;
  readonly reason: string;
  readonly verifies: boolean;
  /** How many files of authorities it is trusted by, beside the machine's. */
  readonly authorities: number;
  readonly hasClientCertificate: boolean;
  /** The names of the headers that it gets. */
  readonly headers: readonly string[];
  readonly dialTimeoutMs?: number;
  /** Where the node's credentials for it come from. */
  readonly credentials?: string;
  /** Why they could not be found. */
  readonly credentialsFault?: string;
}

/** Says where an image would be pulled from. Asks no registry; a credential helper may run. @throws InvalidArgument for a name that cannot be pulled. */
export async function resolveName(name: string, parts: ResolveParts, signal: AbortSignal): Promise<ResolvedName> {
  const { names, reason } = meaningsToPull(name, parts.shortNames);
  const meanings: ResolvedMeaning[] = [];
  for (const text of names) {
    const reference = withTag(parseReference(text));
    const asked = { domain: reference.domain, path: reference.path, suffix: suffixOf(reference) };
    meanings.push({ reference: formatReference(reference), ...(await resolveMeaning(asked, parts, signal)) });
  }
  return { name, reason, meanings };
}

async function resolveMeaning(asked: Asked, parts: ResolveParts, signal: AbortSignal): Promise<Omit<ResolvedMeaning, 'reference'>> {
  let endpoints: Endpoint[];
  try {
    endpoints = parts.endpoints(asked);
  } catch (error) {
    if (kindOf(error) !== 'PermissionDenied') throw error;
    return { endpoints: [], refusal: messageOf(error) };
  }
  const isDigest = asked.suffix.startsWith('@');
  const resolved: ResolvedEndpoint[] = [];
  for (const endpoint of endpoints) {
    const { host, scheme, root, path, isMirror, resolves, reason, tls, headers, dialTimeoutMs } = endpoint;
    resolved.push({
      host,
      scheme,
      path: `${root}/${path}`,
      isMirror,
      isAskedFirst: resolves || isDigest,
      reason,
      verifies: tls.verifies,
      authorities: tls.authorities.length,
      hasClientCertificate: tls.clients.length > 0,
      headers: Object.keys(headers),
      ...(dialTimeoutMs === undefined ? {} : { dialTimeoutMs }),
      ...(await originOfCredentials(endpoint, parts.findCredentials, signal)),
    });
  }
  return { endpoints: resolved };
}

async function originOfCredentials(
  { host, path }: Endpoint,
  find: FindCredentials,
  signal: AbortSignal,
): Promise<Pick<ResolvedEndpoint, 'credentials' | 'credentialsFault'>> {
  try {
    const origin = (await find(host, path, signal))?.origin;
    return origin === undefined ? {} : { credentials: origin };
  } catch (error) {
    if (signal.aborted) throw error;
    return { credentialsFault: messageOf(error) };
  }
}
