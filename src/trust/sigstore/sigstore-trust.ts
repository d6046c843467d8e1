/** Whose sigstore signatures count, as policy.json says it: containers-policy.json(5), sigstoreSigned. */
import type { Field } from '../../base/field.ts';
import { readSources } from '../key-source.ts';
import type { KeySource } from '../key-source.ts';
import { refuseOthers } from '../strict-json.ts';

export type SigstoreTrust =
  /** One of these keys; where there are keys of Rekor, it must have logged the signature. */
  | { readonly by: 'key'; readonly keys: readonly KeySource[]; readonly rekor: readonly KeySource[] | undefined }
  /** A certificate that Fulcio gave for a minute to whom an issuer knew by this address. Rekor says when it was used. */
  | {
      readonly by: 'fulcio';
      readonly ca: KeySource;
      readonly oidcIssuer: string;
      readonly subjectEmail: string;
      readonly rekor: readonly KeySource[];
    }
  /** A certificate that is valid now. */
  | {
      readonly by: 'pki';
      readonly roots: KeySource;
      readonly intermediates: KeySource | undefined;
      readonly subjectEmail: string | undefined;
      readonly subjectHostname: string | undefined;
    };

const KEYS = ['keyPath', 'keyPaths', 'keyData', 'keyDatas'];
const REKOR = ['rekorPublicKeyPath', 'rekorPublicKeyPaths', 'rekorPublicKeyData', 'rekorPublicKeyDatas'];
export const SIGSTORE_FIELDS: readonly string[] = [...KEYS, ...REKOR, 'fulcio', 'pki'];

/** @throws InvalidArgument that names the field. */
export function readSigstoreTrust(field: Field): SigstoreTrust {
  const keys = readSources(field, ...KEYS);
  const rekor = readSources(field, ...REKOR);
  const [fulcio, pki] = [field.at('fulcio'), field.at('pki')].map((one) => (one.value === undefined ? undefined : one));
  if ([keys, fulcio, pki].filter((one) => one !== undefined).length !== 1)
    field.refuse(`given just one of ${[...KEYS, 'fulcio', 'pki'].join(', ')}`);
  if (keys !== undefined) return { by: 'key', keys, rekor };
  if (pki !== undefined) return rekor === undefined ? readPki(pki) : field.refuse('without a Rekor key where it has pki');
  return readFulcio(fulcio as Field, rekor ?? field.refuse(`given one of ${REKOR.join(', ')}, as fulcio needs it`));
}

function readFulcio(field: Field, rekor: readonly KeySource[]): SigstoreTrust {
  refuseOthers(field, 'caPath', 'caData', 'oidcIssuer', 'subjectEmail');
  const ca = readSource(field, 'caPath', 'caData') ?? field.refuse('given caPath or caData');
  return { by: 'fulcio', ca, rekor, oidcIssuer: readName(field.at('oidcIssuer')), subjectEmail: readName(field.at('subjectEmail')) };
}

function readPki(field: Field): SigstoreTrust {
  refuseOthers(field, 'caRootsPath', 'caRootsData', 'caIntermediatesPath', 'caIntermediatesData', 'subjectEmail', 'subjectHostname');
  const [subjectEmail, subjectHostname] = [field.at('subjectEmail'), field.at('subjectHostname')].map((one) =>
    one.value === undefined ? undefined : readName(one),
  );
  if (subjectEmail === undefined && subjectHostname === undefined) field.refuse('given subjectEmail or subjectHostname');
  return {
    by: 'pki',
    roots: readSource(field, 'caRootsPath', 'caRootsData') ?? field.refuse('given caRootsPath or caRootsData'),
    intermediates: readSource(field, 'caIntermediatesPath', 'caIntermediatesData'),
    subjectEmail,
    subjectHostname,
  };
}

function readSource(field: Field, ...names: readonly string[]): KeySource | undefined {
  return readSources(field, ...names)?.[0];
}

function readName(field: Field): string {
  return field.text() === '' ? field.refuse('text that is not empty') : field.text();
}
