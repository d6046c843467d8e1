import { DaemonError } from '../base/errors.ts';
import { showBytes } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';

/** The path of a name in a directory of the layer; '' is the root. */
export function joinNames(parent: ByteString, name: ByteString): ByteString {
  return parent === '' ? name : `${parent}/${name}`;
}

/**
 * The name of an entry below the layer's root: without leading slashes, `.` and empty parts, and with `a/..` taken away.
 * @throws InvalidArgument for a name that leads out of the layer.
 */
export function normalise(name: ByteString): ByteString {
  if (/^[^./][^/]*(?:\/[^./][^/]*)*$/.test(name)) return name; // nothing to do, as with nearly all
  const parts: ByteString[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined)
      throw new DaemonError('InvalidArgument', `unpack layer: entry '${showBytes(name)}' has '..' in its name that leads out of the layer`);
  }
  return parts.join('/');
}
