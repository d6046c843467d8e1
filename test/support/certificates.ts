/** Certificates as a test wants them, wrong ones too: X.509 in DER, written by hand. */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A value in DER. */
export function der(tag: number, ...content: readonly (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  const { length } = bytes;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), bytes]);
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const digits = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Buffer.from(bytes));
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const TRUE = Buffer.of(0x01, 0x01, 0xff);

export interface Extension {
  readonly oid: string;
  readonly value: Buffer;
  readonly critical?: boolean;
}

export const extension = {
  /** @param names `email:`, `dns:`, `uri:`, `ip:` (hex) or `other:` */
  names: (names: readonly string[], critical = false): Extension => ({
    oid: '2.5.29.17',
    critical,
    value: sequence(
      ...names.map((name) => {
        const [, kind = '', text = ''] = /^(\w+):(.*)$/s.exec(name) ?? [];
        if (kind === 'other') return der(0xa0, oid('1.3.6.1.4.1.57264.1.7'), der(0xa0, der(0x0c, text)));
        if (kind === 'ip') return der(0x87, Buffer.from(text, 'hex'));
        return der({ email: 0x81, dns: 0x82, uri: 0x86 }[kind] ?? 0x88, text);
      }),
    ),
  }),
  authority: (is: boolean, pathLength?: number): Extension => ({
    oid: '2.5.29.19',
    critical: true,
    value: sequence(...(is ? [TRUE] : []), ...(pathLength === undefined ? [] : [der(0x02, Buffer.of(pathLength))])),
  }),
  /** @param bits the first byte: 0x80 signs, 0x04 signs certificates. */
  keyUsage: (bits: number): Extension => ({ oid: '2.5.29.15', critical: true, value: der(0x03, Buffer.of(unusedBits(bits), bits)) }),
  purposes: (...oids: readonly string[]): Extension => ({ oid: '2.5.29.37', value: sequence(...oids.map(oid)) }),
  issuer: (text: string): Extension => ({ oid: '1.3.6.1.4.1.57264.1.1', value: Buffer.from(text) }),
  issuerV2: (text: string, tag = 0x0c): Extension => ({ oid: '1.3.6.1.4.1.57264.1.8', value: der(tag, text) }),
  /** @param tag 0x81: addresses, 0x82: hosts, that alone are permitted */
  nameConstraints: (tag: number, text: string): Extension => ({
    oid: '2.5.29.30',
    critical: true,
    value: sequence(der(0xa0, sequence(der(tag, text)))),
  }),
};

function unusedBits(bits: number): number {
  let unused = 0;
  while (unused < 7 && (bits & (1 << unused)) === 0) unused += 1;
  return unused;
}

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const newPair = {
  ec: (namedCurve = 'P-256'): Pair => generateKeyPairSync('ec', { namedCurve }),
  rsa: (modulusLength = 2048): Pair => generateKeyPairSync('rsa', { modulusLength }),
  ed25519: (): Pair => generateKeyPairSync('ed25519'),
};

/** Who signs certificates: by its name and its key. */
export interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
  readonly pem: string;
}

export interface CertificateOptions {
  readonly subject: string;
  /** Of the subject, beside its name. */
  readonly organization?: string;
  /** Itself where not given. */
  readonly issuer?: Issuer | undefined;
  readonly pair?: Pair;
  readonly from?: Date;
  readonly until?: Date;
  readonly extensions: readonly Extension[];
  readonly version?: number;
  readonly serial?: Buffer;
  readonly hash?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** What the certificate says, where that is not how it is signed. */
  readonly innerAlgorithm?: Buffer;
  /** Behind its end. */
  readonly trailing?: Buffer;
  /** Changes the parts of what is signed, each in DER. */
  readonly change?: (parts: CertificateParts) => Partial<CertificateParts>;
  /** Makes the certificate of its three parts, where that is not as it should be. */
  readonly wrap?: (signed: Buffer, algorithm: Buffer, signature: Buffer) => Buffer;
}

export type CertificateParts = Readonly<Record<'version' | 'serial' | 'algorithm' | 'issuer' | 'validity' | 'subject' | 'key' | 'extensions', Buffer>>; // prettier-ignore

export interface MadeCertificate extends Issuer {
  readonly pair: Pair;
}

const RSA = { sha1: 5, sha256: 11, sha384: 12, sha512: 13 };
const ECDSA = { sha1: '1', sha256: '3.2', sha384: '3.3', sha512: '3.4' };

function algorithmOf(key: KeyObject, hash: keyof typeof RSA): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return sequence(oid('1.3.101.112'));
  if (key.asymmetricKeyType === 'rsa') return sequence(oid(`1.2.840.113549.1.1.${RSA[hash]}`), Buffer.of(0x05, 0));
  return sequence(oid(`1.2.840.10045.4.${ECDSA[hash]}`));
}

function name(text: string, organization?: string): Buffer {
  const part = (type: string, value: string): Buffer => der(0x31, sequence(oid(type), der(0x0c, value)));
  return sequence(...(organization === undefined ? [] : [part('2.5.4.10', organization)]), part('2.5.4.3', text));
}

function time(date: Date): Buffer {
  const text = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? der(0x17, text.slice(2)) : der(0x18, text);
}

export function pem(bytes: Buffer, type = 'CERTIFICATE'): string {
  return `-----BEGIN ${type}-----\n${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${type}-----\n`;
}

const DAY_MS = 24 * 60 * 60_000;
let serials = 1;

export function makeCertificate(options: CertificateOptions): MadeCertificate {
  const { subject, pair = newPair.ec(), version = 3, hash = 'sha256', extensions } = options;
  const from = options.from ?? new Date(Date.now() - DAY_MS);
  const until = options.until ?? new Date(Date.now() + DAY_MS);
  const signer = options.issuer ?? { name: subject, key: pair.privateKey };
  const algorithm = algorithmOf(signer.key, hash);
  const list = extensions.map((one) => sequence(oid(one.oid), ...(one.critical === true ? [TRUE] : []), der(0x04, one.value)));
  const none = Buffer.alloc(0);
  const parts: CertificateParts = {
    version: version === 1 ? none : der(0xa0, der(0x02, Buffer.of(version - 1))),
    serial: der(0x02, options.serial ?? Buffer.of(0x10, serials++ & 0x7f)),
    algorithm: options.innerAlgorithm ?? algorithm,
    issuer: name(signer.name),
    validity: sequence(time(from), time(until)),
    subject: name(subject, options.organization),
    key: pair.publicKey.export({ type: 'spki', format: 'der' }),
    extensions: version === 3 ? der(0xa3, sequence(...list)) : none,
  };
  const signed = sequence(...Object.values({ ...parts, ...options.change?.(parts) }));
  const signature = sign(signer.key.asymmetricKeyType === 'ed25519' ? null : hash, signed, signer.key);
  const { wrap = (...three) => sequence(three[0], three[1], der(0x03, Buffer.of(0), three[2])) } = options;
  const bytes = wrap(signed, algorithm, signature);
  const text = pem(options.trailing === undefined ? bytes : Buffer.concat([bytes, options.trailing]));
  return { name: subject, key: pair.privateKey, pem: text, pair };
}
