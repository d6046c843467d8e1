import { DaemonError, fail } from '../base/errors.ts';
import { Field } from '../base/field.ts';

/** Strings with their quotes, and what opens, closes and parts. What lies between them says nothing about keys. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/**
 * The root of a JSON text in which no object has a key twice: of two, one reader takes the first and another the last, so that
 * what was signed, or meant, is not what is read. @throws InvalidArgument that names the key.
 */
export function parseStrict(text: string, what: string): Field {
  const field = Field.parse(text, what);
  const twice = keyGivenTwice(text);
  return twice === undefined
    ? field
    : fail('InvalidArgument', `${what === '' ? '' : `${what}: `}key ${twice} is there twice in one object`);
}

/** Of a text that is JSON. */
function keyGivenTwice(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const keys = open.at(-1);
      const key = JSON.parse(last) as string;
      if (keys?.has(key) === true) return JSON.stringify(key.slice(0, 64));
      keys?.add(key);
    } else if (token !== ',') last = token;
  }
  return undefined;
}

/** @throws InvalidArgument that names a field that this object must not have. */
export function refuseOthers(field: Field, ...known: readonly string[]): void {
  for (const key of Object.keys(field.object())) {
    if (!known.includes(key)) field.at(key).refuse(`absent: what may be here is ${known.join(', ')}`);
  }
}

/** @throws InvalidArgument for a field that is a known one but for the case of its letters: Go reads both as that, the last one counts. */
export function refuseOtherCase(field: Field, ...known: readonly string[]): void {
  const lower = known.map((name) => name.toLowerCase());
  for (const key of Object.keys(field.object()))
    if (!known.includes(key) && lower.includes(key.toLowerCase())) field.at(key).refuse(`absent: what may be here is ${known.join(', ')}`);
}

/** Bytes in base64. @throws InvalidArgument that names the field. */
export function readBase64(field: Field): Buffer {
  const text = field.text();
  return decodeBase64(text) ?? field.refuse('base64');
}

/** Undefined for what is not base64 with its padding, which Buffer would take as far as it can; line ends do not count. RFC 4648, 4, as Go reads it. */
export function decodeBase64(text: string): Buffer | undefined {
  const plain = text.replaceAll(/[\r\n]/g, '');
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(plain) ? Buffer.from(plain, 'base64') : undefined;
}

/** What `read` gives, or the refusal of what it was given; another kind of failure goes on. */
export function orRefusal<T>(read: () => T): T | DaemonError {
  try {
    return read();
  } catch (error) {
    if (error instanceof DaemonError && error.kind === 'InvalidArgument') return error;
    throw error;
  }
}
