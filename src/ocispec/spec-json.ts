import type { OciSpec } from './oci-types.ts';

/**
 * The spec as the text of config.json. A bigint (a 64-bit seccomp argument) is written as the number it is, which
 * JSON.stringify cannot do.
 */
export function specToJson(spec: OciSpec | OciSpec['process']): string {
  return jsonOf(spec);
}

/** The same of a spec that was read field by field. Without blanks it is half as long, and the monitor's runtime reads it twice. */
export function jsonOf(spec: object): string {
  try {
    // Most have no bigint, and a replacer is called for each of a thousand values.
    return JSON.stringify(spec);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(spec, (_key, value: unknown) => (typeof value === 'bigint' ? rawJson(value.toString()) : value));
  }
}

/** Reads what {@link specToJson} wrote: an integer that a number cannot hold (an rlimit of infinity) comes back as a bigint. */
export function specFromJson(text: string): unknown {
  return JSON.parse(text, exactIntegers);
}

/** Of JSON.parse: keeps an integer that a number cannot hold as a bigint. https://tc39.es/proposal-json-parse-with-source/ */
export function exactIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source)
    ? BigInt(source)
    : value;
}

interface JsonSource {
  /** https://tc39.es/proposal-json-parse-with-source/ */
  rawJSON(text: string): object;
}

function rawJson(text: string): object {
  return (JSON as typeof JSON & JsonSource).rawJSON(text);
}
