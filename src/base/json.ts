/**
 * JSON for our records: like JSON, but 64-bit integers (bigint) and bytes (Uint8Array) come back as they were.
 * They stand as `{"$int64": "7"}` and `{"$bytes": "base64"}`.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    function (this: Record<string, unknown>, key: string, plain: unknown): unknown {
      const original = this[key];
      if (typeof original === 'bigint') return { $int64: original.toString() };
      if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') };
      return plain;
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
    return value;
  });
}
