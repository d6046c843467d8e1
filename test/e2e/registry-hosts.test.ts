/** hosts.toml, certificates of single registries, and which of the files comes first: on the wire, without a restart. */
// long: 60 s
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import { failureOf, until } from '../support/pods.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';

const LONG = { timeoutMs: 60_000 };
const IMAGE = { config: {}, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'x' }])] };
const scratch = await mkdtemp(join(tmpdir(), 'podwright-hosts-'));
after(async () => rm(scratch, { recursive: true, force: true }));

class Node {
  readonly #daemon: TestDaemon;

  private constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  /** With these files, before the daemon is started again. */
  static async start(daemon: TestDaemon, files: Readonly<Record<string, string>> = {}): Promise<Node> {
    const node = new Node(daemon);
    const at = (name: string): string => JSON.stringify(join(daemon.directory, name));
    const conf = `registries_conf = ${at('registries.conf')}\nregistries_conf_dir = ${at('registries.conf.d')}\n`;
    const places = `registry_config_path = [${at('hosts')}]\nregistry_certs_dirs = [${at('certs')}]\n`;
    await node.write('conf.d/10-registries.toml', `${conf}${places}`);
    for (const [path, text] of Object.entries(files)) await node.write(path, text);
    await daemon.restart();
    return node;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(join(this.#daemon.directory, path, '..'), { recursive: true });
    await writeFile(join(this.#daemon.directory, path), text);
  }

  async copy(from: string, path: string): Promise<void> {
    await mkdir(join(this.#daemon.directory, path, '..'), { recursive: true });
    await copyFile(from, join(this.#daemon.directory, path));
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#daemon.directory, path), { recursive: true });
  }

  /** `pulled`, or why not. */
  async pull(image: string): Promise<string> {
    const pulling = this.#daemon.images.pullImage({ image: { image } }, LONG);
    const pulled = await pulling.catch(() => undefined);
    if (pulled === undefined) return (await failureOf(pulling)).message;
    await this.#daemon.images.removeImage({ image: { image: pulled.imageRef } });
    return 'pulled';
  }

  async becomes(what: string, image: string, words: RegExp): Promise<void> {
    let last = '';
    await until(what, async () => words.test((last = await this.pull(image)))).catch((error: unknown) => {
      assert.fail(`${String(error)}; ${last}`);
    });
  }
}

/** An authority, and what it has signed: the registry's certificate and a client's. */
async function makeCertificates(name: string): Promise<{ ca: string; server: Pair; client: Pair }> {
  const at = (file: string): string => join(scratch, `${name}-${file}`);
  const openssl = async (...args: string[]): Promise<unknown> => execa('openssl', args);
  const [ca, caKey] = [at('ca.pem'), at('ca.key')];
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl(...fresh, '-subj', `/CN=${name}`, '-keyout', caKey, '-out', ca);
  const signed = async (who: string): Promise<Pair> => {
    const pair = { certificate: at(`${who}.pem`), key: at(`${who}.key`) };
    const more = ['-subj', `/CN=${who}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'];
    await openssl(...fresh, ...more, '-CA', ca, '-CAkey', caKey, '-keyout', pair.key, '-out', pair.certificate);
    return pair;
  };
  return { ca, server: await signed('server'), client: await signed('client') };
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

e2eTest(
  'a registry that demands a client certificate gets it by each of the files that may name one, and by none that does not',
  async (daemon, t) => {
    const [own, strange] = [await makeCertificates('own'), await makeCertificates('strange')];
    const plain = await TestRegistry.start();
    t.after(async () => plain.stop());
    await plain.push(IMAGE, 'app', ['1']);
    const guarded = await TestRegistry.start({ tls: { ...own.server, clientcas: [own.ca] }, contentOf: plain });
    t.after(async () => guarded.stop());
    const node = await Node.start(daemon);
    // Another name of the same place, which does not count as one of this machine: it must have a good certificate.
    const host = guarded.host.replace('127.0.0.1', '127.1');
    const image = `${host}/app:1`;
    const [untrusted, unknown] = [
      /unable to (get local issuer|verify)|self-signed/,
      /^RegistryUnavailable(?!.*(?:issuer|verify|self-signed|plain http))/,
    ];
    const shows = async (directory: string, { certificate, key }: Pair): Promise<void> => {
      await node.copy(certificate, `${directory}/it.cert`);
      await node.copy(key, `${directory}/it.key`);
    };

    assert.match(await node.pull(image), untrusted);
    await node.copy(own.ca, `certs/${host}/ca.crt`);
    await node.becomes('an authority alone does not do', image, unknown);
    await shows(`certs/${host}`, strange.client);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await node.becomes('a certificate of another authority does not do', image, unknown);
    await shows(`certs/${host}`, own.client);
    await node.becomes('certs.d', image, /^pulled$/);
    await node.remove(`certs/${host}`);
    await node.becomes('without the directory', image, untrusted);

    const directory = `hosts/${host.replace(/:(\d+)$/, '_$1_')}`;
    await node.copy(own.ca, `${directory}/ca.crt`);
    await node.becomes('of docker’s files the authority', image, unknown);
    await shows(directory, own.client);
    await node.becomes('docker’s files without hosts.toml', image, /^pulled$/);
    await node.remove(directory);

    const client = `client = [["${own.client.certificate}", "${own.client.key}"]]\n`;
    const toml = async (text: string): Promise<void> =>
      node.write('hosts/named.test/hosts.toml', `server = "https://${guarded.host}"\n${text}`);
    await toml(`ca = "${strange.ca}"\n${client}`);
    await node.becomes('hosts.toml with another authority', 'named.test/app:1', untrusted);
    await toml(`ca = "${own.ca}"\n${client}`);
    await node.becomes('hosts.toml with ca and client', 'named.test/app:1', /^pulled$/);
    await toml(client);
    await node.becomes('hosts.toml with client alone', 'named.test/app:1', untrusted);
    await toml(`skip_verify = true\n${client}`);
    await node.becomes('hosts.toml with skip_verify', 'named.test/app:1', /^pulled$/);
    await toml('skip_verify = true\n');
    await node.becomes('hosts.toml without client', 'named.test/app:1', unknown);
  },
  { images: [], skip: noRegistry },
);

/** A registry that writes down what it is asked for. */
async function openRegistry(t: TestContext, repository: string): Promise<{ readonly host: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const fault = ({ url = '' }: IncomingMessage): boolean => {
    asked.push(url);
    return false;
  };
  const registry = await FaultyRegistry.start({ fault });
  t.after(async () => registry.stop());
  registry.addImage(IMAGE, repository, '1');
  return { host: registry.host, asked };
}

e2eTest(
  'override_path, dial_timeout and _default of hosts.toml hold on the wire',
  async (daemon, t) => {
    const { host, asked } = await openRegistry(t, 'app');
    let dialled = 0;
    const silent = createServer(() => (dialled += 1)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const sockets = new Set<{ destroy(): unknown }>();
    silent.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
    t.after(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    const port = (silent.address() as AddressInfo).port;
    const node = await Node.start(daemon, {
      'hosts/overridden.test/hosts.toml': `server = "http://${host}/v2/proxy"\noverride_path = true\n`,
      'hosts/below.test/hosts.toml': `server = "http://${host}/proxy"\n`,
      'hosts/slow.test/hosts.toml': `server = "http://${host}"\n[host."https://127.0.0.1:${port}"]\ndial_timeout = "500ms"\n`,
      'hosts/_default/hosts.toml': `server = "http://${host}"\n`,
    });
    const firstOf = async (name: string): Promise<string | undefined> => {
      asked.length = 0;
      await node.pull(`${name}/app:1`);
      return asked[0];
    };
    assert.equal(await firstOf('overridden.test'), '/v2/proxy/app/manifests/1?ns=overridden.test');
    assert.equal(await firstOf('below.test'), '/proxy/v2/app/manifests/1?ns=below.test');
    assert.equal(await node.pull('any.test/app:1'), 'pulled');
    assert.equal(await firstOf('any.test:5000'), '/v2/app/manifests/1?ns=any.test%3A5000');

    const began = performance.now();
    assert.equal(await node.pull('slow.test/app:1'), 'pulled');
    const tookMs = performance.now() - began;
    assert.ok(dialled > 0, 'the silent host is tried first');
    assert.ok(tookMs > 400 && tookMs < 10_000, `${Math.round(tookMs)} ms; the limit of the daemon is 30 s`);
  },
  { images: [] },
);

e2eTest(
  'for a name that registries.conf has a table for, its directory of hosts counts for nothing, and the log says so',
  async (daemon, t) => {
    const [table, directory] = [await openRegistry(t, 'app'), await openRegistry(t, 'app')];
    const hosts = `server = "http://${directory.host}"\n`;
    const node = await Node.start(daemon, {
      'registries.conf':
        `[[registry]]\nprefix = "both.test"\nlocation = "${table.host}"\ninsecure = true\n` +
        `[[registry]]\nprefix = "part.test/mine"\nlocation = "${table.host}"\ninsecure = true\n` +
        '[[registry]]\nprefix = "bad.test"\nblocked = true\n',
      'hosts/both.test/hosts.toml': hosts,
      'hosts/part.test/hosts.toml': hosts,
      'hosts/bad.test/hosts.toml': hosts,
    });
    assert.equal(await node.pull('both.test/app:1'), 'pulled');
    assert.match(await node.pull('bad.test/app:1'), /registry bad\.test is blocked in registries\.conf/);
    assert.equal(await node.pull('part.test/mine/app:1'), 'pulled');
    assert.deepEqual(directory.asked, []);
    assert.equal(table.asked[0], '/v2/app/manifests/1');
    assert.equal(await node.pull('part.test/app:1'), 'pulled');
    assert.equal(directory.asked[0], '/v2/app/manifests/1?ns=part.test');
    const log = await readFile(daemon.logFile, 'utf8');
    const told = [...log.matchAll(/hosts\/([a-z.]+)\/hosts\.toml has no effect: registries\.conf has a \[\[registry\]\] for/g)];
    assert.deepEqual(told.map(([, name]) => name).sort(), ['bad.test', 'both.test']);
  },
  { images: [] },
);
