import { DaemonError } from '../base/errors.ts';

/** Fields that users of the cluster write and that never reach the kernel: a NUL byte in them does no harm. */
const FREE_TEXT: ReadonlySet<string> = new Set(['annotations', 'auth']);

/** Fields that hold a path, or a list of them. */
const PATHS: ReadonlySet<string> = new Set([
  'cgroupParent', 'containerPath', 'hostPath', 'imageSubPath', 'logDirectory', 'logPath', 'maskedPaths', 'readonlyPaths', 'workingDir',
]); // prettier-ignore
/** PATH_MAX less its closing zero, and NAME_MAX: limits.h(0P). */
const PATH_LIMIT_BYTES = 4095;
const NAME_LIMIT_BYTES = 255;

/**
 * Refuses what no system call accepts: a NUL byte in a text of the request (the kernel would cut the text there), and a path, or
 * a part of one, that is too long. @throws InvalidArgument that names the field, as the API spells it.
 */
export function checkStrings(rpc: string, request: unknown): void {
  const fault = findFault(request, '', false);
  if (fault !== undefined) throw new DaemonError('InvalidArgument', `${rpc}: ${fault}`);
}

function findFault(value: unknown, path: string, isPath: boolean): string | undefined {
  if (typeof value === 'string') return faultOf(value, path, isPath);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    if (FREE_TEXT.has(key)) continue;
    if (key.includes('\0')) return `a key of ${path} contains a NUL byte, must not`;
    const name = isList ? `${path}[${key}]` : `${path === '' ? '' : `${path}.`}${snakeCase(key)}`;
    const found = findFault(each, name, isList ? isPath : PATHS.has(key));
    if (found !== undefined) return found;
  }
  return undefined;
}

function faultOf(text: string, path: string, isPath: boolean): string | undefined {
  if (text.includes('\0')) return `${path} contains a NUL byte, must not`;
  if (!isPath || text.length <= NAME_LIMIT_BYTES / 4) return undefined;
  const bytes = Buffer.byteLength(text);
  if (bytes > PATH_LIMIT_BYTES) return `${path} has ${bytes} bytes, must have at most ${PATH_LIMIT_BYTES}`;
  const longest = Math.max(...text.split('/').map((part) => Buffer.byteLength(part)));
  return longest > NAME_LIMIT_BYTES ? `a part of ${path} has ${longest} bytes, must have at most ${NAME_LIMIT_BYTES}` : undefined;
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
