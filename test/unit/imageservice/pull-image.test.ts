import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthConfig } from '../../../api/cri/runtime.ts';
import { credentialsOf } from '../../../src/imageservice/pull-image.ts';

const auth = (fields: Partial<AuthConfig>): AuthConfig => ({
  username: '',
  password: '',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
  ...fields,
});
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('credentials are taken as fields or as one base64 text, with the server they are for', () => {
  const cases: [Partial<AuthConfig>, ReturnType<typeof credentialsOf>][] = [
    [
      { username: 'user', password: 'p' },
      { username: 'user', password: 'p', identityToken: '', registryToken: '' },
    ],
    [{ registryToken: 'good' }, { username: '', password: '', identityToken: '', registryToken: 'good' }],
    [{ auth: base64('user:a:b') }, { username: 'user', password: 'a:b' }],
    [{ auth: base64('user:secret\0\0') }, { username: 'user', password: 'secret' }],
    [
      { auth: base64('user:secret'), serverAddress: 'https://registry.example/v2/' },
      { username: 'user', password: 'secret', server: 'https://registry.example/v2/' },
    ],
    // The fields are more exact than the text.
    [
      { identityToken: 'refresh', auth: base64('a:b') },
      { username: '', password: '', identityToken: 'refresh', registryToken: '' },
    ],
  ];
  for (const [given, credentials] of cases) assert.deepStrictEqual(credentialsOf(auth(given)), credentials);
});

test('without credentials there are none, whatever server is named', () => {
  assert.equal(credentialsOf(undefined), undefined);
  assert.equal(credentialsOf(auth({ serverAddress: 'registry.example' })), undefined);
});

test('a base64 text without a colon is refused', () => {
  assert.throws(() => credentialsOf(auth({ auth: base64('user') })), {
    kind: 'InvalidArgument',
    message: 'pull image: auth must be base64 of user:password',
  });
});
