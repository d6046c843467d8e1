import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { run } from '../../../src/linux/spawn.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { startAndList, takeImage } from '../../support/take-image.ts';

const NAME = 'registry.example/secure/app:1';

test('https wants a certificate that the machine trusts, unless the registry may be insecure', { skip: noRegistry }, async (t) => {
  const scratch = await scratchDirectory(t);
  const [key, certificate] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = await run('/usr/bin/openssl', {
    args: ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject],
    timeoutMs: 30_000,
  });
  assert.equal(made.exit.code, 0, made.stderr.toString());
  const registry = await TestRegistry.start({ tls: { certificate, key } });
  t.after(async () => registry.stop());
  const image = { config: {}, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'x' }])] };
  const pull = async (
    name: string,
    insecure: boolean,
    env: Record<string, string> = {},
  ): Promise<{ code: number | undefined; words: string; names: string[] }> => {
    const root = join(scratch, name);
    await mkdir(root);
    await writeFile(`${root}.conf`, `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = ${insecure}\n`);
    const { exit, stderr } = await takeImage(root, ['pull', NAME, `${root}.conf`], env);
    return { code: exit.code, words: stderr.toString(), names: (await startAndList(root)).names };
  };
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // for the push of this test only
  try {
    await registry.push(image, 'secure/app', ['1']);
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  }

  const refused = await pull('untrusted', false);
  assert.equal(refused.code, 1);
  assert.match(refused.words, /RegistryUnavailable: pull registry.example.*self-signed certificate/);
  assert.deepEqual(refused.names, []);
  assert.deepEqual((await pull('insecure', true)).names, [NAME]);
  const trusted = await pull('trusted', false, { NODE_EXTRA_CA_CERTS: certificate });
  assert.deepEqual(trusted.names, [NAME], trusted.words);
});
