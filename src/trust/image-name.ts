import type { Digest } from '../base/ids.ts';

/** A name of an image with its registry spelled out. Of a name with tag and digest only the digest counts. */
export interface ImageName {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** Reads a name as people write it, `busybox` too. @throws InvalidArgument. */
export type ParseName = (text: string) => ImageName;

/** `docker.io/library/busybox`. */
export function repositoryOf({ domain, path }: ImageName): string {
  return `${domain}/${path}`;
}

/** `docker.io/library/busybox:1`, or with `@sha256:...`; undefined where it has neither tag nor digest. */
export function exactName(name: ImageName): string | undefined {
  if (name.digest !== undefined) return `${repositoryOf(name)}@${name.digest}`;
  return name.tag === undefined ? undefined : `${repositoryOf(name)}:${name.tag}`;
}

/**
 * The scopes that a name is in, closest first: itself, its repository, the namespaces above it, its host with the port, and
 * `*.` with each domain above the host. containers-policy.json(5), docker:
 */
export function scopesOf(name: ImageName): string[] {
  const exact = exactName(name);
  const scopes = exact === undefined ? [] : [exact];
  for (let scope = repositoryOf(name); ; scope = scope.slice(0, scope.lastIndexOf('/'))) {
    scopes.push(scope);
    if (!scope.includes('/')) break;
  }
  const labels = name.domain.replace(/:[0-9]+$/, '').split('.');
  for (let index = 1; index < labels.length; index += 1) scopes.push(`*.${labels.slice(index).join('.')}`);
  return scopes;
}
