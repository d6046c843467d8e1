import { DaemonError } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';

/** A name of an image with its registry spelled out. Grammar: distribution/reference, OCI distribution spec. */
export interface ImageReference {
  /** Registry host, with a port where it has one: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = 'docker.io';
const DEFAULT_TAG = 'latest';
/** Most characters of registry and path: distribution/reference, NameTotalLengthMax. */
const MAX_NAME_LENGTH = 255;

const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${PART}(?:/${PART})*$`);
const HOST_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = new RegExp(`^(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads a reference as people and the kubelet write it: `busybox` is `docker.io/library/busybox`. It gets no tag where it has
 * none; see {@link withTag}. @throws InvalidArgument.
 */
export function parseReference(text: string): ImageReference {
  const refuse = (why: string): never => {
    throw new DaemonError('InvalidArgument', `read image reference "${text}": ${why}`);
  };
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) refuse(`its digest is "${digest}", must be sha256: and 64 hex digits in lower case`);
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) refuse(`its tag is "${tag}", must be up to 128 letters, digits, "_", "." and "-"`);
  const { domain, path } = splitName(hasTag ? named.slice(0, colon) : named);
  if (!DOMAIN.test(domain)) refuse(`"${domain}" is no registry host`);
  if (!PATH.test(path)) refuse(`"${path}" must be lower case letters and digits in parts joined by "/", ".", "_" or "-"`);
  if (domain.length + path.length + 1 > MAX_NAME_LENGTH) refuse(`the name is longer than ${MAX_NAME_LENGTH} characters`);
  if (/^[0-9a-f]{64}$/.test(named)) refuse('64 hex digits alone are an id');
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest: digest as Digest }) };
}

function splitName(name: string): { domain: string; path: string } {
  const host = hostOf(name);
  let domain = host ?? DEFAULT_DOMAIN;
  let path = host === undefined ? name : name.slice(host.length + 1);
  if (domain === 'index.docker.io') domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !path.includes('/')) path = `library/${path}`;
  return { domain, path };
}

/** The registry that a name as written says; as docker, the first part is one only when it looks like a host. */
export function hostOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = first !== '' && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  return isHost ? first : undefined;
}

/** The same with the tag `latest` where it has neither tag nor digest. */
export function withTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** What decides which image of the repository it is, with its mark: `@sha256:...`, else `:1`. */
export function suffixOf({ tag, digest }: ImageReference): string {
  return digest === undefined ? `:${tag ?? DEFAULT_TAG}` : `@${digest}`;
}

/** `docker.io/library/busybox`. */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The whole reference, as it can be parsed again. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}
