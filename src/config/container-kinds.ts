import type { Kind } from './kinds.ts';
import { refuse, textWhere } from './kinds.ts';

/** Kinds of values that say what containers and their runtimes get. */

/** Arguments that the daemon gives the runtime itself, each with the key that decides it. */
const OWN_OPTIONS: Readonly<Record<string, string>> = {
  '--root': 'given by the key root',
  '--systemd-cgroup': 'given by the key cgroup_manager',
  '--no-pivot': 'given by the key no_pivot: it is an argument of create',
  '--no-new-keyring': 'given by the key no_new_keyring: it is an argument of create',
};

/** One argument that stands before the runtime's command. */
export const runtimeOption: Kind<string> = {
  is: "an argument that the runtime takes before its command, such as '--debug' or '--platform=kvm'",
  read(value) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) refuse(value, this.is);
    const own = OWN_OPTIONS[value.replace(/=.*$/s, '')];
    return own === undefined ? value : refuse(value, own);
  },
  write: (value) => value,
};

/** Names of annotations: `*` stands for any text without a slash, `?` for one character of it. */
export const annotationPattern = textWhere(
  'the name of an annotation, in which * stands for any text without a slash and ? for one character of it',
  (text) => /^[\w.*?-]+(\/[\w.*?-]*)?$/.test(text),
);
