import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsFor } from '../../../src/image/pull-credentials.ts';

const USER = { username: 'user', password: 'secret' };

test('credentials go to any registry, or to the one they name alone', () => {
  assert.deepStrictEqual(credentialsFor(USER, 'registry.example'), USER);
  for (const server of ['registry.example', 'https://registry.example', 'http://registry.example/v2/'])
    assert.deepStrictEqual(credentialsFor({ ...USER, server }, 'registry.example'), USER);
  for (const server of ['elsewhere.example', 'https://elsewhere.example/registry.example', 'registry.example:5000', 'example'])
    assert.equal(credentialsFor({ ...USER, server }, 'registry.example'), undefined);
  assert.equal(credentialsFor(undefined, 'registry.example'), undefined);
});

test('Docker Hub is known by the hosts that login files have for it', () => {
  for (const server of ['docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'])
    assert.deepStrictEqual(credentialsFor({ ...USER, server }, 'docker.io'), USER);
  assert.equal(credentialsFor({ ...USER, server: 'https://index.docker.io/v1/' }, 'registry.example'), undefined);
});
