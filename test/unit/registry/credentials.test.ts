import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basicHeader, credentialsKey, readChallenges } from '../../../src/registry/credentials.ts';
import { processorMsOf } from '../../support/processor-time.ts';

test('readChallenges reads one or several challenges, quoted or not', () => {
  assert.deepEqual(readChallenges('Bearer realm="https://auth.test/token",service="reg",scope="repository:a/b:pull,push"'), [
    { scheme: 'bearer', parameters: { realm: 'https://auth.test/token', service: 'reg', scope: 'repository:a/b:pull,push' } },
  ]);
  assert.deepEqual(readChallenges('Basic realm="a \\"b\\"", Bearer realm = "x" , service=y'), [
    { scheme: 'basic', parameters: { realm: 'a "b"' } },
    { scheme: 'bearer', parameters: { realm: 'x', service: 'y' } },
  ]);
  assert.deepEqual(readChallenges(''), []);
  assert.deepEqual(readChallenges('???'), []);
  assert.deepEqual(readChallenges('Negotiate'), [{ scheme: 'negotiate', parameters: {} }]);
});

test('readChallenges takes no longer than a header is long', () => {
  const length = 60_000;
  const headers = {
    spaces: `Basic${' '.repeat(length)}"`,
    commas: `Basic${' ,'.repeat(length / 2)}"`,
    'a value that does not come': `Basic a =${' '.repeat(length)}"`,
    'open quotes': 'a="'.repeat(length / 3),
    backslashes: `Basic a="${'\\'.repeat(length)}`,
    schemes: 'a '.repeat(length / 2),
  };
  for (const [what, header] of Object.entries(headers)) {
    const tookMs = processorMsOf(() => readChallenges(header));
    assert.ok(tookMs < 250, `${what}: ${tookMs} ms of processor time`);
  }
});

test('credentials are told apart, and make a basic header', () => {
  assert.notEqual(credentialsKey({ username: 'a', password: 'b' }), credentialsKey({ username: 'ab', password: '' }));
  assert.equal(credentialsKey(undefined), credentialsKey({}));
  assert.equal(basicHeader({ username: 'user', password: 'päss:word' }), `Basic ${Buffer.from('user:päss:word').toString('base64')}`);
  assert.equal(basicHeader({ username: '' }), undefined);
});
