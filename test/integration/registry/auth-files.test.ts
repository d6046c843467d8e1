/** The node's own credentials, by registries that ask for them. */
// long: 15 s
import assert from 'node:assert/strict';
import { chmod, mkdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { credentialBench, insecure } from '../../support/credential-bench.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { authConfig } from '../../support/pull-bench.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../../support/registry.ts';
import type { RegistryOptions } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const RIGHT = { auth: base64(`${ACCOUNT.username}:${ACCOUNT.password}`) };
const WRONG = { auth: base64(`${ACCOUNT.username}:wrong`) };

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function image() {
  return { config: { Cmd: ['/app'] }, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] };
}

async function serve(t: TestContext, options: RegistryOptions): Promise<TestRegistry> {
  const registry = await TestRegistry.start(options);
  t.after(async () => registry.stop());
  await registry.push(await image(), 'team/app', ['1']);
  return registry;
}

async function serveFaulty(t: TestContext, options: Parameters<typeof FaultyRegistry.start>[0]): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  return registry;
}

test('a registry that asks gets the entry of the first file that has one, by the longest name', { skip: noRegistry }, async (t) => {
  const { host } = await serve(t, { private: true });
  const name = `${host}/team/app:1`;
  const { pull, write, files } = await credentialBench(t, insecure(host));
  const refused = { kind: 'PermissionDenied', message: /401/ };

  await assert.rejects(pull(name), refused);
  files.push('/nonexistent/auth.json');
  await assert.rejects(pull(name), refused);
  await write('run.json', { auths: { 'other.example': RIGHT } });
  await assert.rejects(pull(name), refused);
  await write('etc.json', { auths: { [host]: RIGHT } });
  assert.deepEqual(await pull(name), [name]);
  await write('run.json', { auths: { [host]: WRONG } });
  await assert.rejects(pull(name), refused);
  await write('run.json', { auths: { [host]: WRONG, [`${host}/team`]: RIGHT } });
  assert.deepEqual(await pull(name), [name]);
  await write('run.json', { auths: { [host]: RIGHT, [`${host}/team/app`]: WRONG } });
  await assert.rejects(pull(name), refused);
});

test('what the request brings comes first, and is not made good by a file', { skip: noRegistry }, async (t) => {
  const { host } = await serve(t, { private: true });
  const name = `${host}/team/app:1`;
  const { pull, write } = await credentialBench(t, insecure(host));
  await write('auth.json', { auths: { [host]: RIGHT } });

  await assert.rejects(pull(name, authConfig({ username: ACCOUNT.username, password: 'wrong' })), { kind: 'PermissionDenied' });
  // Credentials for another registry are none for this one.
  const elsewhere = authConfig({ username: ACCOUNT.username, password: 'wrong', serverAddress: 'elsewhere.example' });
  assert.deepEqual(await pull(name, elsewhere), [name]);
  await write('auth.json', { auths: { [host]: WRONG } });
  assert.deepEqual(await pull(name, authConfig(ACCOUNT)), [name]);
});

test('a mirror gets what the files have for it, and never what the request brings', { skip: noRegistry }, async (t) => {
  const cache = await serve(t, { private: true });
  const stranger = await serveFaulty(t, { auth: 'basic' });
  const registry = await serveFaulty(t, { auth: 'basic' });
  const conf =
    `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n` +
    `[[registry.mirror]]\nlocation = "${stranger.host}/proxy"\ninsecure = true\n` +
    `[[registry.mirror]]\nlocation = "${cache.host}"\ninsecure = true\n`;
  const name = 'registry.example/team/app:1';
  const { pull, write } = await credentialBench(t, conf);
  const given = authConfig({ username: 'user', password: 'secret' });

  await assert.rejects(pull(name, given), { kind: 'NotFound' });
  await write('auth.json', { auths: { [cache.host]: RIGHT, 'registry.example': WRONG } });
  const before = registry.requests.length;
  assert.deepEqual(await pull(name, given), [name]);
  assert.equal(registry.requests.length, before, 'the cache had it, and the registry was asked');
  assert.deepEqual(new Set(stranger.authorizations), new Set(['-']));
  assert.deepEqual(new Set(registry.authorizations), new Set(['-', `Basic ${base64('user:secret')}`]));
});

const BROKEN: Record<string, { document: unknown; words: RegExp; make?: (path: string) => Promise<unknown> }> = {
  'an entry': { document: 'ENTRY', words: /auth\.json: auths\["[\d.:]+"\]\.auth: must be base64/ },
  'its JSON': { document: '{"auths": {"s3cret', words: /auth\.json: must be JSON/ },
  'its size': { document: {}, words: /auth\.json: must have at most/, make: async (path) => truncate(path, 2 << 20) },
};
for (const [what, { document, words, make }] of Object.entries(BROKEN)) {
  test(`where ${what} is wrong, a pull that is asked says so, and others go on`, { skip: noRegistry }, async (t) => {
    const [guarded, open] = [await serve(t, { private: true }), await serve(t, {})];
    const { pull, write, warnings } = await credentialBench(t, insecure(guarded.host, open.host));
    const path = await write('auth.json', document === 'ENTRY' ? { auths: { [guarded.host]: { auth: 's3cret' } } } : document);
    await make?.(path);

    await assert.rejects(pull(`${guarded.host}/team/app:1`), (error: Error) => {
      assert.match(error.message, /401/);
      assert.match(error.message, words);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
    assert.match(warnings.join(), words);
    assert.doesNotMatch(warnings.join(), /s3cret/);
    assert.deepEqual(await pull(`${open.host}/team/app:1`), [`${open.host}/team/app:1`]);
  });
}

test('no file holds a pull up: a FIFO and a directory are refused', { skip: noRegistry }, async (t) => {
  const { host } = await serve(t, { private: true });
  const { pull, files } = await credentialBench(t, insecure(host));
  const directory = await scratchDirectory(t);
  await execa('mkfifo', [join(directory, 'fifo')]);
  await mkdir(join(directory, 'directory'));
  for (const name of ['fifo', 'directory']) {
    files.splice(0, files.length, join(directory, name));
    await assert.rejects(pull(`${host}/team/app:1`), { message: new RegExp(`${name}: must be a file`) });
  }
});

test('a file that every user may read is warned of, once', { skip: noRegistry }, async (t) => {
  const { host } = await serve(t, { private: true });
  const { pull, write, warnings } = await credentialBench(t, insecure(host));
  const path = await write('auth.json', { auths: { [host]: RIGHT } });

  await pull(`${host}/team/app:1`);
  assert.deepEqual(warnings, []);
  await chmod(path, 0o644);
  for (let count = 0; count < 3; count += 1) await pull(`${host}/team/app:1`);
  assert.deepEqual(warnings, [`every user of the node may read this auth file: ${path}`]);
});
