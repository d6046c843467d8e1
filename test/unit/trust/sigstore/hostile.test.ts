/** What comes with a signature is by anybody: it must end in a refusal, soon, whatever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../../../src/base/ids.ts';
import { parseReference } from '../../../../src/image/reference.ts';
import { evaluate } from '../../../../src/trust/evaluate.ts';
import { Gpg } from '../../../../src/trust/gpg.ts';
import type { Requirement } from '../../../../src/trust/policy.ts';
import { readCertificate } from '../../../../src/trust/sigstore/certificate.ts';
import { firstPemBlock, pemBlocks } from '../../../../src/trust/sigstore/pem.ts';
import { checkSigned } from '../../../../src/trust/sigstore/verify.ts';
import type { TrustRoot } from '../../../../src/trust/sigstore/trust-root.ts';
import { BadSignature } from '../../../../src/trust/signature.ts';
import type { Signature } from '../../../../src/trust/signature.ts';
import { CODE_SIGNING, extension, makeCertificate, newPair, pem } from '../../../support/certificates.ts';
import type { MadeCertificate } from '../../../support/certificates.ts';
import { byCertificate } from '../../../support/sigstore.ts';
import type { CosignSignature } from '../../../support/sigstore.ts';

const EMAIL = 'dev@example.test';
const authority = (subject: string, issuer?: MadeCertificate, pair = newPair.ec()): MadeCertificate =>
  makeCertificate({ subject, issuer, pair, extensions: [extension.authority(true)] });
const root = authority('root');
const leafOf = (issuer: MadeCertificate): MadeCertificate =>
  makeCertificate({ subject: 'leaf', issuer, extensions: [extension.purposes(CODE_SIGNING), extension.names([`email:${EMAIL}`])] });
const derOf = (made: MadeCertificate): Buffer => firstPemBlock(made.pem)?.block.der ?? assert.fail();
const trust: TrustRoot = {
  by: 'pki',
  roots: [readCertificate(derOf(root))],
  intermediates: [],
  subjectEmail: EMAIL,
  subjectHostname: undefined,
};

async function check({ payload, annotations }: CosignSignature): Promise<void> {
  await checkSigned({ kind: 'sigstore', payload: Buffer.from(payload), annotations }, trust);
}

async function refusalOf(signature: CosignSignature): Promise<string> {
  try {
    await check(signature);
  } catch (error) {
    assert.ok(error instanceof BadSignature, String(error));
    return error.message;
  }
  return 'accepted';
}

test('a certificate of which any byte was changed is refused', async () => {
  const leaf = leafOf(root);
  const der = derOf(leaf);
  await check(byCertificate('payload', leaf, []));
  for (let index = 0; index < der.length; index += 1) {
    const changed = Buffer.from(der);
    changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
    assert.notEqual(await refusalOf(byCertificate('payload', { ...leaf, pem: pem(changed) }, [])), 'accepted', `byte ${index}`);
  }
});

test('a certificate that ends anywhere is refused', () => {
  const der = derOf(leafOf(root));
  for (let length = 0; length < der.length; length += 1)
    assert.throws(() => readCertificate(der.subarray(0, length)), /it is no certificate/);
});

test('certificates that are long, or many, or deep in each other are refused before they are read', async () => {
  const leaf = leafOf(root);
  const long = makeCertificate({ subject: 'x'.repeat(65_000), issuer: root, extensions: [] });
  assert.throws(() => readCertificate(Buffer.alloc(64 * 1024 + 1)), /must have at most 65536/);
  assert.match(
    await refusalOf(byCertificate('payload', { ...leaf, pem: long.pem }, [])),
    /certificate has \d+ characters, must have at most 65536/,
  );
  const many = Array.from({ length: 11 }, () => root);
  assert.match(await refusalOf(byCertificate('payload', leaf, many)), /chain cannot be read: it has more than 10 PEM blocks/);
  const huge = [{ pem: pem(Buffer.alloc(256 * 1024)) }];
  assert.match(await refusalOf(byCertificate('payload', leaf, huge)), /chain has \d+ characters, must have at most 131072/);
  let deep = Buffer.alloc(0);
  for (let level = 0; level < 10_000; level += 1)
    deep = Buffer.concat([Buffer.of(0x30, 0x82, deep.length >> 8, deep.length & 0xff), deep]).subarray(0, 40_000);
  assert.throws(() => readCertificate(deep), /it is no certificate/);
});

test('authorities that have all signed each other are looked at a hundred times, not for ever', async () => {
  // One name and one key, each with names of its own: without a limit there are as many ways as there are orders of them.
  const pair = newPair.ec();
  const issuer = { name: 'crowd', key: pair.privateKey, pem: '' };
  const crowd = Array.from({ length: 9 }, (_, index) =>
    makeCertificate({ subject: 'crowd', issuer, pair, extensions: [extension.authority(true), extension.names([`dns:host${index}`])] }),
  );
  const signer = crowd[0] ?? assert.fail();
  assert.match(
    await refusalOf(byCertificate('payload', leafOf(signer), [...crowd, root])),
    /more than 100 signatures would have to be looked at/,
  );
});

test('the event loop turns between the signatures of an image, also where each is refused at the first look', async () => {
  const leaf = leafOf(root);
  const expired = makeCertificate({ subject: 'leaf', issuer: root, until: new Date(0), extensions: [] });
  const signatures = Array.from({ length: 128 }, (): Signature => {
    const { payload, annotations } = byCertificate(
      'payload',
      { ...leaf, pem: expired.pem },
      Array.from({ length: 10 }, () => root),
    );
    return { kind: 'sigstore', payload: Buffer.from(payload), annotations };
  });
  const sigstore: Requirement = {
    type: 'sigstoreSigned', place: 'default[0]', identity: { type: 'matchExact' },
    trust: { by: 'pki', roots: { data: Buffer.from(root.pem) }, intermediates: undefined, subjectEmail: EMAIL, subjectHostname: undefined },
  }; // prettier-ignore
  const parts = { gpg: new Gpg('/none', {}), parseName: parseReference };
  const subject = { name: parseReference('a.test/b:1'), manifestDigest: `sha256:${'0'.repeat(64)}` as Digest };
  const { signal } = new AbortController();
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 0);
  const evaluating = evaluate(parts, { file: 'policy.json', requirements: [sigstore], subject, signal }, async () =>
    Promise.resolve(signatures),
  );
  await assert.rejects(evaluating, /its certificate was valid until .*; and 123 more/);
  clearInterval(ticking);
  assert.ok(turns > 20, `${turns} turns`);
});

test('a text full of beginnings of PEM blocks takes no longer for being long', () => {
  const begins = '-----BEGIN A-----\n'.repeat(50_000);
  const startedMs = performance.now();
  assert.throws(() => firstPemBlock(begins), /has no end/);
  assert.throws(() => pemBlocks(`${begins}x\n-----END B-----\n`, 32), /has no end/);
  assert.throws(() => pemBlocks(`-----BEGIN ${'-'.repeat(500_000)}`, 32), /not PEM/);
  assert.ok(performance.now() - startedMs < 1000);
});
