/** Programs that know credentials: what they get, what they may do, and that nothing they print is told. */
// long: 15 s
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { credentialBench, insecure } from '../../support/credential-bench.ts';
import type { CredentialBench } from '../../support/credential-bench.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const { username, password } = ACCOUNT;
const GOOD = `printf '{"ServerURL":"%s","Username":"${username}","Secret":"${password}"}' "$host"`;
const HELPERS = {
  good: GOOD,
  none: 'echo "credentials not found in native keychain"; exit 1',
  failing: `echo "${password}"; echo "${password}" >&2; exit 3`,
  odd: `echo '{"Username":"${username}","Secret":["${password}"]}'`,
  chatty: `echo '${password}'; head -c 200000 /dev/zero`,
  slow: `echo "${password}" >&2; sleep 60`,
};

/** Puts the helpers into the PATH of this process. Each notes what it was started with. */
async function installHelpers(t: TestContext): Promise<string> {
  const directory = await scratchDirectory(t);
  const bin = join(directory, 'bin');
  await mkdir(bin);
  for (const [name, body] of Object.entries(HELPERS)) {
    const notes = `{ echo "arguments: $*"; echo "host: $host"; env; tr '\\0' ' ' < /proc/$$/cmdline; } > ${directory}/${name}.notes`;
    await writeFile(join(bin, `docker-credential-${name}`), `#!/bin/bash\nhost=$(cat)\n${notes}\n${body}\n`, { mode: 0o755 });
  }
  const { PATH } = process.env;
  process.env['PATH'] = `${bin}:${PATH ?? ''}`;
  t.after(() => {
    process.env['PATH'] = PATH;
  });
  return directory;
}

async function guarded(t: TestContext): Promise<TestRegistry> {
  const registry = await TestRegistry.start({ private: true });
  t.after(async () => registry.stop());
  const layers = [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])];
  await registry.push({ config: { Cmd: ['/app'] }, layers }, 'team/app', ['1']);
  return registry;
}

function assertNoSecret(bench: CredentialBench, error: Error): void {
  for (const text of [error.message, JSON.stringify(error.cause), bench.logged.join()]) assert.ok(!text.includes(password), text);
}

test('a helper of a file is asked for the registry, with no environment but the one it is given', { skip: noRegistry }, async (t) => {
  const notes = await installHelpers(t);
  const { host } = await guarded(t);
  const name = `${host}/team/app:1`;
  const bench = await credentialBench(t, insecure(host), { environment: { PATH: '/usr/bin:/bin', HOME: '/root' } });

  await bench.write('auth.json', { credHelpers: { [host]: 'good' }, credsStore: 'failing' });
  assert.deepEqual(await bench.pull(name), [name]);
  const [first, second, ...environment] = (await readFile(join(notes, 'good.notes'), 'utf8')).trim().split('\n');
  assert.deepEqual([first, second], ['arguments: get', `host: ${host}`]);
  assert.match(environment.at(-1) ?? '', /bin\/docker-credential-good get $|docker-credential-good get/);
  const names = environment.slice(0, -1).map((line) => line.replace(/=.*/, ''));
  assert.deepEqual(names.filter((each) => !['PWD', 'SHLVL', '_'].includes(each)).sort(), ['HOME', 'PATH']);
  await bench.write('auth.json', { auths: { [host]: {} }, credsStore: 'good' });
  assert.deepEqual(await bench.pull(name), [name]);
  assert.deepEqual(bench.warnings, []);
});

const FAILING: Record<string, RegExp> = {
  failing: /docker-credential-failing: get for [\d.:]+: exit code 3; what it says is not shown, run it by hand/,
  odd: /docker-credential-odd: get for [\d.:]+: must print JSON with Username and Secret/,
  chatty: /docker-credential-chatty: get: prints too much/,
  slow: /docker-credential-slow: get: not finished after 1 s/,
  missing: /docker-credential-missing: not found in PATH/,
};
for (const [helper, words] of Object.entries(FAILING)) {
  test(`a helper that is ${helper} fails in words without its own`, { skip: noRegistry }, async (t) => {
    await installHelpers(t);
    const { host } = await guarded(t);
    const bench = await credentialBench(t, insecure(host), { helperTimeoutMs: 1000 });
    await bench.write('auth.json', { credHelpers: { [host]: helper } });

    await assert.rejects(bench.pull(`${host}/team/app:1`), (error: Error) => {
      assert.match(error.message, words);
      assert.match(error.message, /auth\.json: /);
      assertNoSecret(bench, error);
      return true;
    });
    // What the next file has is as good.
    await bench.write('next.json', { auths: { [host]: { username, password } } });
    assert.deepEqual(await bench.pull(`${host}/team/app:1`), [`${host}/team/app:1`]);
  });
}

test('registries.conf says in which order helpers and files are asked', { skip: noRegistry }, async (t) => {
  await installHelpers(t);
  const { host } = await guarded(t);
  const name = `${host}/team/app:1`;
  let helpers: string[] = [];
  const bench = await credentialBench(t, insecure(host), { helpers: () => helpers });
  const wrong = { auths: { [host]: { username, password: 'wrong' } } };

  helpers = ['none', 'good'];
  await bench.write('auth.json', wrong);
  assert.deepEqual(await bench.pull(name), [name]);
  helpers = ['containers-auth.json', 'good'];
  await assert.rejects(bench.pull(name), { kind: 'PermissionDenied' });
  await bench.write('auth.json', { auths: {} });
  assert.deepEqual(await bench.pull(name), [name]);
  helpers = ['none'];
  await bench.write('auth.json', { auths: { [host]: { username, password } } });
  await assert.rejects(bench.pull(name), { kind: 'PermissionDenied' });
  helpers = ['../good'];
  await assert.rejects(bench.pull(name), { message: /credential-helpers of registries\.conf: "\.\.\/good": must be/ });
});
