/** sigstoreSigned by certificates of a Fulcio, with Rekor's time. */
import { CODE_SIGNING, extension, newPair, pem } from '../../support/certificates.ts';
import type { Extension } from '../../support/certificates.ts';
import { byCertificate, rekorBundle, signBytes, withAnnotations } from '../../support/sigstore.ts';
import type { CosignSignature } from '../../support/sigstore.ts';
import {
  authority, base64, bothIssuers, byFulcio, EMAIL, fulcio, intermediate, ISSUER, leaf, leafExtensions, logged, otherRekor, otherRoot, pemOf,
  rekor, rekorData, root, seconds, SIGNED_AT,
} from './policy-lab.ts'; // prettier-ignore
import type { PolicyCase } from './policy-lab.ts';

const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const CHAIN = 'dev.sigstore.cosign/chain';
const BUNDLE = 'dev.sigstore.cosign/bundle';
const SERVER = '1.3.6.1.5.5.7.3.1';
const policy = fulcio();
const withExtensions = (extra: readonly Extension[]) => (payload: string) => byFulcio(payload, leaf({ extra }));
const named = (...names: readonly string[]) => withExtensions(leafExtensions(names));
const issued = (...issuers: readonly Extension[]) => withExtensions(leafExtensions(undefined, issuers));
const changed = (changes: Readonly<Record<string, string | undefined>>) => (payload: string) =>
  byFulcio(payload).map((one) => withAnnotations(one, changes));
/** Used at another time: seconds after it was given. */
const usedAt = (after: number) => (payload: string) => [
  byCertificate(payload, leaf(), [intermediate, root], { rekor, at: seconds(SIGNED_AT) - 60 + after }),
];
/** Its annotation, and the entry, is what `write` makes of the certificate. */
const written =
  (write: (text: string) => string, entry: (text: string) => string = write) =>
  (payload: string): CosignSignature[] => {
    const made = leaf();
    const signature = signBytes(payload, made.key);
    const bundle = rekorBundle(signature, payload, entry(made.pem), logged);
    const annotations = { 'dev.cosignproject.cosign/signature': signature, [CERTIFICATE]: write(made.pem), [CHAIN]: intermediate.pem + root.pem, [BUNDLE]: bundle }; // prettier-ignore
    return [{ payload, annotations }];
  };
/** By an authority between the root and the leaf. */
const below = (...middle: readonly ReturnType<typeof authority>[]) => (payload: string) => byFulcio(payload, leaf({ issuer: middle[0] }), [...middle, root]); // prettier-ignore
const plain = [extension.authority(true), extension.keyUsage(0x04)];
const middle = (...extensions: readonly Extension[]): ReturnType<typeof authority> => authority('middle', root, { extensions });
const second = authority('second', root, { extensions: [extension.authority(true, 0), extension.keyUsage(0x04)] });
const third = authority('third', second);
const rsaAuthority = authority('rsa', root, { pair: newPair.rsa() });
const oldRoot = authority('old root', undefined, { version: 1 });
const selfMade = leaf({ subject: 'itself', issuer: undefined });
const edAuthority = authority('ed', root, { pair: newPair.ed25519() });

export const FULCIO_CASES: readonly PolicyCase[] = [
  { name: 'fulcio and Rekor', verdict: 'accepted', policy, sign: (payload) => byFulcio(payload) },
  { name: 'fulcio without a Rekor key', verdict: 'refused', words: /rekorPublicKey/, policy: { fulcio: policy['fulcio'] }, sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'fulcio without an issuer', verdict: 'refused', words: /oidcIssuer/, policy: fulcio({ oidcIssuer: undefined }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'fulcio without an address', verdict: 'refused', words: /subjectEmail/, policy: fulcio({ subjectEmail: '' }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'fulcio with an unknown key', verdict: 'refused', words: /fulcio\.subject: must be absent/, policy: fulcio({ subject: EMAIL }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'another authority of the same name', verdict: 'refused', words: /leads to no authority/, policy: fulcio({ caData: base64(otherRoot.pem) }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'two authorities of one name, one of them right', verdict: 'accepted', policy: fulcio({ caData: base64(otherRoot.pem + root.pem) }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'an authority that is no certificate', verdict: 'refused', words: /fulcio CA data/, policy: fulcio({ caData: base64(pemOf(rekor)) }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'an authority among what cannot be read', verdict: 'accepted', policy: fulcio({ caData: base64(pem(Buffer.from('no')) + root.pem) }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'the intermediate as the policy\'s authority', verdict: 'accepted', policy: fulcio({ caData: base64(intermediate.pem) }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
  { name: 'the certificate itself as the policy\'s authority', verdict: 'accepted', policy: fulcio({ caData: base64(selfMade.pem) }), sign: (payload) => byFulcio(payload, selfMade) }, // prettier-ignore
  { name: 'another address', verdict: 'refused', words: /is for the addresses "other@example\.test"/, policy, sign: named('email:other@example.test') }, // prettier-ignore
  { name: 'two addresses, one of them right', verdict: 'accepted', policy, sign: named('email:other@example.test', `email:${EMAIL}`) },
  { name: 'the address in upper case', verdict: 'refused', policy, sign: named(`email:${EMAIL.toUpperCase()}`) },
  { name: 'the address with something behind it', verdict: 'refused', policy, sign: named(`email:${EMAIL}.other.test`) },
  { name: 'the address with a NUL behind it', verdict: 'refused', policy, sign: named(`email:${EMAIL}\0`) },
  { name: 'an address that is not ASCII', verdict: 'refused', words: /not ASCII/, policy, sign: named('email:d\u00e9v@example.test', `email:${EMAIL}`) }, // prettier-ignore
  { name: 'the address as a URI', verdict: 'refused', policy, sign: named(`uri:mailto:${EMAIL}`) },
  { name: 'a URI as GitHub\'s, and no address', verdict: 'refused', words: /addresses \(none\)/, policy, sign: named('uri:https://github.com/o/r/.github/workflows/x.yml@refs/heads/main') }, // prettier-ignore
  { name: 'a URI beside the address', verdict: 'accepted', policy, sign: named(`email:${EMAIL}`, 'uri:https://github.com/o/r/.github/workflows/x.yml@refs/heads/main') }, // prettier-ignore
  {
    name: 'a URI with a host that is none beside the address',
    verdict: 'refused',
    policy,
    sign: named(`email:${EMAIL}`, 'uri:https://bad host/'),
  },
  {
    name: 'a URI with a wrong escape beside the address',
    verdict: 'refused',
    policy,
    sign: named(`email:${EMAIL}`, 'uri:https://host/%zz'),
  },
  { name: 'a name of another kind beside the address', verdict: 'accepted', policy, sign: named(`email:${EMAIL}`, `other:${EMAIL}`) },
  { name: 'a name of another kind alone', verdict: 'refused', policy, sign: named(`other:${EMAIL}`) },
  { name: 'an IP address of five bytes beside the address', verdict: 'refused', policy, sign: named(`email:${EMAIL}`, 'ip:0102030405') },
  { name: 'no names', verdict: 'refused', policy, sign: withExtensions([extension.purposes(CODE_SIGNING), ...bothIssuers()]) },
  {
    name: 'another issuer',
    verdict: 'refused',
    words: /OIDC issuer "https:\/\/other/,
    policy,
    sign: issued(...bothIssuers('https://other.test')),
  },
  { name: 'no issuer', verdict: 'refused', words: /names no OIDC issuer/, policy, sign: issued() },
  { name: 'the issuer in its old form alone', verdict: 'accepted', policy, sign: issued(extension.issuer(ISSUER)) },
  { name: 'the issuer in its new form alone', verdict: 'accepted', policy, sign: issued(extension.issuerV2(ISSUER)) },
  { name: 'the issuer in its new form as another text', verdict: 'accepted', policy, sign: issued(extension.issuerV2(ISSUER, 0x16)) },
  {
    name: 'the issuer in its new form as bytes',
    verdict: 'refused',
    words: /cannot be read/,
    policy,
    sign: issued(extension.issuerV2(ISSUER, 0x04)),
  },
  {
    name: 'two issuers that differ',
    verdict: 'refused',
    words: /two OIDC issuers/,
    policy,
    sign: issued(...bothIssuers(ISSUER, 'https://other.test')),
  },
  { name: 'an issuer with something behind it', verdict: 'refused', policy, sign: issued({ ...extension.issuerV2(ISSUER), value: Buffer.concat([extension.issuerV2(ISSUER).value, Buffer.of(5, 0)]) }) }, // prettier-ignore
  {
    name: 'the issuer twice',
    verdict: 'refused',
    words: /an extension twice/,
    policy,
    sign: issued(extension.issuer(ISSUER), extension.issuer(ISSUER)),
  },
  { name: 'used before it was given', verdict: 'refused', words: /is valid from/, policy, sign: usedAt(-1) },
  { name: 'used in its first second', verdict: 'accepted', policy, sign: usedAt(0) },
  { name: 'used in its last second', verdict: 'accepted', policy, sign: usedAt(600) },
  { name: 'used when it had expired', verdict: 'refused', words: /was valid until/, policy, sign: usedAt(601) },
  { name: 'used when the intermediate had expired', verdict: 'refused', words: /an authority's certificate was valid/, policy, sign: below(authority('middle', root, { until: new Date(SIGNED_AT.getTime() - 1000) })) }, // prettier-ignore
  { name: 'by an intermediate that has expired since', verdict: 'accepted', policy, sign: below(authority('middle', root, { until: new Date(SIGNED_AT.getTime() + 1000) })) }, // prettier-ignore
  { name: 'an entry by another Rekor', verdict: 'refused', words: /signed entry timestamp/, policy, sign: (payload) => [byCertificate(payload, leaf(), [intermediate, root], { ...logged, rekor: otherRekor })] }, // prettier-ignore
  { name: 'an entry of another certificate', verdict: 'refused', words: /another key or certificate/, policy, sign: written((text) => text, () => leaf().pem) }, // prettier-ignore
  {
    name: 'no bundle',
    verdict: 'refused',
    words: /it has no dev\.sigstore\.cosign\/bundle/,
    policy,
    sign: changed({ [BUNDLE]: undefined }),
  },
  { name: 'no certificate', verdict: 'refused', words: /it has no dev\.sigstore\.cosign\/certificate/, policy, sign: changed({ [CERTIFICATE]: undefined }) }, // prettier-ignore
  { name: 'no chain', verdict: 'refused', words: /leads to no authority/, policy, sign: changed({ [CHAIN]: undefined }) },
  { name: 'no chain, and none needed', verdict: 'accepted', policy, sign: (payload) => byFulcio(payload, leaf({ issuer: root }), []) },
  { name: 'an empty chain where none is needed', verdict: 'accepted', policy, sign: (payload) => byFulcio(payload, leaf({ issuer: root }), [{ pem: '' }]) }, // prettier-ignore
  { name: 'a chain without its root, whose last one counts as that', verdict: 'refused', policy, sign: (payload) => byFulcio(payload, leaf(), [intermediate]) }, // prettier-ignore
  {
    name: 'a chain in another order',
    verdict: 'accepted',
    policy,
    sign: (payload) => byFulcio(payload, leaf(), [otherRoot, intermediate, root]),
  },
  { name: 'a chain that is no PEM', verdict: 'refused', words: /chain cannot be read/, policy, sign: changed({ [CHAIN]: 'no chain' }) },
  {
    name: 'a chain with something behind it',
    verdict: 'refused',
    policy,
    sign: changed({ [CHAIN]: `${intermediate.pem}${root.pem}more` }),
  },
  {
    name: 'a chain with something between',
    verdict: 'accepted',
    policy,
    sign: changed({ [CHAIN]: `${intermediate.pem}words\n${root.pem}` }),
  },
  { name: 'a certificate with a line behind it', verdict: 'refused', policy, sign: written((text) => `${text}\n`) },
  { name: 'a certificate with words before it', verdict: 'accepted', policy, sign: written((text) => `words\n${text}`) },
  { name: 'a certificate with lines of Windows', verdict: 'accepted', policy, sign: written((text) => text.replaceAll('\n', '\r\n')) },
  { name: 'a certificate with headers', verdict: 'refused', stricter: 'headers of PEM, which no signer writes', policy, sign: written((text) => text.replace('\n', '\nA: b\n\n')) }, // prettier-ignore
  { name: 'two certificates for one', verdict: 'refused', policy, sign: written((text) => text + text) },
  { name: 'a certificate of another name of PEM', verdict: 'accepted', policy, sign: written((text) => text.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')) }, // prettier-ignore
  { name: 'signed by another key than the certificate\'s', verdict: 'refused', words: /not by the key of its certificate/, policy, sign: (payload) => [byCertificate(payload, { ...leaf(), key: newPair.ec().privateKey }, [intermediate, root], logged)] }, // prettier-ignore
  {
    name: 'no extended key usage',
    verdict: 'accepted',
    policy,
    sign: withExtensions([extension.names([`email:${EMAIL}`], true), ...bothIssuers()]),
  },
  { name: 'an extended key usage for servers', verdict: 'refused', words: /not for signing code/, policy, sign: withExtensions([extension.purposes(SERVER), extension.names([`email:${EMAIL}`]), ...bothIssuers()]) }, // prettier-ignore
  { name: 'an extended key usage for all', verdict: 'accepted', policy, sign: withExtensions([extension.purposes('2.5.29.37.0'), extension.names([`email:${EMAIL}`]), ...bothIssuers()]) }, // prettier-ignore
  { name: 'an authority for servers alone', verdict: 'refused', words: /not for signing code/, policy, sign: below(middle(...plain, extension.purposes(SERVER))) }, // prettier-ignore
  {
    name: 'an authority that is none',
    verdict: 'refused',
    words: /no authority has signed/,
    policy,
    sign: below(middle(extension.authority(false))),
  },
  { name: 'an authority that does not say so', verdict: 'refused', policy, sign: below(middle(extension.keyUsage(0x04))) },
  { name: 'an authority whose key may not sign certificates', verdict: 'refused', policy, sign: below(middle(extension.authority(true), extension.keyUsage(0x80))) }, // prettier-ignore
  { name: 'an authority that does not say what its key may', verdict: 'accepted', policy, sign: below(middle(extension.authority(true))) },
  { name: 'an authority below one that allows none', verdict: 'refused', words: /allows 0 authorities below it, there are 1/, policy, sign: below(third, second) }, // prettier-ignore
  { name: 'a root that is no authority', verdict: 'refused', policy: fulcio({ caData: base64(middle(extension.authority(false)).pem) }), sign: below(middle(extension.authority(false))) }, // prettier-ignore
  { name: 'a root of version 1', verdict: 'accepted', policy: fulcio({ caData: base64(oldRoot.pem) }), sign: (payload) => byFulcio(payload, leaf({ issuer: oldRoot }), []) }, // prettier-ignore
  { name: 'an authority of version 1', verdict: 'refused', policy, sign: below(authority('middle', root, { version: 1 })) },
  { name: 'a critical extension that nobody knows', verdict: 'refused', words: /critical extension that is not known, 1\.2\.3\.4/, policy, sign: withExtensions([...leafExtensions(), { oid: '1.2.3.4', value: Buffer.of(5, 0), critical: true }]) }, // prettier-ignore
  { name: 'an extension that nobody knows', verdict: 'accepted', policy, sign: withExtensions([...leafExtensions(), { oid: '1.2.3.4', value: Buffer.of(5, 0) }]) }, // prettier-ignore
  { name: 'a critical extension of an authority that nobody knows', verdict: 'refused', policy, sign: below(middle(...plain, { oid: '1.2.3.4', value: Buffer.of(5, 0), critical: true })) }, // prettier-ignore
  { name: 'an authority with a constraint that is met', verdict: 'refused', stricter: 'name constraints are not read', words: /name constraints, which are not supported/, policy, sign: below(middle(...plain, extension.nameConstraints(0x81, 'example.test'))) }, // prettier-ignore
  { name: 'an authority with a constraint that is not met', verdict: 'refused', policy, sign: below(middle(...plain, extension.nameConstraints(0x81, 'other.test'))) }, // prettier-ignore
  { name: 'a certificate signed with SHA-1', verdict: 'refused', policy, sign: (payload) => byFulcio(payload, leaf({ hash: 'sha1' })) },
  {
    name: 'a certificate signed with SHA-384',
    verdict: 'accepted',
    policy,
    sign: (payload) => byFulcio(payload, leaf({ hash: 'sha384' })),
  },
  { name: 'an authority with an RSA key', verdict: 'accepted', policy, sign: below(rsaAuthority) },
  { name: 'an authority with an Ed25519 key', verdict: 'accepted', policy, sign: below(edAuthority) },
  {
    name: 'a certificate with an Ed25519 key',
    verdict: 'accepted',
    policy,
    sign: (payload) => byFulcio(payload, leaf({ pair: newPair.ed25519() })),
  },
  {
    name: 'a certificate with a P-384 key',
    verdict: 'accepted',
    policy,
    sign: (payload) => byFulcio(payload, leaf({ pair: newPair.ec('P-384') })),
  },
  {
    name: 'a certificate with an RSA key',
    verdict: 'accepted',
    policy,
    sign: (payload) => byFulcio(payload, leaf({ pair: newPair.rsa() })),
  },
  { name: 'a certificate that names another algorithm than its signature\'s', verdict: 'refused', words: /two algorithms/, policy, sign: (payload) => byFulcio(payload, leaf({ innerAlgorithm: Buffer.from('300a06082a8648ce3d040303', 'hex') })) }, // prettier-ignore
  { name: 'a serial number below zero', verdict: 'refused', words: /serial number is negative/, policy, sign: (payload) => byFulcio(payload, leaf({ serial: Buffer.of(0x90) })) }, // prettier-ignore
  { name: 'a serial number that is longer than it must be', verdict: 'refused', policy, sign: (payload) => byFulcio(payload, leaf({ serial: Buffer.of(0, 1) })) }, // prettier-ignore
  { name: 'bytes behind a certificate', verdict: 'refused', words: /something follows/, policy, sign: (payload) => byFulcio(payload, leaf({ trailing: Buffer.of(5, 0) })) }, // prettier-ignore
  { name: 'a payload of another digest', verdict: 'refused', words: /it is for sha256:f{64}/, policy, sign: (payload) => byFulcio(payload.replace(/sha256:\w{64}/, `sha256:${'f'.repeat(64)}`)) }, // prettier-ignore
  { name: 'fulcio given by keys of Rekor in several', verdict: 'accepted', policy: fulcio({}, { rekorPublicKeyData: undefined, rekorPublicKeyDatas: [base64(pemOf(otherRekor)), rekorData.rekorPublicKeyData] }), sign: (payload) => byFulcio(payload) }, // prettier-ignore
];
