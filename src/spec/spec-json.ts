import type { OciSpec } from './oci-types.ts';

/**
 * The spec as the text of config.json. A bigint (a 64-bit seccomp argument) is written as the number it is, which
 * JSON.stringify cannot do.
 */
export function specToJson(spec: OciSpec | OciSpec['process']): string {
  return JSON.stringify(spec, (_key, value: unknown) => (typeof value === 'bigint' ? rawJson(value.toString()) : value), 2);
}

interface JsonSource {
  /** https://tc39.es/proposal-json-parse-with-source/ */
  rawJSON(text: string): object;
}

function rawJson(text: string): object {
  return (JSON as typeof JSON & JsonSource).rawJSON(text);
}
