/** With what TLS a host is spoken to. Files are loaded, so that a changed file is another value. */
export interface TlsSettings {
  /** Tells settings apart by what they hold: dispatchers are kept by it. */
  readonly key: string;
  /** Whether the host's certificate must be good. */
  readonly verifies: boolean;
  /** Authorities to trust beside Node's and the machine's, as PEM. */
  readonly authorities: readonly string[];
  /** What is shown to a host that asks for a client's certificate, as PEM. It never goes to another host. */
  readonly clients: readonly { readonly certificate: string; readonly key: string }[];
}

/** How a host is spoken to, and what it leads to: redirects and token services. */
export interface HostAccess {
  /** Host with a port where it has one. */
  readonly host: string;
  /** `any`: https, and plain http where that fails. But for `https`, redirects and token services may be plain http too. */
  readonly scheme: 'https' | 'http' | 'any';
  readonly tls: TlsSettings;
  /** Most that a connection may take, milliseconds; that of the transport where not given. */
  readonly dialTimeoutMs?: number | undefined;
  /** Sent with every request to this host, and to no other. Names in lower case. May be secret. */
  readonly headers: Readonly<Record<string, string[]>>;
}

/** Where to ask for a repository. */
export interface Endpoint extends HostAccess {
  /** The root of the API on the host: `/v2`, where nothing else was configured. */
  readonly root: string;
  readonly path: string;
  /** Whether it stands in for the registry; it gets no credentials that were given for that. */
  readonly isMirror: boolean;
  /** Whether it may say what a tag means. One that may not is asked for digests only. */
  readonly resolves: boolean;
  /** The registry in whose place it is asked, as the parameter `ns` of every request; none where not given. */
  readonly namespace?: string | undefined;
  /** Which file and rule it comes from, for people. */
  readonly reason: string;
}

export const STRICT_TLS: TlsSettings = { key: 'strict', verifies: true, authorities: [], clients: [] };
export const UNVERIFIED_TLS: TlsSettings = { key: 'unverified', verifies: false, authorities: [], clients: [] };

/** The same without what is for the host alone: to speak to another one that it led to. */
export function withoutClients(tls: TlsSettings): TlsSettings {
  return tls.clients.length === 0 ? tls : { ...tls, key: `${tls.key} without clients`, clients: [] };
}

/** Whether plain http will do for the host, and for what it leads to. */
export function allowsPlainHttp({ scheme }: HostAccess): boolean {
  return scheme !== 'https';
}
