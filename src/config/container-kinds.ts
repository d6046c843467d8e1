import { DEVICE_MAPPING, parseDeviceMapping, writeDeviceMapping, type DeviceMapping } from '../base/device-mapping.ts';
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

/** A device of the node, and where containers get it. */
export const deviceMapping: Kind<DeviceMapping> = {
  is: DEVICE_MAPPING,
  read(value) {
    return (typeof value === 'string' ? parseDeviceMapping(value) : undefined) ?? refuse(value, this.is);
  },
  write: writeDeviceMapping,
};

/** A file or directory of the node that containers get. */
export interface DefaultMount {
  readonly source: string;
  readonly destination: string;
  readonly isWritable: boolean;
}

export const defaultMount: Kind<DefaultMount> = {
  is: 'HOST_PATH:CONTAINER_PATH, read-only, or HOST_PATH:CONTAINER_PATH:rw; absolute paths without ..',
  read(value) {
    const text = typeof value === 'string' ? value : '';
    const [, source = '', destination = '', mode] = /^(\/[^:\0]*):(\/[^:\0]+?)\/?(?::(ro|rw))?$/.exec(text) ?? [];
    if (destination === '' || [source, destination].some((path) => path.split('/').includes('..'))) refuse(value, this.is);
    return { source, destination, isWritable: mode === 'rw' };
  },
  write: ({ source, destination, isWritable }) => `${source}:${destination}${isWritable ? ':rw' : ''}`,
};

/** "NAME=value". */
export const variable = textWhere('NAME=VALUE', (text) => text.indexOf('=') > 0 && !text.includes('\0'));

/** A time zone by its name in /usr/share/zoneinfo. */
export const timezone = textWhere(
  'the name of a time zone such as "Europe/Berlin", or "local" for that of the node, or empty for that of the image',
  (text) => text === '' || /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.test(text),
);
