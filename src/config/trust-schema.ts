import { duration, optionalPath, path, wholeNumber } from './kinds.ts';
import { key } from './schema-nodes.ts';

/** Of the section `image`: whose images may be used. */
export const trustKeys = {
  signaturePolicy: key(
    optionalPath,
    '',
    'Who must have signed an image that is pulled or loaded, containers-policy.json(5); empty: /etc/containers/policy.json, where that is ' +
      'there. Looked at for each pull.',
    { reloadable: true },
  ),
  signaturePolicyDir: key(
    path,
    '/etc/podwright/policies',
    'Policies of namespaces, NAMESPACE.json: each takes the place of the one above for pods of its namespace. May be missing.',
    { reloadable: true },
  ),
  registriesD: key(
    path,
    '/etc/containers/registries.d',
    'Where the signatures of images are, containers-registries.d(5). May be missing. Read where a policy asks for signatures.',
    { reloadable: true },
  ),
  verifierBinDir: key(
    optionalPath,
    '',
    "A directory of containerd's image verifiers: programs that are asked for each pull, and of which none may refuse. May be missing; empty: none is asked.",
    { reloadable: true },
  ),
  verifierMax: key(wholeNumber(-1, 1000), 10, 'How many of them are asked, by the order of their names; -1: all.', { reloadable: true }),
  verifierTimeoutMs: key(duration(100), 10_000, 'How long one of them may take. One that takes longer has refused.', { reloadable: true }),
};
