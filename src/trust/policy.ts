/** Reads policy.json, containers-policy.json(5): who must have signed an image. */
import { fail } from '../base/errors.ts';
import type { Field } from '../base/field.ts';
import { scopesOf } from './image-name.ts';
import type { ImageName, ParseName } from './image-name.ts';
import { readSources } from './key-source.ts';
import type { KeySource } from './key-source.ts';
import { readSignedIdentity } from './signed-identity.ts';
import type { SignedIdentity } from './signed-identity.ts';
import { readSigstoreTrust, SIGSTORE_FIELDS } from './sigstore/sigstore-trust.ts';
import type { SigstoreTrust } from './sigstore/sigstore-trust.ts';
import { parseStrict, refuseOthers } from './strict-json.ts';

export interface SignedBy {
  readonly type: 'signedBy';
  readonly keys: readonly KeySource[];
  readonly identity: SignedIdentity;
}

export interface SigstoreSigned {
  readonly type: 'sigstoreSigned';
  readonly trust: SigstoreTrust;
  readonly identity: SignedIdentity;
}

/** One demand, with its place in the file for refusals. */
export type Requirement = { readonly place: string } & (
  { readonly type: 'insecureAcceptAnything' } | { readonly type: 'reject' } | SignedBy | SigstoreSigned
);

/** How an image comes: from a registry, or in an archive. */
export type Transport = 'docker' | 'docker-archive' | 'oci-archive';

export interface Policy {
  readonly default: readonly Requirement[];
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

const TYPES = ['insecureAcceptAnything', 'reject', 'signedBy', 'sigstoreSigned'] as const;
/** Transports of containers/image; what we have no way to fetch from may be spoken of all the same. containers-transports(5) */
const TRANSPORTS = [
  'atomic', 'containers-storage', 'dir', 'docker', 'docker-archive', 'docker-daemon', 'oci', 'oci-archive', 'ostree', 'sif', 'tarball',
]; // prettier-ignore
/** A host, with port, and a path that may have a tag or a digest. */
const DOCKER_SCOPE = /^(\*(\.[A-Za-z0-9-]+)+|[A-Za-z0-9.[\]:-]+(\/[a-z0-9._-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?)$/;

/** @throws InvalidArgument that names the key, also for one that we do not know: a demand that nobody checks is none. */
export function readPolicy(text: string, parse: ParseName): Policy {
  const root = parseStrict(text, '');
  refuseOthers(root, 'default', 'transports');
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>();
  const given = root.at('transports').value === undefined ? undefined : root.at('transports');
  for (const name of Object.keys(given?.object() ?? {})) {
    const transport = given?.at(name) as Field;
    if (!TRANSPORTS.includes(name)) transport.refuse(`absent: a transport is one of ${TRANSPORTS.join(', ')}`);
    transports.set(name, readScopes(transport, name, parse));
  }
  return { default: readRequirements(root.at('default'), 'default', parse), transports };
}

function readScopes(transport: Field, name: string, parse: ParseName): Map<string, readonly Requirement[]> {
  const scopes = new Map<string, readonly Requirement[]>();
  for (const scope of Object.keys(transport.object())) {
    const field = transport.at(scope);
    if (name === 'docker' && scope !== '' && !DOCKER_SCOPE.test(scope))
      field.refuse('under a scope: a registry host, a namespace, a repository, a name with its tag or digest, or *.DOMAIN');
    scopes.set(scope, readRequirements(field, `transports.${name}[${JSON.stringify(scope)}]`, parse));
  }
  return scopes;
}

function readRequirements(field: Field, place: string, parse: ParseName): Requirement[] {
  let index = 0;
  const read = field.list((entry) => ({ ...readRequirement(entry, parse), place: `${place}[${index++}]` }));
  return read.length > 0 ? read : field.refuse('a list of at least one requirement');
}

type Read = { readonly type: 'insecureAcceptAnything' | 'reject' } | SignedBy | SigstoreSigned;

function readRequirement(field: Field, parse: ParseName): Read {
  const type = field.at('type').oneOf(TYPES);
  if (type === 'signedBy') return readSignedBy(field, parse);
  if (type === 'sigstoreSigned') return readSigstoreSigned(field, parse);
  refuseOthers(field, 'type');
  return { type };
}

function readSignedBy(field: Field, parse: ParseName): SignedBy {
  refuseOthers(field, 'type', 'keyType', 'keyPath', 'keyPaths', 'keyData', 'signedIdentity');
  field.at('keyType').oneOf(['GPGKeys']);
  const keys = readSources(field, 'keyPath', 'keyPaths', 'keyData') ?? field.refuse('given keyPath, keyPaths or keyData');
  return { type: 'signedBy', keys, identity: readSignedIdentity(field.at('signedIdentity'), parse) };
}

function readSigstoreSigned(field: Field, parse: ParseName): SigstoreSigned {
  refuseOthers(field, 'type', ...SIGSTORE_FIELDS, 'signedIdentity');
  return { type: 'sigstoreSigned', trust: readSigstoreTrust(field), identity: readSignedIdentity(field.at('signedIdentity'), parse) };
}

/** What is demanded of an image that comes from a registry: of the scopes that it is in, by the closest one that the policy has. */
export function requirementsOf(policy: Policy, name: ImageName): readonly Requirement[] {
  const scopes = policy.transports.get('docker');
  for (const scope of scopesOf(name)) {
    const found = scopes?.get(scope);
    if (found !== undefined) return found;
  }
  return scopes?.get('') ?? policy.default;
}

/**
 * What is demanded of an image that comes in an archive. Where that lies is not known, as it may come by a pipe.
 * @throws InvalidArgument where the policy makes a difference by that.
 */
export function archiveRequirementsOf(policy: Policy, transport: Exclude<Transport, 'docker'>): readonly Requirement[] {
  const scopes = policy.transports.get(transport);
  for (const scope of scopes?.keys() ?? []) {
    if (scope !== '')
      fail(
        'InvalidArgument',
        `transports.${transport}[${JSON.stringify(scope)}]: must be absent: scopes by path are not supported, only ""`,
      );
  }
  return scopes?.get('') ?? policy.default;
}

/** Whether signatures must be looked at. */
export function needsSignatures(requirements: readonly Requirement[]): boolean {
  return requirements.some(({ type }) => type === 'signedBy' || type === 'sigstoreSigned');
}
