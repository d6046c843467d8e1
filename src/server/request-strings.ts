import { DaemonError } from '../base/errors.ts';

/** Fields that users of the cluster write and that never reach the kernel: a NUL byte in them does no harm. */
const FREE_TEXT: ReadonlySet<string> = new Set(['annotations', 'auth']);

/** Fields that hold a path, or a list of them. */
const PATHS: ReadonlySet<string> = new Set([
  'cgroupParent', 'containerPath', 'hostPath', 'imageSubPath', 'logDirectory', 'logPath', 'maskedPaths', 'readonlyPaths', 'workingDir',
]); // prettier-ignore
/** Fields that hold the words of a command line. */
const WORDS: ReadonlySet<string> = new Set(['args', 'cmd', 'command']);
/** MAX_ARG_STRLEN less its closing zero: execve(2), linux/binfmts.h. */
const WORD_LIMIT_BYTES = 131_071;
/** Any other text: a name, a reference, a value for the kernel. Nothing that can be meant is longer. */
const TEXT_LIMIT_BYTES = 4096;
/** PATH_MAX less its closing zero, and NAME_MAX: limits.h(0P). */
const PATH_LIMIT_BYTES = 4095;
const NAME_LIMIT_BYTES = 255;

/**
 * Refuses what no system call accepts: a NUL byte in a text of the request (the kernel would cut the text there), and a text, or a
 * part of a path, that is too long for what it is. @throws InvalidArgument that names the field, as the API spells it.
 */
export function checkStrings(rpc: string, request: unknown): void {
  const fault = findFault(request, '', 'text');
  if (fault !== undefined) throw new DaemonError('InvalidArgument', `${rpc}: ${fault}`);
}

type Kind = 'path' | 'word' | 'text';

const LIMITS: Readonly<Record<Kind, number>> = { path: PATH_LIMIT_BYTES, word: WORD_LIMIT_BYTES, text: TEXT_LIMIT_BYTES };

function kindOf(key: string): Kind {
  if (PATHS.has(key)) return 'path';
  return WORDS.has(key) ? 'word' : 'text';
}

function findFault(value: unknown, path: string, kind: Kind): string | undefined {
  if (typeof value === 'string') return faultOf(value, path, kind);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    if (FREE_TEXT.has(key)) continue;
    if (key.includes('\0')) return `a key of ${path} contains a NUL byte, must not`;
    if (key.length > TEXT_LIMIT_BYTES) return `a key of ${path} has ${key.length} characters, must have at most ${TEXT_LIMIT_BYTES}`;
    const name = isList ? `${path}[${key}]` : `${path === '' ? '' : `${path}.`}${protoName(key)}`;
    const found = findFault(each, name, isList ? kind : kindOf(key));
    if (found !== undefined) return found;
  }
  return undefined;
}

function faultOf(text: string, path: string, kind: Kind): string | undefined {
  if (text.includes('\0')) return `${path} contains a NUL byte, must not`;
  if (text.length <= NAME_LIMIT_BYTES / 4) return undefined;
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS[kind]) return `${path} has ${bytes} bytes, must have at most ${LIMITS[kind]}`;
  if (kind !== 'path') return undefined;
  const longest = Math.max(...text.split('/').map((part) => Buffer.byteLength(part)));
  return longest > NAME_LIMIT_BYTES ? `a part of ${path} has ${longest} bytes, must have at most ${NAME_LIMIT_BYTES}` : undefined;
}

/** Fields that the API spells in another way than its others. */
const ODD_NAMES: ReadonlyMap<string, string> = new Map([
  ['cdiDevices', 'CDI_devices'],
  ['uidMappings', 'uidMappings'],
  ['gidMappings', 'gidMappings'],
]);

function protoName(key: string): string {
  return ODD_NAMES.get(key) ?? key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
