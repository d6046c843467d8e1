import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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
  readonly infos: string[];
  /** Writes a file, with its directories. */
  write(path: string, text: string): Promise<void>;
  /** The manifest's digest, and that of each layer as it came. */
  fetch(domain: string, path: string, tag: string): Promise<string>;
  blob(domain: string, path: string, digest: string, tag: string): Promise<void>;
}

async function bench(t: TestContext, prepare: (scratch: string) => Promise<void> = async () => Promise.resolve()): Promise<Bench> {
  const scratch = await scratchDirectory(t);
  await prepare(scratch);
  const errors: string[] = [];
  const infos: string[] = [];
  const log = {
    ...QUIET,
    info: (words: string) => infos.push(words),
    error: (_: string, fields: { error?: string } = {}) => errors.push(fields.error ?? ''),
  };
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
    infos,
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

async function selfSigned(directory: string): Promise<{ readonly key: string; readonly certificate: string }> {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = await run('/usr/bin/openssl', {
    args: ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, ...subject],
    timeoutMs: 30_000,
  });
  assert.equal(made.exit.code, 0, made.stderr.toString());
  return { key, certificate };
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
  const { key, certificate } = await selfSigned(scratch);
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

test('a start reads once; a directory that comes with a wrong file is watched inside, so that mending it is enough', async (t) => {
  const { write, fetch, errors, infos } = await bench(t, async (scratch) => {
    await mkdir(join(scratch, 'hosts', 'here.example'), { recursive: true });
    await mkdir(join(scratch, 'certs', 'here.example'), { recursive: true });
  });
  await sleep(1000);
  assert.deepEqual(infos, [], 'nothing has changed since the start');
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  const layers = [await makeLayer([{ path: 'f', kind: 'file', data: 'x' }])];
  const { manifest } = registry.addImage({ config: {}, layers }, 'app', '1');
  await write('hosts/new.example/hosts.toml', 'server = 1\n');
  await until('the fault is told', async () => Promise.resolve(errors.length > 0));
  assert.match(errors.join(), /new\.example\/hosts\.toml: server: must be text/);
  await sleep(500);
  await write('hosts/new.example/hosts.toml', `server = "http://${registry.host}"\n`);
  await until('the mended file is read', async () => (await fetch('new.example', 'app', '1').catch(() => '')) === manifest);
});

test('a certificate that changes closes the connections that were made before', async (t) => {
  let open = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  server.on('connection', (socket) => {
    open += 1;
    socket.on('close', () => (open -= 1));
  });
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { scratch, fetch } = await bench(t, async (directory) => {
    await selfSigned(directory);
    await mkdir(join(directory, 'hosts', host), { recursive: true });
    await writeFile(join(directory, 'hosts', host, 'hosts.toml'), 'ca = "../../cert.pem"\n');
  });
  await assert.rejects(fetch(host, 'app', '1'), /answered 404/);
  assert.equal(open, 1);
  await selfSigned(scratch);
  await until('the old connection is closed', async () => Promise.resolve(open === 0));
});
