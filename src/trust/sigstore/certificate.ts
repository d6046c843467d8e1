import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import { readAlternativeNames } from './alternative-names.ts';
import type { AlternativeNames } from './alternative-names.ts';
import { checkDistinguishedName, checkForms } from './certificate-values.ts';
import { DerReader, isInteger, TAGS } from './der.ts';
import { publicKeyOf } from './keys.ts';

/** Most bytes of one certificate. Fulcio's have one to two thousand. */
const CERTIFICATE_LIMIT_BYTES = 64 * 1024;
const MAX_EXTENSIONS = 100;

/** Extensions that are read here. RFC 5280, 4.2 */
const OIDS = {
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  authorityInformation: '1.3.6.1.5.5.7.1.1',
};
export const ALTERNATIVE_NAMES = OIDS.alternativeNames;
/** Those that a certificate may call critical: we know what they want. Policies want nothing where no constraint asks for any. */
const HANDLED: readonly string[] = [
  OIDS.keyUsage, OIDS.basicConstraints, OIDS.extendedKeyUsage,
  '2.5.29.31', '2.5.29.32', '2.5.29.54',
]; // prettier-ignore
/** Those that would narrow a chain, and are not checked here: a chain with one is refused. */
const NARROWING: Readonly<Record<string, string>> = {
  [OIDS.nameConstraints]: 'name constraints',
  [OIDS.policyMappings]: 'policy mappings',
  [OIDS.policyConstraints]: 'policy constraints',
};
const KEY_CERT_SIGN = 0x04;

/** A certificate, X.509 version 1 to 3, as far as it decides whether a signature is trusted. What it says is checked by nobody yet. */
export interface Certificate {
  readonly der: Buffer;
  /** What is signed, by whom as it says, and how. */
  readonly signed: Buffer;
  readonly signature: Buffer;
  /** The algorithm with its parameters, in DER. */
  readonly algorithm: Buffer;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly version: number;
  /** Of the public key, in DER. */
  readonly keyInfo: Buffer;
  /** Undefined where it is of a kind that signs nothing here. */
  readonly publicKey: KeyObject | undefined;
  /** Undefined where it says nothing of being an authority. */
  readonly authority: { readonly is: boolean; readonly pathLength: number | undefined } | undefined;
  /** Whether its key may sign certificates, where it says what that may do. */
  readonly mayCertify: boolean;
  /** Object identifiers; none: for all. */
  readonly purposes: readonly string[];
  readonly names: AlternativeNames;
  /** Critical ones that are not known. */
  readonly unknownCritical: readonly string[];
  /** Names of the extensions in it that would narrow a chain and are not checked. */
  readonly narrowing: readonly string[];
  /** By object identifier. */
  readonly extensions: ReadonlyMap<string, Buffer>;
}

/** @throws Error that says what is wrong, for what is no certificate that Go's crypto/x509 would take. */
export function readCertificate(der: Buffer): Certificate {
  if (der.length > CERTIFICATE_LIMIT_BYTES) throw new Error(`it has ${der.length} bytes, must have at most ${CERTIFICATE_LIMIT_BYTES}`);
  try {
    return read(der);
  } catch (error) {
    throw new Error(`it is no certificate: ${messageOf(error)}`, { cause: error });
  }
}

function read(der: Buffer): Certificate {
  const outer = new DerReader(der);
  const root = outer.sequence();
  outer.end();
  const toBeSigned = root.next(TAGS.sequence);
  const algorithm = root.next(TAGS.sequence).content;
  const signature = root.bytesOfBits();
  const fields = new DerReader(toBeSigned.content);
  const version = readVersion(fields);
  const serial = fields.next(TAGS.integer).content;
  if (!isInteger(serial) || (serial[0] ?? 0) >= 0x80) throw new Error('its serial number is negative, or not DER');
  if (!fields.next(TAGS.sequence).content.equals(algorithm)) throw new Error('it names two algorithms of its signature');
  const issuer = fields.next(TAGS.sequence).whole;
  const validity = fields.sequence();
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)];
  const subject = fields.next(TAGS.sequence).whole;
  for (const name of [issuer, subject]) checkDistinguishedName(name);
  const keyInfo = fields.next(TAGS.sequence).whole;
  if (version > 1) {
    fields.optional(0x81); // two ids of old, for what nobody uses
    fields.optional(0x82);
  }
  const extensions = version === 3 ? readExtensions(fields.optional(0xa3)?.content) : [];
  return {
    der,
    signed: toBeSigned.whole,
    signature,
    algorithm,
    issuer,
    subject,
    notBefore,
    notAfter,
    version,
    keyInfo,
    publicKey: publicKeyOf(keyInfo),
    ...readKnown(extensions),
  };
}

function readVersion(fields: DerReader): number {
  const given = fields.optional(0xa0);
  if (given === undefined) return 1;
  const inner = new DerReader(given.content);
  const { content } = inner.next(TAGS.integer);
  inner.end();
  const version = (content[0] ?? 255) + 1;
  if (content.length !== 1 || version > 3) throw new Error('its version is not 1, 2 or 3');
  return version;
}

interface Extension {
  readonly oid: string;
  readonly isCritical: boolean;
  readonly value: Buffer;
}

function readExtensions(content: Buffer | undefined): Extension[] {
  if (content === undefined) return [];
  const found: Extension[] = [];
  for (const list = new DerReader(content).sequence(); !list.isAtEnd;) {
    const extension = list.sequence();
    const oid = extension.objectId();
    const isCritical = extension.optional(TAGS.boolean);
    found.push({
      oid,
      isCritical: isCritical !== undefined && new DerReader(isCritical.whole).boolean(),
      value: extension.next(TAGS.octetString).content,
    });
    if (found.length > MAX_EXTENSIONS) throw new Error(`it has more than ${MAX_EXTENSIONS} extensions`);
  }
  if (new Set(found.map(({ oid }) => oid)).size < found.length) throw new Error('it has an extension twice');
  return found;
}

type Known = Pick<
  Certificate,
  'authority' | 'mayCertify' | 'purposes' | 'names' | 'unknownCritical' | 'narrowing' | 'extensions'
>; // prettier-ignore

function readKnown(list: readonly Extension[]): Known {
  const extensions = new Map(list.map(({ oid, value }) => [oid, value]));
  const critical = list.filter(({ isCritical }) => isCritical).map(({ oid }) => oid);
  for (const oid of [OIDS.subjectKeyId, OIDS.authorityKeyId, OIDS.authorityInformation])
    if (critical.includes(oid)) throw new Error(`its extension ${oid} is critical, and must not be`);
  checkForms(extensions);
  const names = readAlternativeNames(extensions.get(OIDS.alternativeNames));
  const handled = [...HANDLED, ...Object.keys(NARROWING), ...(names.areKnown ? [OIDS.alternativeNames] : [])];
  return {
    extensions,
    names,
    authority: readBasicConstraints(extensions.get(OIDS.basicConstraints)),
    mayCertify: readMayCertify(extensions.get(OIDS.keyUsage)),
    purposes: readPurposes(extensions.get(OIDS.extendedKeyUsage)),
    unknownCritical: critical.filter((oid) => !handled.includes(oid)),
    narrowing: Object.entries(NARROWING).flatMap(([oid, name]) => (extensions.has(oid) ? [name] : [])),
  };
}

function readBasicConstraints(value: Buffer | undefined): Certificate['authority'] {
  if (value === undefined) return undefined;
  const fields = new DerReader(value).sequence();
  const is = fields.optional(TAGS.boolean);
  const length = fields.optional(TAGS.integer)?.content;
  if (length !== undefined && (!isInteger(length) || (length[0] ?? 0) >= 0x80 || length.length > 6))
    throw new Error('the length of its path is no number');
  return {
    is: is !== undefined && new DerReader(is.whole).boolean(),
    pathLength: length?.readUIntBE(0, length.length),
  };
}

function readMayCertify(value: Buffer | undefined): boolean {
  if (value === undefined) return true;
  const bits = new DerReader(value).bits();
  return bits.every((byte) => byte === 0) || ((bits[0] ?? 0) & KEY_CERT_SIGN) !== 0;
}

function readPurposes(value: Buffer | undefined): string[] {
  if (value === undefined) return [];
  const purposes: string[] = [];
  for (const list = new DerReader(value).sequence(); !list.isAtEnd;) purposes.push(list.objectId());
  return purposes;
}

/** RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from then on, both in UTC with seconds. */
function readTime(fields: DerReader): Date {
  const { tag, content } = fields.any();
  const text = content.toString('latin1');
  const match = (tag === TAGS.utcTime ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text);
  if (match === null || (tag !== TAGS.utcTime && tag !== TAGS.generalizedTime)) throw new Error('the time of its validity is no time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const full = tag === TAGS.utcTime ? year + (year < 50 ? 2000 : 1900) : year;
  const time = new Date(0);
  time.setUTCFullYear(full, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour;
  if (!isReal || minute > 59 || second > 59) throw new Error('the time of its validity is no time');
  return time;
}
