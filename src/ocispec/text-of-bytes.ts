const REPLACEMENT = Buffer.from('\ufffd');

/**
 * The text of bytes that should be UTF-8, with U+FFFD in place of each byte that is part of no character: as Go's JSON
 * encoder writes it, so that a value is the same here as on the other runtimes. (TextDecoder puts one for several bytes.)
 */
export function textOfBytes(bytes: Uint8Array): { readonly text: string; readonly isExact: boolean } {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let target: Buffer | undefined;
  let written = 0;
  for (let at = 0; at < source.length;) {
    const length = characterLength(source, at);
    if (length === 0 && target === undefined) {
      target = Buffer.alloc(source.length * REPLACEMENT.length);
      written = source.copy(target, 0, 0, at);
    }
    if (target !== undefined) {
      if (length === 0) target.set(REPLACEMENT, written);
      for (let index = 0; index < length; index += 1) target[written + index] = source[at + index] ?? 0;
      written += length === 0 ? REPLACEMENT.length : length;
    }
    at += Math.max(length, 1);
  }
  return { text: target === undefined ? source.toString('utf8') : target.toString('utf8', 0, written), isExact: target === undefined };
}

/** Bytes of the character that begins at `at`, 1 to 4; 0 where none does. Unicode Standard, table 3-7. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const [least, most] = SECOND_BYTES[first] ?? [0x80, 0xbf];
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let index = 2; index < length; index += 1) if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** First bytes whose second byte is limited: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
const SECOND_BYTES: Readonly<Record<number, readonly [least: number, most: number]>> = {
  0xe0: [0xa0, 0xbf],
  0xed: [0x80, 0x9f],
  0xf0: [0x90, 0xbf],
  0xf4: [0x80, 0x8f],
};
