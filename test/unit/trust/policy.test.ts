import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from '../../../src/image/reference.ts';
import { scopesOf } from '../../../src/trust/image-name.ts';
import { archiveRequirementsOf, needsSignatures, readPolicy, requirementsOf } from '../../../src/trust/policy.ts';
import { identityMatches, readSignedIdentity } from '../../../src/trust/signed-identity.ts';
import { Field } from '../../../src/base/field.ts';
import { decodeBase64, parseStrict } from '../../../src/trust/strict-json.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('the scopes of a name, closest first', () => {
  assert.deepEqual(scopesOf(parseReference('a.b.example.com:5000/ns/app:1')), [
    'a.b.example.com:5000/ns/app:1',
    'a.b.example.com:5000/ns/app',
    'a.b.example.com:5000/ns',
    'a.b.example.com:5000',
    '*.b.example.com',
    '*.example.com',
    '*.com',
  ]);
  assert.deepEqual(scopesOf(parseReference(`busybox@${DIGEST}`)).slice(0, 4), [
    `docker.io/library/busybox@${DIGEST}`,
    'docker.io/library/busybox',
    'docker.io/library',
    'docker.io',
  ]);
});

test('the demands of the closest scope count, then those of the transport, then the default', () => {
  const accept = [{ type: 'insecureAcceptAnything' }];
  const policy = readPolicy(
    JSON.stringify({
      default: [{ type: 'reject' }],
      transports: {
        docker: { '*.example.com': accept, 'example.com/ns': accept },
        'docker-archive': { '': accept },
        oci: { '/images': accept },
      },
    }),
    parseReference,
  );
  const placeOf = (name: string): string => requirementsOf(policy, parseReference(name))[0]?.place ?? '';
  assert.equal(placeOf('a.example.com:5000/x:1'), 'transports.docker["*.example.com"][0]');
  assert.equal(placeOf('example.com/ns/x:1'), 'transports.docker["example.com/ns"][0]');
  assert.equal(placeOf('example.com/nsx:1'), 'default[0]');
  assert.equal(placeOf('example.com:80/ns/x:1'), 'default[0]');
  assert.equal(archiveRequirementsOf(policy, 'docker-archive')[0]?.type, 'insecureAcceptAnything');
  assert.equal(archiveRequirementsOf(policy, 'oci-archive')[0]?.type, 'reject');
  assert.equal(needsSignatures(requirementsOf(policy, parseReference('x:1'))), false);
});

test('an archive policy that goes by paths is refused', () => {
  const policy = readPolicy(
    JSON.stringify({ default: [{ type: 'reject' }], transports: { 'oci-archive': { '/images': [{ type: 'insecureAcceptAnything' }] } } }),
    parseReference,
  );
  assert.throws(() => archiveRequirementsOf(policy, 'oci-archive'), /transports\.oci-archive\["\/images"\]: must be absent/);
});

const cases: [identity: object, asked: string, signed: string, matches: boolean][] = [
  [{ type: 'matchExact' }, 'a.test/b:1', 'a.test/b:1', true],
  [{ type: 'matchExact' }, 'a.test/b:1', 'a.test/b:2', false],
  [{ type: 'matchExact' }, `a.test/b@${DIGEST}`, 'a.test/b:1', false],
  [{ type: 'matchExact' }, 'a.test/b:1', 'a.test/b', false],
  [{ type: 'matchExact' }, 'busybox:1', 'docker.io/library/busybox:1', true],
  [{ type: 'matchRepoDigestOrExact' }, 'a.test/b:1', 'a.test/b:1', true],
  [{ type: 'matchRepoDigestOrExact' }, 'a.test/b:1', `a.test/b@${DIGEST}`, false],
  [{ type: 'matchRepoDigestOrExact' }, `a.test/b@${DIGEST}`, 'a.test/b:other', true],
  [{ type: 'matchRepoDigestOrExact' }, `a.test/b@${DIGEST}`, 'a.test/b', false],
  [{ type: 'matchRepoDigestOrExact' }, `a.test/b@${DIGEST}`, 'a.test/c:1', false],
  [{ type: 'matchRepository' }, 'a.test/b:1', 'a.test/b', true],
  [{ type: 'matchRepository' }, 'a.test/b:1', 'a.test/b/c:1', false],
  [{ type: 'exactReference', dockerReference: 'v.test/b:1' }, 'a.test/x:9', 'v.test/b:1', true],
  [{ type: 'exactReference', dockerReference: 'v.test/b:1' }, 'v.test/b:2', 'v.test/b:2', false],
  [{ type: 'exactRepository', dockerRepository: 'v.test/b' }, 'a.test/x:9', 'v.test/b:7', true],
  [{ type: 'exactRepository', dockerRepository: 'v.test/b' }, 'a.test/x:9', 'v.test/bb:7', false],
  [{ type: 'remapIdentity', prefix: 'm.test:5000/vendor', signedPrefix: 'v.test' }, 'm.test:5000/vendor/a/b:1', 'v.test/a/b:1', true],
  [{ type: 'remapIdentity', prefix: 'm.test:5000/vendor', signedPrefix: 'v.test' }, 'm.test:5000/vendors/a:1', 'v.tests/a:1', false],
  [{ type: 'remapIdentity', prefix: 'm.test:5000/vendor', signedPrefix: 'v.test' }, 'o.test/a:1', 'o.test/a:1', true],
  [{ type: 'remapIdentity', prefix: 'm.test/a', signedPrefix: 'v.test/b' }, `m.test/a@${DIGEST}`, 'v.test/b:1', true],
];
for (const [identity, asked, signed, matches] of cases) {
  test(`${JSON.stringify(identity)}: a signature of ${signed} is ${matches ? '' : 'not '}one for ${asked}`, () => {
    const read = readSignedIdentity(new Field(identity, ''), parseReference);
    assert.equal(identityMatches(read, parseReference(asked), parseReference(signed)), matches);
  });
}

test('a key that is twice in one object is refused, wherever and however it is written', () => {
  for (const text of ['{"a":1,"a":2}', '[{"b":{"a":1,"c":[],"a":{}}}]', '{"a":"x","\\u0061":"y"}', '{"a" : {"k":"}"} , "a":1}'])
    assert.throws(() => parseStrict(text, 'it'), /it: key "a" is there twice/);
  for (const text of ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', '{"a":"a","b":"\\"a\\":"}', '{"a:":1,"a":2}']) parseStrict(text, 'it');
});

test('base64 is all of the text or none of it', () => {
  assert.equal(decodeBase64('aGFsbG8=')?.toString(), 'hallo');
  assert.equal(decodeBase64('aGFs\nbG8=')?.toString(), 'hallo');
  for (const text of ['', 'aGFsbG8=!', 'aGFs bG8=', 'a', 'aGFsbG8', 'aGFsbG8==', 'aGFsb'])
    assert.equal(decodeBase64(text), undefined, text);
});
