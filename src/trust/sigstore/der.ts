/** One value of an ASN.1 text in DER: X.690, the parts that certificates have. */
export interface Der {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** Tags by their whole first byte. A context's own are from 0x80 on, 0xa0 on where they are made of others. */
export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/**
 * Reads values one after the other, none that it is not asked for: so whatever lies in each other costs nothing. What is not DER,
 * lengths that are longer than they need be among it, is refused: two readers must not see two certificates in the same bytes.
 */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws Error where the next value is not of this kind. */
  next(tag: number): Der {
    if (this.#bytes[this.#at] !== tag) throw new Error(`the ASN.1 value at ${this.#at} is not of the kind 0x${tag.toString(16)}`);
    return this.any();
  }

  /** The next value, where it is of this kind. */
  optional(tag: number): Der | undefined {
    return this.#bytes[this.#at] === tag ? this.any() : undefined;
  }

  any(): Der {
    const start = this.#at;
    const [tag, first] = [this.#byte(), this.#byte()];
    if ((tag & 0x1f) === 0x1f) throw new Error('an ASN.1 tag has several bytes');
    let length = first;
    if (first >= 0x80) {
      length = 0;
      for (let left = first & 0x7f; left > 0; left -= 1) length = length * 256 + this.#byte();
      const bytes = first & 0x7f;
      if (bytes === 0 || bytes > 4 || length < 0x80 || length < 256 ** (bytes - 1)) throw new Error('an ASN.1 length is not DER');
    }
    if (length > this.#bytes.length - this.#at) throw new Error('an ASN.1 value is longer than what it is in');
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, content, whole: this.#bytes.subarray(start, this.#at) };
  }

  /** What a sequence is made of. */
  sequence(): DerReader {
    return new DerReader(this.next(TAGS.sequence).content);
  }

  boolean(): boolean {
    const { content } = this.next(TAGS.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new Error('an ASN.1 boolean is not DER');
    return content[0] === 0xff;
  }

  objectId(): string {
    return readObjectId(this.next(TAGS.objectId).content);
  }

  /** A bit string, of whole bytes or not. */
  bits(): Buffer {
    return this.#bitString(7);
  }

  /** A bit string that is made of bytes: a key, a signature. */
  bytesOfBits(): Buffer {
    return this.#bitString(0);
  }

  #bitString(mostUnused: number): Buffer {
    const { content } = this.next(TAGS.bitString);
    const unused = content[0] ?? 8;
    const last = content.at(-1) ?? 0;
    if (unused > mostUnused || (content.length === 1 && unused > 0) || (last & ((1 << unused) - 1)) !== 0)
      throw new Error('an ASN.1 bit string is not DER, or not of bytes');
    return content.subarray(1);
  }

  /** @throws Error where something follows. */
  end(): void {
    if (!this.isAtEnd) throw new Error('something follows an ASN.1 value');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Error('an ASN.1 value ends too soon');
    this.#at += 1;
    return byte;
  }
}

function readObjectId(content: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  let begins = true;
  for (const byte of content) {
    if ((begins && byte === 0x80) || number > 0xffffff) throw new Error('an ASN.1 object identifier is not DER');
    number = number * 128 + (byte & 0x7f);
    begins = byte < 0x80;
    if (!begins) continue;
    if (numbers.length === 0) {
      const first = Math.min(Math.floor(number / 40), 2);
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  if (numbers.length === 0 || !begins) throw new Error('an ASN.1 object identifier is not DER');
  return numbers.join('.');
}

/** Whether the content of an integer is one: not longer than it need be. */
export function isInteger(content: Buffer): boolean {
  const [first, second] = content;
  if (first === undefined) return false;
  return second === undefined || !((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
}
