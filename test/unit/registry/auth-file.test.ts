import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthFile } from '../../../src/registry/auth-file.ts';
import type { AuthEntry } from '../../../src/registry/auth-file.ts';

function auth(user: string): { auth: string } {
  return { auth: Buffer.from(`${user}:pa:ss`).toString('base64') };
}

function find(document: unknown, name: string): AuthEntry | undefined {
  const slash = name.indexOf('/');
  return new AuthFile(JSON.stringify(document)).find(name.slice(0, slash), name.slice(slash + 1));
}

function userFor(document: unknown, name: string): string | undefined {
  const entry = find(document, name);
  return entry !== undefined && 'credentials' in entry ? entry.credentials.username : undefined;
}

test('the entry with the longest name that stands above a repository is its entry', () => {
  const auths = {
    'registry.example': auth('registry'),
    'registry.example/team': auth('team'),
    'registry.example/team/app': auth('app'),
    'registry.example:5000': auth('port'),
    'docker.io/library/busybox': auth('busybox'),
    'https://index.docker.io/v1/': auth('hub'),
    'https://old.example/v2/': auth('old'),
    'http://older.example/some/where': auth('older'),
    'slash.example/': auth('slash'),
    '[::1]:5000/team': auth('six'),
  };
  const expected: Record<string, string | undefined> = {
    'registry.example/team/app': 'app',
    'registry.example/team/app/deep': 'app',
    'registry.example/team/apple': 'team',
    'registry.example/team/other': 'team',
    'registry.example/teams/app': 'registry',
    'registry.example/app': 'registry',
    'registry.example:5000/team/app': 'port',
    'registry.example:5001/team/app': undefined,
    'my.registry.example/team/app': undefined,
    'registry.example.evil/team/app': undefined,
    'registry.exampl/team/app': undefined,
    'REGISTRY.EXAMPLE/team/app': undefined,
    'docker.io/library/busybox': 'busybox',
    'registry-1.docker.io/library/busybox': 'busybox',
    'registry-1.docker.io/library/alpine': 'hub',
    'docker.io/someone/app': 'hub',
    'old.example/app': 'old',
    'older.example/app': 'older',
    'slash.example/app': 'slash',
    '[::1]:5000/team/app': 'six',
    '[::1]:5000/app': undefined,
    'toString/app': undefined,
  };
  assert.deepStrictEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, userFor({ auths }, name)])), expected);
});

test('of keys that mean the same, the one that is written like the name counts', () => {
  const auths = { 'https://registry.example': auth('url'), 'registry.example': auth('name'), 'registry.example/v1/': auth('api') };
  assert.equal(userFor({ auths }, 'registry.example/app'), 'name');
  assert.equal(userFor({ auths: { 'index.docker.io': auth('index'), 'docker.io': auth('name') } }, 'registry-1.docker.io/a/b'), 'name');
});

test('an entry has a user, an identity token, a registry token, or nothing', () => {
  const none = { username: '', password: '', identityToken: '', registryToken: '' };
  const entries: [unknown, unknown][] = [
    [auth('user'), { ...none, username: 'user', password: 'pa:ss' }],
    [{ auth: Buffer.from('user:secret\0\0').toString('base64') }, { ...none, username: 'user', password: 'secret' }],
    [
      { username: 'user', password: 'secret' },
      { ...none, username: 'user', password: 'secret' },
    ],
    [
      { ...auth('user'), username: 'other', password: 'other' },
      { ...none, username: 'user', password: 'pa:ss' },
    ],
    [
      { ...auth('id'), identitytoken: 'refresh' },
      { ...none, username: 'id', password: 'pa:ss', identityToken: 'refresh' },
    ],
    [{ identitytoken: 'refresh' }, { ...none, identityToken: 'refresh' }],
    [
      { registrytoken: 'token', auth: null },
      { ...none, registryToken: 'token' },
    ],
  ];
  for (const [entry, credentials] of entries)
    assert.deepStrictEqual(find({ auths: { 'a.example': entry } }, 'a.example/b'), { key: 'auths["a.example"]', credentials });
  // What docker leaves behind where a helper has the secret stands for nothing, and hides nothing above it.
  assert.equal(find({ auths: { 'a.example': {} } }, 'a.example/b'), undefined);
  assert.equal(userFor({ auths: { 'a.example/b': {}, 'a.example': auth('above') } }, 'a.example/b'), 'above');
  for (const document of [{}, { auths: null }, { auths: {}, credsStore: '' }]) assert.equal(find(document, 'a.example/b'), undefined);
});

test("a registry's own helper comes before its entries, that of all registries after them", () => {
  const document = {
    auths: { 'a.example/team': auth('team'), 'b.example': {} },
    credHelpers: { 'a.example': 'one', 'https://index.docker.io/v1/': 'two' },
    credsStore: 'all',
  };
  const expected: Record<string, unknown> = {
    'a.example/team': { key: 'credHelpers["a.example"]', helper: 'one' },
    'docker.io/library/x': { key: 'credHelpers["https://index.docker.io/v1/"]', helper: 'two' },
    'b.example/x': { key: 'credsStore', helper: 'all' },
    'c.example/x': { key: 'credsStore', helper: 'all' },
  };
  assert.deepStrictEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, find(document, name)])), expected);
  assert.equal(userFor({ ...document, credHelpers: {} }, 'a.example/team'), 'team');
});

test('what is wrong is told by its place, and never with a value', () => {
  const secret = 's3cret';
  const cases: [string, string][] = [
    [`{"auths": {"a.example": {"auth": "${secret}`, 'must be JSON'],
    [`{\n "auths": {"a.example": {"auth": ${secret}}}}`, 'must be JSON'],
    [`"${secret}"`, 'must be a JSON object'],
    [`{"auths": "${secret}"}`, 'auths: must be an object'],
    [`{"auths": {"a.example": "${secret}"}}`, 'auths["a.example"]: must be an object'],
    [`{"auths": {"a.example": {"auth": ["${secret}"]}}}`, 'auths["a.example"].auth: must be text'],
    [`{"auths": {"a.example": {"password": 12345}}}`, 'auths["a.example"].password: must be text'],
    [`{"auths": {"a.example": {"auth": "${secret}:${secret}"}}}`, 'auths["a.example"].auth: must be base64 of USER:PASSWORD'],
    [`{"auths": {"a.example": {"auth": "${btoa(secret)}"}}}`, 'auths["a.example"].auth: must be base64 of USER:PASSWORD'],
    [`{"credHelpers": {"a.example": "../${secret}"}}`, 'credHelpers["a.example"]: must be what follows "docker-credential-"'],
    [`{"credHelpers": {"a.example": ""}}`, 'credHelpers["a.example"]: must be what follows "docker-credential-"'],
    [`{"credsStore": "a b"}`, 'credsStore: must be what follows "docker-credential-"'],
  ];
  for (const [text, words] of cases) {
    assert.throws(
      () => new AuthFile(text).find('a.example', 'b'),
      (error: Error) => error.message.startsWith(words) && !error.message.includes(secret) && !error.message.includes('12345'),
      text,
    );
  }
  // What is wrong elsewhere concerns nobody else.
  assert.equal(userFor({ auths: { 'a.example': { auth: '!' }, 'b.example': auth('b') } }, 'b.example/x'), 'b');
});
