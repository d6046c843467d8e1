/** Certificates whose DER, names or keys are not as they should be, though all that counts is signed and right. */
import { der, extension, newPair, oid, pem } from '../../support/certificates.ts';
import type { CertificateOptions, CertificateParts, Extension } from '../../support/certificates.ts';
import { byKey } from '../../support/sigstore.ts';
import type { CosignSignature } from '../../support/sigstore.ts';
import {
  authority, base64, byFulcio, byPki, EMAIL, fulcio, intermediate, ISSUER, leaf, leafExtensions, pki, pkiLeaf, root,
} from './policy-lab.ts'; // prettier-ignore
import type { PolicyCase } from './policy-lab.ts';

const policy = pki();
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const of = (options: Partial<CertificateOptions>) => (payload: string) => byPki(payload, pkiLeaf(undefined, options));
const changed = (change: (parts: CertificateParts) => Partial<CertificateParts>) => of({ change });
const [usage, purposes, mail] = [extension.keyUsage(0x80), extension.purposes('1.3.6.1.5.5.7.3.3'), extension.names([`email:${EMAIL}`])];
const more = (...extra: readonly Extension[]) => of({ extensions: [usage, purposes, mail, ...extra] });
const raw = (oidText: string, value: Buffer, critical = false): Extension => ({ oid: oidText, value, critical });
const named = (tag: number, text: string | Buffer) =>
  changed(() => ({ subject: sequence(der(0x31, sequence(oid('2.5.4.3'), der(tag, text)))) }));
const names = (...parts: readonly Buffer[]) => of({ extensions: [usage, purposes, raw('2.5.29.17', sequence(...parts))] });
/** The same point, told by one coordinate. */
function compressed(key: Buffer): Buffer {
  const [x, last] = [key.subarray(-64, -32), key.at(-1) ?? 0];
  return sequence(sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')), der(0x03, Buffer.of(0, 2 + (last & 1)), x));
}
function hybrid(key: Buffer): Buffer {
  const copy = Buffer.from(key);
  copy[copy.length - 65] = 6 + ((key.at(-1) ?? 0) & 1);
  return copy;
}
const pair = newPair.ec();
const keyPem = (change: (key: Buffer) => Buffer): string =>
  pem(change(pair.publicKey.export({ type: 'spki', format: 'der' })), 'PUBLIC KEY');
const withIssuer = (tag: number, text: string | Buffer) => (payload: string) =>
  byFulcio(payload, leaf({ extra: leafExtensions(undefined, [raw('1.3.6.1.4.1.57264.1.8', der(tag, text))]) }));
const garbage = pem(Buffer.from('3003020101', 'hex'));
const badKey = authority('unused', root, { change: ({ key }) => ({ key: compressed(key) }) });
const wrapped = (wrap: NonNullable<CertificateOptions['wrap']>) => of({ wrap });
/** A signature with an end bit of zero, which is said to be none. */
function shortBits(): (payload: string) => CosignSignature[] {
  return (payload) => {
    for (;;) {
      const seen = { isEven: false };
      const made = pkiLeaf(undefined, {
        wrap: (signed, algorithm, signature) => {
          seen.isEven = ((signature.at(-1) ?? 1) & 1) === 0;
          return sequence(signed, algorithm, der(0x03, Buffer.of(seen.isEven ? 1 : 0), signature));
        },
      });
      if (seen.isEven) return byPki(payload, made);
    }
  };
}
const edRoot = authority('ed root', undefined, { pair: newPair.ed25519() });

export const DER_CASES: readonly PolicyCase[] = [
  { name: 'plain', verdict: 'accepted', policy, sign: more() },
  {
    name: 'version with something behind',
    verdict: 'refused',
    policy,
    sign: changed(() => ({ version: der(0xa0, Buffer.of(2, 1, 2), Buffer.of(5, 0)) })),
  },
  { name: 'version of two bytes', verdict: 'refused', policy, sign: changed(() => ({ version: der(0xa0, Buffer.of(2, 2, 0, 2)) })) },
  {
    name: 'long length',
    verdict: 'refused',
    policy,
    sign: wrapped((signed, algorithm, signature) => {
      const s = sequence(signed, algorithm, der(3, Buffer.of(0), signature));
      return Buffer.concat([Buffer.of(0x30, 0x83, 0), s.subarray(2)]);
    }),
  },
  {
    name: 'indefinite length',
    verdict: 'refused',
    policy,
    sign: wrapped((signed, algorithm, signature) =>
      Buffer.concat([Buffer.of(0x30, 0x80), signed, algorithm, der(3, Buffer.of(0), signature), Buffer.of(0, 0)]),
    ),
  },
  {
    name: 'something behind the signature inside',
    verdict: 'accepted',
    policy,
    sign: wrapped((signed, algorithm, signature) => sequence(signed, algorithm, der(3, Buffer.of(0), signature), Buffer.of(5, 0))),
  },
  { name: 'signature bits fewer', verdict: 'refused', policy, sign: shortBits() },
  {
    name: 'signature with zero byte more',
    verdict: 'refused',
    policy,
    sign: wrapped((signed, algorithm, signature) => sequence(signed, algorithm, der(3, Buffer.of(0), signature, Buffer.of(0)))),
  },
  {
    name: 'algorithm with null',
    verdict: 'refused',
    policy,
    sign: of({ innerAlgorithm: sequence(oid('1.2.840.10045.4.3.2'), Buffer.of(5, 0)) }),
  },
  {
    name: 'algorithm with null both',
    verdict: 'accepted',
    policy,
    sign: of({
      innerAlgorithm: sequence(oid('1.2.840.10045.4.3.2'), Buffer.of(5, 0)),
      wrap: (a, _b, c) => sequence(a, sequence(oid('1.2.840.10045.4.3.2'), Buffer.of(5, 0)), der(3, Buffer.of(0), c)),
    }),
  },
  { name: 'negative serial', verdict: 'refused', policy, sign: of({ serial: Buffer.of(0x80) }) },
  { name: 'serial long', verdict: 'refused', policy, sign: of({ serial: Buffer.of(0, 1) }) },
  { name: 'serial empty', verdict: 'refused', policy, sign: of({ serial: Buffer.alloc(0) }) },
  { name: 'serial zero', verdict: 'accepted', policy, sign: of({ serial: Buffer.of(0) }) },
  { name: 'serial of 30 bytes', verdict: 'accepted', policy, sign: of({ serial: Buffer.alloc(30, 1) }) },
  { name: 'sha1', verdict: 'refused', policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { issuer: root, hash: 'sha1' })) },
  { name: 'subject not a name', verdict: 'refused', policy, sign: changed(() => ({ subject: sequence(Buffer.of(5, 0)) })) },
  { name: 'subject with printable @', verdict: 'refused', policy, sign: named(0x13, 'a@b') },
  { name: 'subject with utf8 wrong', verdict: 'refused', policy, sign: named(0x0c, Buffer.of(0xff)) },
  { name: 'subject T61', verdict: 'accepted', policy, sign: named(0x14, 'abc') },
  { name: 'subject BMP odd', verdict: 'refused', policy, sign: named(0x1e, 'abc') },
  { name: 'subject BMP', verdict: 'accepted', policy, sign: named(0x1e, Buffer.of(0, 65)) },
  { name: 'subject numeric', verdict: 'refused', policy, sign: named(0x12, 'abc') },
  { name: 'subject ia5 8bit', verdict: 'refused', policy, sign: named(0x16, Buffer.of(0xe9)) },
  { name: 'subject universal string', verdict: 'refused', policy, sign: named(0x1c, Buffer.of(0, 0, 0, 65)) },
  { name: 'compressed point', verdict: 'refused', policy, sign: changed(({ key: k }) => ({ key: compressed(k) })) },
  { name: 'hybrid point', verdict: 'refused', policy, sign: changed(({ key: k }) => ({ key: hybrid(k) })) },
  {
    name: 'key info with something behind',
    verdict: 'refused',
    stricter: 'nobody writes it',
    policy,
    sign: changed(({ key: k }) => ({ key: sequence(k.subarray(2), Buffer.of(5, 0)) })),
  },
  {
    name: 'chain with one of a bad key',
    verdict: 'refused',
    policy,
    sign: (payload) => byPki(payload, pkiLeaf(), [intermediate, badKey, root]),
  },
  {
    name: 'chain with garbage',
    verdict: 'refused',
    policy,
    sign: (payload) => byPki(payload, pkiLeaf(), [intermediate, { pem: garbage }, root]),
  },
  {
    name: 'chain with garbage last',
    verdict: 'refused',
    policy,
    sign: (payload) => byPki(payload, pkiLeaf(), [intermediate, { pem: garbage }]),
  },
  { name: 'AKI critical', verdict: 'refused', policy, sign: more(raw('2.5.29.35', sequence(der(0x80, 'abcd')), true)) },
  { name: 'AKI no sequence', verdict: 'refused', policy, sign: more(raw('2.5.29.35', Buffer.of(5, 0))) },
  { name: 'AKI empty', verdict: 'refused', policy, sign: more(raw('2.5.29.35', Buffer.alloc(0))) },
  { name: 'SKI wrong', verdict: 'refused', policy, sign: more(raw('2.5.29.14', Buffer.of(5, 0))) },
  { name: 'SKI critical', verdict: 'refused', policy, sign: more(raw('2.5.29.14', der(4, 'abcd'), true)) },
  { name: 'CRL wrong', verdict: 'refused', policy, sign: more(raw('2.5.29.31', Buffer.of(5, 0))) },
  { name: 'policies wrong', verdict: 'refused', policy, sign: more(raw('2.5.29.32', Buffer.of(5, 0))) },
  {
    name: 'policies twice',
    verdict: 'refused',
    policy,
    sign: more(raw('2.5.29.32', sequence(sequence(oid('1.2.3')), sequence(oid('1.2.3'))))),
  },
  { name: 'inhibit any wrong', verdict: 'refused', policy, sign: more(raw('2.5.29.54', Buffer.of(5, 0))) },
  { name: 'inhibit any critical', verdict: 'accepted', policy, sign: more(raw('2.5.29.54', Buffer.of(2, 1, 0), true)) },
  { name: 'AIA wrong', verdict: 'refused', policy, sign: more(raw('1.3.6.1.5.5.7.1.1', Buffer.of(5, 0))) },
  { name: 'AIA critical', verdict: 'refused', policy, sign: more(raw('1.3.6.1.5.5.7.1.1', sequence(), true)) },
  {
    name: 'critical false said',
    verdict: 'accepted',
    policy,
    sign: changed(() => ({
      extensions: der(
        0xa3,
        sequence(...[usage, purposes, mail].map((one) => sequence(oid(one.oid), Buffer.of(1, 1, 0), der(4, one.value)))),
      ),
    })),
  },
  {
    name: 'critical 1',
    verdict: 'refused',
    policy,
    sign: changed(() => ({
      extensions: der(
        0xa3,
        sequence(...[usage, purposes, mail].map((one) => sequence(oid(one.oid), Buffer.of(1, 1, 1), der(4, one.value)))),
      ),
    })),
  },
  {
    name: 'extension with something behind',
    verdict: 'accepted',
    policy,
    sign: changed(() => ({
      extensions: der(0xa3, sequence(...[usage, purposes, mail].map((one) => sequence(oid(one.oid), der(4, one.value), Buffer.of(5, 0))))),
    })),
  },
  { name: 'two SANs', verdict: 'refused', policy, sign: more(extension.names([`email:${EMAIL}`])) },
  {
    name: 'SAN with something behind',
    verdict: 'accepted',
    policy,
    sign: of({ extensions: [usage, purposes, raw('2.5.29.17', Buffer.concat([mail.value, Buffer.of(5, 0)]))] }),
  },
  { name: 'SAN mail constructed', verdict: 'refused', policy, sign: names(der(0xa1, EMAIL)) },
  { name: 'SAN mail as universal', verdict: 'refused', policy, sign: names(der(0x01, EMAIL)) },
  { name: 'SAN mail as application', verdict: 'refused', policy, sign: names(der(0x41, EMAIL)) },
  { name: 'SAN mail NUL', verdict: 'refused', policy, sign: names(der(0x81, `${EMAIL}\0`)) },
  { name: 'SAN empty', verdict: 'refused', policy, sign: names() },
  { name: 'SAN dns empty beside', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x82, '')) },
  { name: 'SAN dns odd beside', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x82, 'a..b')) },
  { name: 'SAN mail odd beside', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x81, 'a b')) },
  { name: 'SAN uri empty beside', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x86, '')) },
  { name: 'SAN uri with port odd', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://a:bc/')) },
  { name: 'SAN uri with ip6 odd', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://[::1/')) },
  { name: 'SAN uri with user odd', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://a b@c/')) },
  { name: 'SAN uri with user odd2', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://a[b@c/')) },
  {
    name: 'SAN uri @@',
    verdict: 'refused',
    stricter: 'nobody writes it',
    policy,
    sign: names(der(0x81, EMAIL), der(0x86, 'https://a@b@c/')),
  },
  { name: 'SAN uri host %41', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://a%41/')) },
  { name: 'SAN uri ip', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://1.2.3.4/')) },
  { name: 'SAN uri spiffe', verdict: 'accepted', policy, sign: names(der(0x81, EMAIL), der(0x86, 'spiffe://a.b/c')) },
  { name: 'SAN uri host dot end', verdict: 'refused', policy, sign: names(der(0x81, EMAIL), der(0x86, 'https://a.b./c')) },
  {
    name: 'validity with something behind',
    verdict: 'accepted',
    policy,
    sign: changed(({ validity }) => ({ validity: sequence(validity.subarray(2), Buffer.of(5, 0)) })),
  },
  { name: 'issuer printable @', verdict: 'refused', policy: fulcio({ oidcIssuer: 'https://a@b' }), sign: withIssuer(0x13, 'https://a@b') },
  { name: 'issuer printable _', verdict: 'refused', policy: fulcio({ oidcIssuer: 'https://a_b' }), sign: withIssuer(0x13, 'https://a_b') },
  { name: 'issuer printable', verdict: 'accepted', policy: fulcio({ oidcIssuer: 'https://a.b' }), sign: withIssuer(0x13, 'https://a.b') },
  {
    name: 'issuer T61',
    verdict: 'refused',
    policy: fulcio({ oidcIssuer: 'https://a.b' }),
    sign: withIssuer(0x14, 'https://a.b'),
    stricter: 'T61String',
  },
  { name: 'issuer BOM', verdict: 'refused', policy: fulcio({ oidcIssuer: 'https://a.b' }), sign: withIssuer(0x0c, '\ufeffhttps://a.b') },
  {
    name: 'issuer v1 BOM',
    verdict: 'refused',
    policy: fulcio(),
    sign: (payload) =>
      byFulcio(payload, leaf({ extra: leafExtensions(undefined, [raw('1.3.6.1.4.1.57264.1.1', Buffer.from(`\ufeff${ISSUER}`))]) })),
  },
  {
    name: 'ed25519 chain',
    verdict: 'accepted',
    policy: pki({ caRootsData: base64(edRoot.pem) }),
    sign: (payload) => byPki(payload, pkiLeaf(undefined, { issuer: edRoot }), []),
  },
  { name: 'P-224 key', verdict: 'accepted', policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { pair: newPair.ec('P-224') })) },
  {
    name: 'secp256k1 key',
    verdict: 'refused',
    policy,
    sign: (payload) => byPki(payload, pkiLeaf(undefined, { pair: newPair.ec('secp256k1') })),
  },
  {
    name: 'policy key compressed',
    verdict: 'refused',
    policy: { keyData: base64(keyPem(compressed)) },
    sign: (payload) => [byKey(payload, pair)],
  },
  { name: 'policy key hybrid', verdict: 'refused', policy: { keyData: base64(keyPem(hybrid)) }, sign: (payload) => [byKey(payload, pair)] },
  {
    name: 'policy key with something behind',
    verdict: 'refused',
    policy: { keyData: base64(keyPem((k) => Buffer.concat([k, Buffer.of(5, 0)]))) },
    sign: (payload) => [byKey(payload, pair)],
  },
];
