import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { RegistryFiles } from '../../../src/daemon/registry-files.ts';
import { run } from '../../../src/linux/spawn.ts';
import { Logins } from '../../../src/registry/logins.ts';
import { RegistryClient } from '../../../src/registry/registry-client.ts';
import { StallWatch } from '../../../src/registry/stall-watch.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { until } from '../../support/pods.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined };

interface Bench {
  readonly scratch: string;
  readonly errors: string[];
  /** Writes a file, with its directories. */
  write(path: string, text: string): Promise<void>;
  /** The manifest's digest, and that of each layer as it came. */
  fetch(domain: string, path: string, tag: string): Promise<string>;
  blob(domain: string, path: string, digest: string, tag: string): Promise<void>;
}

async function bench(t: TestContext): Promise<Bench> {
  const scratch = await scratchDirectory(t);
  const errors: string[] = [];
  const log = { ...QUIET, error: (_: string, fields: { error?: string } = {}) => errors.push(fields.error ?? '') };
  const files = new RegistryFiles(log as unknown as ConstructorParameters<typeof RegistryFiles>[0]);
  const client = new RegistryClient(() => files.current, { connectTimeoutMs: 3000, idleTimeoutMs: () => 5000 });
  files.onChange(({ tlsKeys }) => {
    client.retire(tlsKeys);
  });
  t.after(async () => {
    files.close();
    await client.close();
  });
  await files.start(() => ({
    registriesConf: join(scratch, 'containers', 'registries.conf'),
    registriesConfDir: join(scratch, 'containers', 'registries.conf.d'),
    shortNameAliases: join(scratch, 'aliases.conf'),
    hostDirectories: [join(scratch, 'hosts')],
    certificateDirectories: [join(scratch, 'certs')],
  }));
  const signal = AbortSignal.timeout(60_000);
  const open = (domain: string, path: string, suffix: string): ReturnType<RegistryClient['repository']> =>
    client.repository({ domain, path, suffix }, new Logins(undefined, async () => Promise.resolve(undefined)), new StallWatch(20_000));
  return {
    scratch,
    errors,
    write: async (path, text) => {
      await mkdir(join(scratch, path, '..'), { recursive: true });
      await writeFile(join(scratch, path), text);
    },
    fetch: async (domain, path, tag) => (await open(domain, path, `:${tag}`).manifest(tag, signal)).digest,
    blob: async (domain, path, digest, tag) => {
      const repository = open(domain, path, `:${tag}`);
      await repository.manifest(tag, signal);
      for await (const piece of (await repository.blob(digest as never, 0, signal)).content) assert.ok(piece.length > 0);
    },
  };
}

test('hosts.toml: hosts in order, headers and ns on the wire, no tag to a host that does not resolve', async (t) => {
  const asked: { who: string; url: string; secret: unknown }[] = [];
  const server = async (who: string): Promise<FaultyRegistry> => {
    const fault = ({ url = '', headers }: IncomingMessage): boolean => {
      asked.push({ who, url, secret: headers['x-secret'] });
      return false;
    };
    const started = await FaultyRegistry.start({ fault });
    t.after(async () => started.stop());
    return started;
  };
  const [mirror, registry] = [await server('mirror'), await server('registry')];
  const layer = await makeLayer([{ path: 'f', kind: 'file', data: 'x' }]);
  const { manifest } = registry.addImage({ config: {}, layers: [layer] }, 'app', '1');
  mirror.addImage({ config: {}, layers: [layer] }, 'app', '1');
  const { write, fetch, blob } = await bench(t);
  await write(
    'hosts/registry.example_5000_/hosts.toml',
    `server = "http://${registry.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull"]\n[host."http://${mirror.host}".header]\nx-secret = "s3"\n`,
  );
  await write('hosts/registry.example:5000/hosts.toml', 'server = "http://127.0.0.1:1"\n');
  await until(
    'the directory that came is read',
    async () => (await fetch('registry.example:5000', 'app', '1').catch(() => '')) === manifest,
  );
  asked.length = 0;
  await blob('registry.example:5000', 'app', layer.digest, '1');
  const ns = '?ns=registry.example%3A5000';
  assert.deepEqual(asked, [
    { who: 'registry', url: `/v2/app/manifests/1${ns}`, secret: undefined },
    { who: 'mirror', url: `/v2/app/blobs/${layer.digest}${ns}`, secret: 's3' },
  ]);

  await write('hosts/registry.example_5000_/hosts.toml', `server = "http://${registry.host}"\ncapabilities = ["pull"]\n`);
  await until('a tag is refused', async () =>
    fetch('registry.example:5000', 'app', '1').then(
      () => false,
      (error: unknown) => /no endpoint that is configured for it may resolve a tag/.test(String(error)),
    ),
  );
});

test('a certificate authority that is written is trusted, and one that goes is not, without a restart', { skip: noRegistry }, async (t) => {
  const { scratch, write, fetch, errors } = await bench(t);
  const [key, certificate] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = await run('/usr/bin/openssl', {
    args: ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject],
    timeoutMs: 30_000,
  });
  assert.equal(made.exit.code, 0, made.stderr.toString());
  const registry = await TestRegistry.start({ tls: { certificate, key } });
  t.after(async () => registry.stop());
  const answer = async (): Promise<string> => fetch(registry.host, 'app', '1').then(String, String);
  const [untrusted, trusted] = [/self-signed certificate/, /answered 404|NotFound/];
  assert.match(await answer(), untrusted);
  const { readFile } = await import('node:fs/promises');
  await write(`certs/${registry.host}/ca.crt`, await readFile(certificate, 'utf8'));
  await until('it is trusted', async () => trusted.test(await answer()));
  await write(`certs/${registry.host}/ca.crt`, 'no certificate\n');
  await until('the fault is told', async () => Promise.resolve(errors.length > 0));
  assert.match(errors.join(), /ca\.crt: it must have a certificate as PEM/);
  assert.match(await answer(), trusted, 'the old configuration stays');
  await rm(join(scratch, 'certs', registry.host), { recursive: true });
  await until('it is trusted no more', async () => untrusted.test(await answer()));
});
