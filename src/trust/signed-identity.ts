import type { Field } from '../base/field.ts';
import { exactName, repositoryOf } from './image-name.ts';
import type { ImageName, ParseName } from './image-name.ts';
import { orRefusal, refuseOthers } from './strict-json.ts';
import { DaemonError } from '../base/errors.ts';

/** Which names a signature may claim for an image. containers-policy.json(5), signedIdentity. */
export type SignedIdentity =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference' | 'exactRepository'; readonly name: ImageName }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };

const TYPES = ['matchExact', 'matchRepoDigestOrExact', 'matchRepository', 'exactReference', 'exactRepository', 'remapIdentity'] as const;
const DEFAULT: SignedIdentity = { type: 'matchRepoDigestOrExact' };
/** A host, or a host and what of a path follows; neither tag nor digest. */
const PREFIX = /^[A-Za-z0-9.:[\]-]+(\/[a-z0-9._/-]*[a-z0-9])?$/;

/** @param field may be missing. @throws InvalidArgument. */
export function readSignedIdentity(field: Field, parse: ParseName): SignedIdentity {
  if (field.value === undefined) return DEFAULT;
  const type = field.at('type').oneOf(TYPES);
  switch (type) {
    case 'exactReference': {
      refuseOthers(field, 'type', 'dockerReference');
      const name = readName(field.at('dockerReference'), parse);
      if (exactName(name) === undefined) field.at('dockerReference').refuse('the name of an image with its tag or digest');
      return { type, name };
    }
    case 'exactRepository':
      refuseOthers(field, 'type', 'dockerRepository');
      return { type, name: readName(field.at('dockerRepository'), parse) };
    case 'remapIdentity':
      refuseOthers(field, 'type', 'prefix', 'signedPrefix');
      return { type, prefix: readPrefix(field.at('prefix')), signedPrefix: readPrefix(field.at('signedPrefix')) };
    default:
      refuseOthers(field, 'type');
      return { type };
  }
}

function readName(field: Field, parse: ParseName): ImageName {
  const text = field.text();
  const name = orRefusal(() => parse(text));
  return name instanceof DaemonError ? field.refuse(`the name of an image or a repository (${name.message})`) : name;
}

function readPrefix(field: Field): string {
  const text = field.text();
  return PREFIX.test(text) ? text : field.refuse('a registry host, a namespace or a repository, without tag or digest');
}

/** Whether a signature that claims the name `signed` is one for the image that was asked for as `asked`. */
export function identityMatches(identity: SignedIdentity, asked: ImageName, signed: ImageName): boolean {
  switch (identity.type) {
    case 'matchExact':
      return sameExactName(asked, signed);
    case 'matchRepoDigestOrExact':
      return repoDigestOrExact(asked, signed);
    case 'matchRepository':
      return repositoryOf(asked) === repositoryOf(signed);
    case 'exactReference':
      return sameExactName(identity.name, signed);
    case 'exactRepository':
      return repositoryOf(identity.name) === repositoryOf(signed);
    case 'remapIdentity':
      return repoDigestOrExact(remap(asked, identity.prefix, identity.signedPrefix), signed);
  }
}

function sameExactName(one: ImageName, other: ImageName): boolean {
  const name = exactName(one);
  return name !== undefined && name === exactName(other);
}

/** An image asked for by its digest is that one in any case, so any signed tag of its repository will do. */
function repoDigestOrExact(asked: ImageName, signed: ImageName): boolean {
  if (exactName(signed) === undefined) return false;
  return asked.digest === undefined ? sameExactName(asked, signed) : repositoryOf(asked) === repositoryOf(signed);
}

function remap(name: ImageName, prefix: string, signedPrefix: string): ImageName {
  const repository = repositoryOf(name);
  if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return name;
  const mapped = `${signedPrefix}${repository.slice(prefix.length)}`;
  const slash = mapped.indexOf('/');
  return { ...name, domain: slash === -1 ? mapped : mapped.slice(0, slash), path: slash === -1 ? '' : mapped.slice(slash + 1) };
}
