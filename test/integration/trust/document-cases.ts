/** Entries of Rekor and claims that are signed, and whose JSON two readers could take for two things. */
import { newPair } from '../../support/certificates.ts';
import { byKey, publicPem, rekorEntry, signBytes } from '../../support/sigstore.ts';
import type { CosignSignature } from '../../support/sigstore.ts';
import { base64, logged, rekorData } from './policy-lab.ts';
import type { PolicyCase } from './policy-lab.ts';

const pair = newPair.ec();
const rekorPolicy = { keyData: base64(publicPem(pair)), ...rekorData };
const bundleOf =
  (edit: (text: string) => string) =>
  (payload: string): CosignSignature[] => {
    const one = byKey(payload, pair, { ...logged, entry: rekorEntry });
    const body = edit(JSON.stringify(rekorEntry(one.annotations['dev.cosignproject.cosign/signature'] ?? '', payload, publicPem(pair))));
    return [signedBody(payload, one, body)];
  };
function signedBody(payload: string, one: CosignSignature, body: string, at: unknown = 1000): CosignSignature {
  const text = JSON.stringify({ body: base64(body), integratedTime: at, logID: 'c0', logIndex: 7 });
  return {
    payload,
    annotations: {
      ...one.annotations,
      'dev.sigstore.cosign/bundle': `{"SignedEntryTimestamp":"${signBytes(text, logged.rekor.privateKey)}","Payload":${text}}`,
    },
  };
}
const claimed =
  (edit: (payload: string) => string) =>
  (payload: string): CosignSignature[] => [byKey(edit(payload), pair)];
/** The claim with something else as `optional`, JSON. */
const optional = (value: string) => claimed((payload) => payload.replace(/"optional":\s*(\{[^}]*\}|null)/, `"optional":${value}`));
const key = { keyData: base64(publicPem(pair)) };
const nameOf = (edit: (name: string) => string) =>
  claimed((payload) => payload.replace(/("docker-reference":\s*")([^"]*)/, (_, head: string, name: string) => head + edit(name)));

export const DOCUMENT_CASES: readonly PolicyCase[] = [
  {
    name: 'body with a key twice',
    verdict: 'refused',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('{', '{"kind":"hashedrekord",')),
    stricter: 'a key twice',
  },
  {
    name: 'body with KIND',
    verdict: 'refused',
    stricter: 'nobody writes it',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('{', '{"KIND":"other",')),
  },
  {
    name: 'body with Spec',
    verdict: 'refused',
    stricter: 'nobody writes it',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('{', '{"Spec":{},')),
  },
  { name: 'body with SPEC behind', verdict: 'refused', policy: rekorPolicy, sign: bundleOf((text) => text.replace(/}$/, ',"SPEC":{}}')) },
  {
    name: 'body with data.Hash',
    verdict: 'refused',
    stricter: 'nobody writes it',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('"hash":', '"Hash":{"algorithm":"sha512","value":"00"},"hash":')),
  },
  {
    name: 'body with data.Hash behind',
    verdict: 'refused',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace(/("hash":\{[^}]*\})/, '$1,"Hash":{"algorithm":"sha512","value":"00"}')),
  },
  { name: 'body with spaces', verdict: 'accepted', policy: rekorPolicy, sign: bundleOf((text) => `  ${text}\n`) },
  {
    name: 'body with data.url',
    verdict: 'accepted',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('"hash":', '"url":"x","hash":')),
  },
  {
    name: 'body with signature.format',
    verdict: 'accepted',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace('"content":', '"format":"x","content":')),
  },
  {
    name: 'body with hash in upper case',
    verdict: 'accepted',
    policy: rekorPolicy,
    sign: bundleOf((text) => text.replace(/[0-9a-f]{64}/, (h) => h.toUpperCase())),
  },
  { name: 'body with BOM', verdict: 'refused', policy: rekorPolicy, sign: bundleOf((text) => `\ufeff${text}`) },
  {
    name: 'negative time',
    verdict: 'accepted',
    policy: rekorPolicy,
    sign: (payload) => {
      const one = byKey(payload, pair);
      return [
        signedBody(
          payload,
          one,
          JSON.stringify(rekorEntry(one.annotations['dev.cosignproject.cosign/signature'] ?? '', payload, publicPem(pair))),
          -5,
        ),
      ];
    },
  },
  {
    name: 'huge time',
    verdict: 'refused',
    policy: rekorPolicy,
    stricter: 'huge',
    sign: (payload) => {
      const one = byKey(payload, pair);
      return [
        signedBody(
          payload,
          one,
          JSON.stringify(rekorEntry(one.annotations['dev.cosignproject.cosign/signature'] ?? '', payload, publicPem(pair))),
          9e15,
        ),
      ];
    },
  },
  { name: 'claim plain', verdict: 'accepted', policy: key, sign: claimed((p) => p) },
  { name: 'claim critical twice', verdict: 'refused', policy: key, sign: claimed((p) => p.replace('{', '{"critical":{},')) },
  { name: 'claim Critical', verdict: 'refused', policy: key, sign: claimed((p) => p.replace('{', '{"Critical":{},')) },
  { name: 'claim escaped key twice', verdict: 'refused', policy: key, sign: claimed((p) => p.replace('{', '{"critic\\u0061l":{},')) },
  { name: 'claim escaped key', verdict: 'accepted', policy: key, sign: claimed((p) => p.replace('"critical"', '"critic\\u0061l"')) },
  { name: 'claim BOM', verdict: 'refused', policy: key, sign: claimed((p) => `\ufeff${p}`) },
  { name: 'claim behind', verdict: 'refused', policy: key, sign: claimed((p) => `${p}{}`) },
  { name: 'name with digest', verdict: 'refused', policy: key, sign: nameOf((n) => `${n}@sha256:${'0'.repeat(64)}`) },
  { name: 'name without tag', verdict: 'refused', policy: key, sign: nameOf((n) => n.replace(/:[^:]*$/, '')) },
  { name: 'name with newline', verdict: 'refused', policy: key, sign: nameOf((n) => `${n}\\n`) },
  { name: 'name with space', verdict: 'refused', policy: key, sign: nameOf((n) => ` ${n}`) },
  { name: 'name with upper case', verdict: 'refused', policy: key, sign: nameOf((n) => n.replace('app', 'App')) },
  { name: 'name with docker://', verdict: 'refused', policy: key, sign: nameOf((n) => `docker://${n}`) },
  { name: 'name with two slashes', verdict: 'refused', policy: key, sign: nameOf((n) => n.replace('cases/', 'cases//')) },
  { name: 'name with dots', verdict: 'refused', policy: key, sign: nameOf((n) => n.replace('cases/', 'cases/../cases/')) },
  {
    name: 'optional null',
    verdict: 'accepted',
    policy: key,
    sign: claimed((p) => p.replace(/"optional":\s*\{[^}]*\}/, '"optional":null')),
  },
  { name: 'optional missing', verdict: 'refused', policy: key, sign: claimed((p) => p.replace(/,\s*"optional":\s*(\{[^}]*\}|null)/, '')) },
  {
    name: 'optional timestamp float',
    verdict: 'refused',
    policy: key,
    sign: optional('{"timestamp":1.5}'),
  },
  {
    name: 'optional timestamp huge',
    verdict: 'refused',
    policy: key,
    sign: optional('{"timestamp":1e30}'),
  },
  {
    name: 'optional creator number',
    verdict: 'refused',
    policy: key,
    sign: optional('{"creator":1}'),
  },
  {
    name: 'optional creator null',
    verdict: 'accepted',
    policy: key,
    sign: optional('{"creator":null}'),
  },
  {
    name: 'optional timestamp null',
    verdict: 'accepted',
    policy: key,
    sign: optional('{"timestamp":null}'),
  },
];
