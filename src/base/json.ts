/** A JSON object, or a table of TOML, as it was read. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * JSON for our records: like JSON, but 64-bit integers (bigint) and bytes (Uint8Array) come back as they were.
 * They stand as `{"$int64": "7"}` and `{"$bytes": "base64"}`; a key of the data itself that starts with `$` gets another one.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    function (this: Record<string, unknown>, key: string, plain: unknown): unknown {
      const original = this[key];
      if (typeof original === 'bigint') return { $int64: original.toString() };
      if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') };
      return renameKeys(plain, /^\$/, (name) => `$${name}`);
    },
    indent,
  );
}

/** Reads what {@link toJson} wrote. @throws SyntaxError where the text is not JSON. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('$int64' in value && typeof value.$int64 === 'string') return BigInt(value.$int64);
    if ('$bytes' in value && typeof value.$bytes === 'string') return new Uint8Array(Buffer.from(value.$bytes, 'base64'));
    return renameKeys(value, /^\$\$/, (name) => name.slice(1));
  });
}

/** The object with those of its keys renamed that match; anything else as it is. */
function renameKeys(value: unknown, pattern: RegExp, rename: (name: string) => string): unknown {
  if (!isObject(value)) return value;
  if (!Object.keys(value).some((name) => pattern.test(name))) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]: [string, unknown]) => [pattern.test(name) ? rename(name) : name, each]),
  );
}

/**
 * JSON for people and their tools (`crictl inspect`): 64-bit integers are numbers, as text only where a number would not be
 * exact; bytes are base64, as in protobuf's JSON. It cannot be read back.
 */
export function toPlainJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, plain: unknown): unknown {
    const original = this[key];
    if (typeof original === 'bigint') return Number.isSafeInteger(Number(original)) ? Number(original) : original.toString();
    return original instanceof Uint8Array ? Buffer.from(original).toString('base64') : plain;
  });
}

/**
 * A text that is equal for two values of plain data that say the same: the order of keys and fields that are undefined do not
 * count.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, plain: unknown): unknown {
    const original = this[key];
    if (typeof original === 'bigint') return `${original.toString()}n`;
    if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
    if (!isObject(plain)) return plain;
    return Object.fromEntries(Object.entries(plain).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
