/** sigstoreSigned by key, with and without Rekor. */
import { newPair } from '../../support/certificates.ts';
import { byKey, rekorBundle, rekorEntry, signBytes, withAnnotations } from '../../support/sigstore.ts';
import type { BundleOptions, CosignSignature } from '../../support/sigstore.ts';
import { base64, claim, logged, otherRekor, pemOf, rekor, rekorData } from './policy-lab.ts';
import type { PolicyCase } from './policy-lab.ts';

const SIGNATURE = 'dev.cosignproject.cosign/signature';
const BUNDLE = 'dev.sigstore.cosign/bundle';
const pair = newPair.ec();
const other = newPair.ec();
const rsa = newPair.rsa();
const keyData = base64(pemOf(pair));
const policy = { keyData };
const withRekor = { ...policy, ...rekorData };
const sign = (payload: string): CosignSignature[] => [byKey(payload, pair)];
const signLogged = (payload: string): CosignSignature[] => [byKey(payload, pair, logged)];
const ofKey = (maker: ReturnType<typeof newPair.ec>, type: 'spki' | 'pkcs1' = 'spki'): Pick<PolicyCase, 'policy' | 'sign'> => ({
  policy: { keyData: base64(pemOf(maker, type)) },
  sign: (payload) => [byKey(payload, maker)],
});
/** With an entry that is not what it should be. */
const withEntry = (entry: NonNullable<BundleOptions['entry']>) => (payload: string) => [byKey(payload, pair, { ...logged, entry })];
const withChange = (change: (entry: ReturnType<typeof rekorEntry>) => Record<string, unknown>) =>
  withEntry((...parts) => change(rekorEntry(...parts)));
/** Signed once, and a signature that is in the log besides. */
const withBundle =
  (options: BundleOptions, change: (text: string) => string = (text) => text) =>
  (payload: string) => {
    const signature = signBytes(payload, pair.privateKey);
    const text = change(rekorBundle(signature, payload, pemOf(pair), options));
    return [withAnnotations({ payload, annotations: { [SIGNATURE]: signature } }, { [BUNDLE]: text })];
  };
const remap = (prefix: string, signedPrefix: string) => ({ ...policy, signedIdentity: { type: 'remapIdentity', prefix, signedPrefix } });

export const KEY_CASES: readonly PolicyCase[] = [
  { name: 'the right key', verdict: 'accepted', policy, sign },
  { name: 'another key', verdict: 'refused', words: /by none of the keys/, policy, sign: (payload) => [byKey(payload, other)] },
  { name: 'several keys of which one is right', verdict: 'accepted', policy: { keyDatas: [base64(pemOf(other)), keyData] }, sign },
  { name: 'several keys, none right', verdict: 'refused', policy: { keyDatas: [base64(pemOf(other)), base64(pemOf(rsa))] }, sign },
  { name: 'an empty list of keys', verdict: 'refused', words: /keyDatas: must be a list of at least one/, policy: { keyDatas: [] }, sign },
  { name: 'no key', verdict: 'refused', words: /given just one of keyPath/, policy: {}, sign },
  { name: 'key and fulcio at once', verdict: 'refused', words: /just one of/, policy: { ...policy, fulcio: {}, ...rekorData }, sign },
  { name: 'a key that is none', verdict: 'refused', words: /must be a public key in PEM/, policy: { keyData: base64('no key') }, sign },
  { name: 'an RSA key', verdict: 'accepted', ...ofKey(rsa) },
  { name: 'an RSA key in PKCS #1', verdict: 'accepted', ...ofKey(rsa, 'pkcs1') },
  { name: 'an RSA key of 512 bits', verdict: 'refused', words: /its kind is rsa 512/, ...ofKey(newPair.rsa(512)) },
  { name: 'a P-384 key', verdict: 'accepted', ...ofKey(newPair.ec('P-384')) },
  { name: 'a P-521 key', verdict: 'accepted', ...ofKey(newPair.ec('P-521')) },
  { name: 'a key of a curve that is not of NIST', verdict: 'refused', words: /secp256k1/, ...ofKey(newPair.ec('secp256k1')) },
  { name: 'an Ed25519 key', verdict: 'accepted', ...ofKey(newPair.ed25519()) },
  { name: 'a payload of another digest', verdict: 'refused', words: /it is for sha256:0{64}/, policy, sign: (_, image) => sign(claim(image, { digest: `sha256:${'0'.repeat(64)}` })) }, // prettier-ignore
  { name: 'a payload of another name', verdict: 'refused', words: /does not accept/, policy, sign: (_, image) => sign(claim(image, { name: `${image.host}/other/app:1` })) }, // prettier-ignore
  { name: 'the repository alone, as cosign signs', verdict: 'refused', policy, sign: (_, image) => sign(claim(image, { name: image.name.replace(/:\w+$/, '') })) }, // prettier-ignore
  { name: 'the repository alone, and matchRepository', verdict: 'accepted', policy: { ...policy, signedIdentity: { type: 'matchRepository' } }, sign: (_, image) => sign(claim(image, { name: image.name.replace(/:\w+$/, '') })) }, // prettier-ignore
  { name: 'remapIdentity to the name that is signed', verdict: 'accepted', policy: ({ host }) => remap(host, 'vendor.test/ns'), sign: (_, image) => sign(claim(image, { name: image.name.replace(image.host, 'vendor.test/ns') })) }, // prettier-ignore
  { name: 'remapIdentity to another name', verdict: 'refused', policy: ({ host }) => remap(host, 'vendor.test/ns'), sign },
  { name: 'a payload that is not the one signed', verdict: 'refused', policy, sign: (payload) => sign(payload).map((one) => ({ ...one, payload: `${payload} ` })) }, // prettier-ignore
  { name: 'a signature in base64 without padding', verdict: 'refused', words: /in base64/, policy: { keyData: base64(pemOf(rsa)) }, sign: (payload) => [byKey(payload, rsa)].map((one) => withAnnotations(one, { [SIGNATURE]: one.annotations[SIGNATURE]?.replace(/=+$/, '') })) }, // prettier-ignore
  { name: 'no signature in the annotations', verdict: 'refused', words: /it has no dev\.cosignproject/, policy, sign: (payload) => [withAnnotations(byKey(payload, pair), { [SIGNATURE]: undefined })] }, // prettier-ignore
  { name: 'several signatures of which the last is right', verdict: 'accepted', policy, sign: (payload) => [byKey(payload, other), byKey(`${payload} `, rsa), ...sign(payload)] }, // prettier-ignore
  { name: 'no signature', verdict: 'refused', words: /none was found/, policy, sign: () => [] },

  { name: 'key and Rekor', verdict: 'accepted', policy: withRekor, sign: signLogged },
  { name: 'key and Rekor, no bundle', verdict: 'refused', words: /it has no dev\.sigstore\.cosign\/bundle/, policy: withRekor, sign },
  { name: 'key and Rekor, a bundle by another Rekor', verdict: 'refused', words: /signed entry timestamp/, policy: withRekor, sign: (payload) => [byKey(payload, pair, { ...logged, rekor: otherRekor })] }, // prettier-ignore
  { name: 'several Rekor keys of which one is right', verdict: 'accepted', policy: { ...policy, rekorPublicKeyDatas: [base64(pemOf(otherRekor)), base64(pemOf(rekor))] }, sign: signLogged }, // prettier-ignore
  { name: 'a Rekor key that is RSA', verdict: 'refused', words: /must be ECDSA/, policy: { ...policy, rekorPublicKeyData: base64(pemOf(rsa)) }, sign: signLogged }, // prettier-ignore
  { name: 'several keys of which the entry names the right one', verdict: 'accepted', policy: { keyDatas: [base64(pemOf(other)), keyData], ...rekorData }, sign: signLogged }, // prettier-ignore
  { name: 'an entry that names another key of the policy', verdict: 'refused', words: /by none of the keys/, policy: { keyDatas: [base64(pemOf(other)), keyData], ...rekorData }, sign: withEntry((signature, payload) => rekorEntry(signature, payload, pemOf(other))) }, // prettier-ignore
  { name: 'an entry of another key', verdict: 'refused', words: /another key or certificate/, policy: withRekor, sign: withEntry((signature, payload) => rekorEntry(signature, payload, pemOf(other))) }, // prettier-ignore
  { name: 'an entry of another signature', verdict: 'refused', words: /another signature/, policy: withRekor, sign: withEntry((_, payload, signer) => rekorEntry(signBytes(payload, pair.privateKey), payload, signer)) }, // prettier-ignore
  { name: 'an entry of another payload', verdict: 'refused', words: /another payload/, policy: withRekor, sign: withEntry((signature, _, signer) => rekorEntry(signature, 'another', signer)) }, // prettier-ignore
  { name: 'an entry of another kind', verdict: 'refused', words: /kind: must be hashedrekord/, policy: withRekor, sign: withChange((entry) => ({ ...entry, kind: 'rekord' })) }, // prettier-ignore
  { name: 'an entry of another version', verdict: 'refused', words: /apiVersion/, policy: withRekor, sign: withChange((entry) => ({ ...entry, apiVersion: '0.0.2' })) }, // prettier-ignore
  {
    name: 'an entry without spec',
    verdict: 'refused',
    policy: withRekor,
    sign: withChange(({ kind, apiVersion }) => ({ kind, apiVersion })),
  },
  { name: 'an entry with a hash of another kind', verdict: 'refused', words: /algorithm/, policy: withRekor, sign: withChange((entry) => JSON.parse(JSON.stringify(entry).replace('"sha256"', '"sha512"')) as Record<string, unknown>) }, // prettier-ignore
  { name: 'a time that was changed after Rekor signed', verdict: 'refused', words: /signed entry timestamp/, policy: withRekor, sign: withBundle({ ...logged, change: (payload) => ({ ...payload, integratedTime: 1 }) }) }, // prettier-ignore
  { name: 'a bundle with its keys in another order', verdict: 'accepted', policy: withRekor, sign: withBundle({ ...logged, change: (payload) => Object.fromEntries(Object.entries(payload).reverse()) }) }, // prettier-ignore
  { name: 'a bundle with a key more', verdict: 'refused', words: /Payload\.more/, policy: withRekor, sign: withBundle({ ...logged, change: (payload) => ({ ...payload, more: 1 }) }) }, // prettier-ignore
  { name: 'a bundle with a key twice', verdict: 'refused', words: /"Payload" is there twice/, policy: withRekor, sign: withBundle(logged, (text) => text.replace('{', '{"Payload":{},')) }, // prettier-ignore
  { name: 'a bundle with spaces and a time as 1e3', verdict: 'accepted', policy: withRekor, sign: withBundle({ ...logged, at: 1000 }, (text) => JSON.stringify(JSON.parse(text), null, 2).replace(/: 1000,/, ': 1e3,')) }, // prettier-ignore
  { name: 'a time that is no whole number', verdict: 'refused', policy: withRekor, sign: withBundle({ ...logged, at: 1000.5 }) },
  { name: 'a bundle that is no JSON', verdict: 'refused', words: /must be JSON/, policy: withRekor, sign: withBundle(logged, (text) => text.slice(1)) }, // prettier-ignore
  { name: 'a bundle with something behind it', verdict: 'refused', policy: withRekor, sign: withBundle(logged, (text) => `${text}{}`) },
  { name: 'an entry whose PEM has something behind it', verdict: 'refused', policy: withRekor, sign: withEntry((signature, payload, signer) => rekorEntry(signature, payload, `${signer}\n`)) }, // prettier-ignore
];
