import { DaemonError } from '../base/errors.ts';

/** What a user of the cluster writes and nothing here gives to the kernel: a NUL byte in them does no harm. */
const FREE_TEXT: ReadonlySet<string> = new Set(['annotations', 'auth']);

/**
 * Refuses a NUL byte in any text of a request: paths, names and arguments all end up in calls of the kernel, which would cut
 * them there or answer in words that name no field. @throws InvalidArgument that names the field, as the API spells it.
 */
export function refuseNulBytes(rpc: string, request: unknown): void {
  const field = findNul(request, '');
  if (field !== undefined) throw new DaemonError('InvalidArgument', `${rpc}: ${field} contains a NUL byte, must not`);
}

function findNul(value: unknown, path: string): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? path : undefined;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    if (FREE_TEXT.has(key)) continue;
    if (key.includes('\0')) return `a key of ${path}`;
    const found = findNul(each, isList ? `${path}[${key}]` : `${path === '' ? '' : `${path}.`}${snakeCase(key)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
