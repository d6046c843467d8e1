import { DerReader, isInteger, TAGS } from './der.ts';

/** PrintableString, X.680, 41.4, and what Go takes as well: `*` and `&`. */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?*&]*$/;
const TEXTS: Readonly<Record<number, (content: Buffer) => boolean>> = {
  0x0c: isUtf8,
  0x12: (content) => /^[0-9 ]*$/.test(content.toString('latin1')),
  0x13: isPrintable,
  0x14: () => true, // T61String: its bytes say nothing here
  0x16: (content) => content.every((byte) => byte < 0x80),
  0x1e: (content) => content.length % 2 === 0,
};

export function isPrintable(content: Buffer): boolean {
  return PRINTABLE.test(content.toString('latin1'));
}

function isUtf8(content: Buffer): boolean {
  try {
    new TextDecoder('utf8', { fatal: true }).decode(content);
    return true;
  } catch {
    return false;
  }
}

/** Checks a distinguished name, RFC 5280, 4.1.2.4. @throws Error for what is none. */
export function checkDistinguishedName(der: Buffer): void {
  for (const sets = new DerReader(der).sequence(); !sets.isAtEnd;)
    for (const attributes = new DerReader(sets.next(0x31).content); !attributes.isAtEnd;) {
      const attribute = attributes.sequence();
      attribute.objectId();
      const { tag, content } = attribute.any();
      if (TEXTS[tag]?.(content) !== true) throw new Error('a name in it has a text that is none');
    }
}

/** How the values begin of extensions that decide nothing here: Go's crypto/x509 takes no certificate where one is of another form. */
const FORMS: Readonly<Record<string, (value: DerReader) => void>> = {
  '2.5.29.14': (value) => value.next(TAGS.octetString),
  '2.5.29.31': (value) => {
    readAll(value, () => undefined);
  },
  '2.5.29.32': (value) => {
    const seen: string[] = [];
    readAll(value, (policy) => seen.push(policy.objectId()));
    if (new Set(seen).size < seen.length) throw new Error('it has a policy twice');
  },
  '2.5.29.35': (value) => value.sequence().optional(0x80),
  '2.5.29.54': (value) => {
    if (!isInteger(value.next(TAGS.integer).content)) throw new Error('it is no number');
  },
  '1.3.6.1.5.5.7.1.1': (value) => {
    readAll(value, (access) => access.objectId());
  },
};

function readAll(value: DerReader, read: (one: DerReader) => void): void {
  for (const list = value.sequence(); !list.isAtEnd;) read(list.sequence());
}

/** @throws Error that names the extension. */
export function checkForms(extensions: ReadonlyMap<string, Buffer>): void {
  for (const [oid, check] of Object.entries(FORMS)) {
    const value = extensions.get(oid);
    if (value === undefined) continue;
    try {
      check(new DerReader(value));
    } catch (error) {
      throw new Error(`its extension ${oid} cannot be read`, { cause: error });
    }
  }
}
