/** Auth files that were written for one pull of one namespace, as CRI-O's credential provider writes them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { pathExists } from 'fs-extra/esm';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { credentialBench } from '../../support/credential-bench.ts';
import type { CredentialBench } from '../../support/credential-bench.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { ACCOUNT, noRegistry, TestRegistry } from '../../support/registry.ts';

const NAME = 'registry.example/team/app:1';

interface Cache {
  readonly bench: CredentialBench;
  readonly host: string;
  /** Writes the file for a pull of a namespace. */
  write(namespace: string, document: unknown): Promise<void>;
  left(): Promise<string[]>;
}

/** A private pull-through cache in front of a registry that has nothing. */
async function cache(t: TestContext): Promise<Cache> {
  const [mirror, registry] = [await TestRegistry.start({ private: true }), await FaultyRegistry.start()];
  t.after(async () => mirror.stop());
  t.after(async () => registry.stop());
  const layers = [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])];
  await mirror.push({ config: { Cmd: ['/app'] }, layers }, 'team/app', ['1']);
  const { host } = mirror;
  const bench = await credentialBench(t, `${registry.conf}[[registry.mirror]]\nlocation = "${host}"\ninsecure = true\n`);
  const sha256 = createHash('sha256').update('registry.example/team/app').digest('hex');
  return {
    bench,
    host,
    write: async (namespace, document) => {
      await writeFile(join(bench.namespaced, `${namespace}-${sha256}.json`), JSON.stringify(document), { mode: 0o600 });
    },
    left: async () => (await readdir(bench.namespaced, { recursive: true })).filter((name) => name !== 'in-use'),
  };
}

test('the file of the namespace and repository is used once, and is gone', { skip: noRegistry }, async (t) => {
  const { bench, host, write, left } = await cache(t);
  await assert.rejects(bench.pull(NAME, undefined, 'team'), { kind: 'NotFound' });

  for (let count = 0; count < 2; count += 1) {
    await write('team', { auths: { [host]: ACCOUNT } });
    await write('other', { auths: { [host]: { ...ACCOUNT, password: 'wrong' } } });
    await assert.rejects(bench.pull(NAME), { kind: 'NotFound' });
    await assert.rejects(bench.pull(NAME, undefined, 'third'), { kind: 'NotFound' });
    await assert.rejects(bench.pull(NAME, undefined, 'other'), { kind: 'NotFound' });
    assert.equal((await left()).length, 1);
    assert.deepEqual(await bench.pull(NAME, undefined, 'team'), [NAME]);
    assert.deepEqual(await left(), []);
  }
  await assert.rejects(bench.pull(NAME, undefined, 'team'), { kind: 'NotFound' });
});

test('the file stands in place of those of the node, and starts no helper', { skip: noRegistry }, async (t) => {
  const { bench, host, write, left } = await cache(t);
  await bench.write('auth.json', { auths: { [host]: ACCOUNT } });
  assert.deepEqual(await bench.pull(NAME, undefined, 'team'), [NAME]);
  await write('team', { auths: {} });
  await assert.rejects(bench.pull(NAME, undefined, 'team'), { kind: 'NotFound' });
  await write('team', { credHelpers: { [host]: 'anything' } });
  await assert.rejects(bench.pull(NAME, undefined, 'team'), {
    message: /credHelpers\["[\d.:]+"\]: the file of a namespace starts no helper/,
  });
  await write('team', { auths: { [host]: { auth: 's3cret' } } });
  await assert.rejects(bench.pull(NAME, undefined, 'team'), {
    message: /team-[0-9a-f]{64}\.json: auths\["[\d.:]+"\]\.auth: must be base64/,
  });
  assert.deepEqual(await left(), []);
  assert.doesNotMatch(bench.logged.join(), /s3cret/);
});

test('two pulls of one image for two namespaces are not joined', { skip: noRegistry }, async (t) => {
  const { bench, host, write } = await cache(t);
  await write('team', { auths: { [host]: ACCOUNT } });
  await write('other', { auths: { [host]: { ...ACCOUNT, password: 'wrong' } } });

  const [team, other] = await Promise.allSettled([bench.pull(NAME, undefined, 'team'), bench.pull(NAME, undefined, 'other')]);
  assert.deepEqual([team.status, other.status], ['fulfilled', 'rejected']);
});

test('a namespace that is no name leads to no file', { skip: noRegistry }, async (t) => {
  const { bench } = await cache(t);
  for (const namespace of ['..', 'a/..', 'A', `a${'b'.repeat(63)}`])
    await assert.rejects(bench.pull(NAME, undefined, namespace), {
      kind: 'InvalidArgument',
      message: /sandbox_config\.metadata\.namespace/,
    });
});

test('what a daemon that was killed had taken is removed by the next', { skip: noRegistry }, async (t) => {
  const { bench } = await cache(t);
  const taken = join(bench.namespaced, 'in-use', 'team-0.json');
  await bench.source.start();
  await mkdir(join(bench.namespaced, 'in-use'));
  await writeFile(taken, '{}');
  await bench.source.start();
  assert.equal(await pathExists(taken), false);
});
