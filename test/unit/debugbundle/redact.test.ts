import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactConfig, redactRecord, scrub } from '../../../src/debugbundle/redact.ts';
import { processorMsOf } from '../../support/processor-time.ts';

test('of a record stay numbers, truths and the texts that are told; no environment, argument, annotation or label', () => {
  const record = {
    id: 'abc',
    name: 'k8s_main',
    config: {
      metadata: { name: 'main', attempt: 2 },
      envs: [{ key: 'PASSWORD', value: { base64: 'c2VjcmV0MQ==' } }],
      command: ['sh', '-c', 'login secret2'],
      args: ['secret3'],
      annotations: { 'x/secret4': 'secret5' },
      labels: { app: 'secret6' },
      mounts: [{ hostPath: '/secret7', containerPath: '/x', readonly: true }],
      image: { image: 'r.example/app:1' },
      stdin: false,
    },
    message: 'exec "secret8": not found',
    exitCode: 137,
  };
  const text = JSON.stringify(redactRecord(record));
  assert.doesNotMatch(text, /secret\d|c2VjcmV0/);
  for (const kept of ['"abc"', '"k8s_main"', '"attempt":2', '"readonly":true', 'r.example/app:1', '"exitCode":137', '"1 (left out)"'])
    assert.ok(text.includes(kept), kept);
});

test('scrub() takes out what looks like a secret, and leaves JSON as such', () => {
  const cases: [string, string][] = [
    ['GET https://me:pa55@r.example/v2/', 'GET https://(left out)@r.example/v2/'],
    ['Authorization: Bearer abcdef123456', 'Authorization: Bearer (left out)'],
    ['authorization=Basic bWU6cGE1NQ==', 'authorization=Basic (left out)'],
    ['password=pa55 next=1', 'password=(left out) next=1'],
    ['AWS_SECRET_ACCESS_KEY: "x/y+z"', 'AWS_SECRET_ACCESS_KEY: "(left out)"'],
    ['got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig-1 back', 'got (left out) back'],
    ['-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nx', '(left out)\nx'],
    ['{"password": "correct horse battery"}', '{"password": "(left out)"}'],
    ["PGPASSWORD='a b' psql", "PGPASSWORD='(left out)' psql"],
    ['{"secret":"a\\"b","x":1}', '{"secret":"(left out)","x":1}'],
    ['password=a,b;c next', 'password=(left out) next'],
    ['MYSQL_PWD=a DB_PASS=b passphrase: c', 'MYSQL_PWD=(left out) DB_PASS=(left out) passphrase: (left out)'],
    ['login --password pa55 r.example', 'login --password (left out) r.example'],
    ['https://me:p@55@r.example/v2/', 'https://(left out)@r.example/v2/'],
    ['GET https://cdn.example/blob?X-Amz-Signature=00ff&x=1: 403', 'GET https://cdn.example/blob?(left out) 403'],
    [`got ghp_${'a1'.repeat(18)}, AKIA${'ABCD'.repeat(4)}`, 'got (left out), (left out)'],
    ['no secret here, author=me', 'no secret here, author=me'],
    [
      'https://r.example:5000/a/b@sha256:00 "tokens": [] "token": null, pwd=/x',
      'https://r.example:5000/a/b@sha256:00 "tokens": [] "token": (left out), pwd=/x',
    ],
  ];
  for (const [text, expected] of cases) assert.equal(scrub(text), expected);
  const document = { authFiles: ['/a', '/b'], registryToken: 't0k', nested: JSON.stringify({ password: 'x y' }), credentialHelpers: ['a'] };
  const scrubbed = JSON.parse(scrub(JSON.stringify(document))) as typeof document;
  assert.deepEqual([scrubbed.authFiles, scrubbed.registryToken, scrubbed.credentialHelpers], [['/a', '/b'], '(left out)', ['a']]);
});

test('scrub() takes a time that grows with the text, whatever is in it', () => {
  for (const word of [
    'a',
    'a.b-',
    'a://',
    'a://b?',
    'eyJ-',
    'password=',
    'token',
    '-----BEGIN A PRIVATE KEY-----',
    '"secret\\"',
    'bearer ',
  ])
    assert.ok(processorMsOf(() => scrub(word.repeat(Math.ceil(300_000 / word.length)))) < 4_000, word);
});

test('of the configuration, values of variables and passwords of proxies are left out', () => {
  const config = { defaultEnv: ['TOKEN=secret1', 'B=secret2=secret3'], proxy: { https: 'http://me:secret4@p:1' }, root: '/r' };
  const text = JSON.stringify(redactConfig(config));
  assert.doesNotMatch(text, /secret\d/);
  assert.match(text, /"\/r"/);
});
