/** sigstoreSigned by certificates of a company's own authorities. */
import { extension } from '../../support/certificates.ts';
import { withAnnotations } from '../../support/sigstore.ts';
import { ago, base64, byPki, EMAIL, intermediate, logged, otherRoot, pki, pkiLeaf, rekorData, root } from './policy-lab.ts';
import { byCertificate } from '../../support/sigstore.ts';
import type { PolicyCase } from './policy-lab.ts';

const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const policy = pki();
const host = (subjectHostname: string): Readonly<Record<string, unknown>> => pki({ subjectEmail: null, subjectHostname });
const named =
  (...names: readonly string[]) =>
  (payload: string) =>
    byPki(payload, pkiLeaf(names));
const without =
  (...chain: readonly { readonly pem: string }[]) =>
  (payload: string) =>
    byPki(payload, pkiLeaf(), chain);

export const PKI_CASES: readonly PolicyCase[] = [
  { name: 'pki by address', verdict: 'accepted', policy, sign: (payload) => byPki(payload) },
  { name: 'pki with a Rekor key', verdict: 'refused', words: /without a Rekor key/, policy: { ...policy, ...rekorData }, sign: (payload) => byPki(payload) }, // prettier-ignore
  { name: 'pki and a bundle besides', verdict: 'accepted', policy, sign: (payload) => [byCertificate(payload, pkiLeaf(), [intermediate, root], logged)] }, // prettier-ignore
  { name: 'pki for nobody', verdict: 'refused', words: /subjectEmail or subjectHostname/, policy: pki({ subjectEmail: null }), sign: (payload) => byPki(payload) }, // prettier-ignore
  { name: 'pki without roots', verdict: 'refused', words: /caRootsPath or caRootsData/, policy: pki({ caRootsData: undefined }), sign: (payload) => byPki(payload) }, // prettier-ignore
  {
    name: 'pki with an unknown key',
    verdict: 'refused',
    words: /pki\.roots: must be absent/,
    policy: pki({ roots: 'x' }),
    sign: (payload) => byPki(payload),
  },
  {
    name: 'pki by another root',
    verdict: 'refused',
    policy: pki({ caRootsData: base64(otherRoot.pem) }),
    sign: (payload) => byPki(payload),
  },
  { name: 'a certificate that has expired', verdict: 'refused', words: /was valid until/, policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { from: ago(48), until: ago(24) })) }, // prettier-ignore
  { name: 'a certificate that is not valid yet', verdict: 'refused', words: /is valid from/, policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { from: ago(-1) })) }, // prettier-ignore
  { name: 'no certificate', verdict: 'refused', policy, sign: (payload) => byPki(payload).map((one) => withAnnotations(one, { [CERTIFICATE]: undefined })) }, // prettier-ignore
  { name: 'two certificates for one', verdict: 'refused', policy, sign: (payload) => byPki(payload).map((one) => withAnnotations(one, { [CERTIFICATE]: `${one.annotations[CERTIFICATE] ?? ''}${root.pem}` })) }, // prettier-ignore
  { name: 'a certificate with lines behind it', verdict: 'accepted', policy, sign: (payload) => byPki(payload).map((one) => withAnnotations(one, { [CERTIFICATE]: `${one.annotations[CERTIFICATE] ?? ''}\n\n` })) }, // prettier-ignore
  { name: 'a certificate that is empty', verdict: 'refused', policy, sign: (payload) => byPki(payload).map((one) => withAnnotations(one, { [CERTIFICATE]: '' })) }, // prettier-ignore
  { name: 'no intermediate', verdict: 'refused', policy, sign: without() },
  {
    name: 'the intermediate by the policy',
    verdict: 'accepted',
    policy: pki({ caIntermediatesData: base64(intermediate.pem) }),
    sign: without(),
  },
  { name: 'intermediates of the policy that are none', verdict: 'refused', words: /pki CA intermediates data/, policy: pki({ caIntermediatesData: base64(`${intermediate.pem}more`) }), sign: (payload) => byPki(payload) }, // prettier-ignore
  { name: 'the intermediate last in the chain, where the root should be', verdict: 'refused', policy, sign: without(intermediate) },
  { name: 'another address', verdict: 'refused', policy, sign: named('email:other@example.test') },
  { name: 'address and host, both right', verdict: 'accepted', policy: pki({ subjectHostname: 'build.example.test' }), sign: named(`email:${EMAIL}`, 'dns:build.example.test') }, // prettier-ignore
  { name: 'address and host, one right', verdict: 'refused', words: /for the hosts/, policy: pki({ subjectHostname: 'build.example.test' }), sign: named(`email:${EMAIL}`, 'dns:other.example.test') }, // prettier-ignore
  { name: 'a host', verdict: 'accepted', policy: host('build.example.test'), sign: named('dns:build.example.test') },
  { name: 'a host in upper case', verdict: 'accepted', policy: host('Build.Example.TEST'), sign: named('dns:BUILD.example.test') },
  { name: 'a host with a dot behind it', verdict: 'accepted', policy: host('build.example.test.'), sign: named('dns:build.example.test') },
  { name: 'a host with a dot behind it in the certificate', verdict: 'refused', policy: host('build.example.test'), sign: named('dns:build.example.test.') }, // prettier-ignore
  { name: 'a wildcard', verdict: 'accepted', policy: host('build.example.test'), sign: named('dns:*.example.test') },
  { name: 'a wildcard over two labels', verdict: 'refused', policy: host('a.build.example.test'), sign: named('dns:*.example.test') },
  { name: 'a wildcard for the domain itself', verdict: 'refused', policy: host('example.test'), sign: named('dns:*.example.test') },
  { name: 'a wildcard in a part of a label', verdict: 'refused', policy: host('build.example.test'), sign: named('dns:bu*.example.test') },
  { name: 'a wildcard in the middle', verdict: 'refused', policy: host('build.example.test'), sign: named('dns:build.*.test') },
  { name: 'a wildcard alone', verdict: 'refused', policy: host('test'), sign: named('dns:*') },
  { name: 'a wildcard that the policy asks for', verdict: 'accepted', policy: host('*.example.test'), sign: named('dns:*.example.test') },
  { name: 'a host with an underscore', verdict: 'accepted', policy: host('a_b.example.test'), sign: named('dns:a_b.example.test') },
  { name: 'a host that begins with a dash', verdict: 'accepted', policy: host('-a.example.test'), sign: named('dns:-a.example.test') },
  {
    name: 'a wildcard for a host that begins with a dash',
    verdict: 'refused',
    policy: host('-a.example.test'),
    sign: named('dns:*.example.test'),
  },
  { name: 'a host in the common name alone', verdict: 'refused', policy: host('signer'), sign: named(`email:${EMAIL}`) },
  { name: 'an IP address', verdict: 'accepted', policy: host('192.0.2.1'), sign: named('ip:c0000201') },
  { name: 'an IP address as a name', verdict: 'refused', policy: host('192.0.2.1'), sign: named('dns:192.0.2.1') },
  { name: 'an IPv6 address', verdict: 'accepted', policy: host('[2001:db8::1]'), sign: named('ip:20010db8000000000000000000000001') },
  { name: 'an IPv4 address in IPv6', verdict: 'accepted', policy: host('::ffff:192.0.2.1'), sign: named('ip:c0000201') },
  { name: 'an IP address in IPv6 form in the certificate', verdict: 'accepted', policy: host('192.0.2.1'), sign: named('ip:00000000000000000000ffffc0000201') }, // prettier-ignore
  { name: 'names that are critical', verdict: 'accepted', policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { extensions: [extension.names([`email:${EMAIL}`], true)] })) }, // prettier-ignore
  { name: 'critical names of a kind that nobody knows', verdict: 'refused', policy, sign: (payload) => byPki(payload, pkiLeaf(undefined, { extensions: [extension.names([`other:${EMAIL}`], true)] })) }, // prettier-ignore
];
