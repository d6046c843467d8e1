import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remove, writeJson } from 'fs-extra/esm';
import type { ImageSource } from '../../scripts/make-demo-image.ts';
import { pushImage } from '../../scripts/push-image.ts';
import type { ManifestForm, PushedImage } from '../../scripts/push-image.ts';
import { findProgram } from './find-program.ts';

/** The one account of a registry that asks for it. */
export const ACCOUNT = { username: 'tester', password: 'let-me-in' } as const;
/** The account as htpasswd(1) writes it with -B: the registry takes bcrypt only. */
const HTPASSWD = `${ACCOUNT.username}:$2b$05$abcdefghijklmnopqrstuu3Jd./u/rH1RxB6auX5v7gLP6uWhKCgG\n`;

const START_TIMEOUT_MS = 20_000;

export interface RegistryOptions {
  /** Whether it wants the {@link ACCOUNT} for all. */
  readonly private?: boolean;
  /** Files for https; plain http without. With `clientcas` it speaks only to who shows a certificate of theirs. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientcas?: readonly string[] };
  /** Who issues the tokens that it wants for all, and the file with their certificates. */
  readonly tokens?: { readonly realm: string; readonly service: string; readonly issuer: string; readonly certificates: string };
  /** Serves what another one has, too. */
  readonly contentOf?: TestRegistry;
}

/** A request that came in, and what was answered. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const REGISTRY_PROGRAM = await findProgram('docker-registry');

/** Why tests that need a registry are skipped; false where they are not. */
export const noRegistry = REGISTRY_PROGRAM === undefined && 'docker-registry is not in PATH (Debian package docker-registry)';

/** Debian's docker-registry as a registry of our own on a free port of the loopback, with its content in a directory of its own. */
export class TestRegistry {
  readonly directory: string;
  /** `127.0.0.1:41234`. */
  readonly host: string;
  readonly #options: RegistryOptions;
  #child: ChildProcess | undefined;

  private constructor(directory: string, host: string, options: RegistryOptions) {
    this.directory = directory;
    this.host = host;
    this.#options = options;
  }

  static async start(options: RegistryOptions = {}): Promise<TestRegistry> {
    const directory = await mkdtemp(join(tmpdir(), 'podwright-registry-'));
    const registry = new TestRegistry(directory, `127.0.0.1:${await freePort()}`, options);
    try {
      await registry.#configure();
      await registry.resume();
    } catch (error) {
      await registry.stop();
      throw error;
    }
    return registry;
  }

  get #content(): string {
    return this.#options.contentOf === undefined ? join(this.directory, 'content') : this.#options.contentOf.#content;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${this.host}`;
  }

  /** Pushes an image under a repository and its tags. */
  async push(image: Omit<ImageSource, 'name'>, repository: string, tags: readonly string[], form?: ManifestForm): Promise<PushedImage> {
    return pushImage(image, {
      registry: this.url,
      repository,
      tags,
      ...(form === undefined ? {} : { form }),
      ...(this.#options.private === true ? { credentials: `${ACCOUNT.username}:${ACCOUNT.password}` } : {}),
    });
  }

  /**
   * Writes a registries.conf(5) that says where each prefix is, this registry's own address among them.
   * @returns the configuration of a daemon that reads it.
   */
  async daemonConfig(locations: Readonly<Record<string, string>>, insecure = true): Promise<string> {
    const tables = Object.entries({ ...locations, [this.host]: this.host }).map(
      ([prefix, location]) => `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\ninsecure = ${insecure}\n`,
    );
    const file = join(this.directory, 'registries.conf');
    await writeFile(file, tables.join('\n'));
    return `registries_conf = "${file}"\nregistries_conf_dir = "${join(this.directory, 'registries.conf.d')}"\n`;
  }

  /** The requests so far, by its access log. */
  async asked(): Promise<Asked[]> {
    const log = await readFile(join(this.directory, 'log'), 'utf8');
    return [...log.matchAll(/"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d+)/g)].map(([, method = '', path = '', status]) => ({
      method,
      path,
      status: Number(status),
    }));
  }

  /** Bytes of answers so far, without headers, by its access log. */
  async sentBytes(): Promise<number> {
    const log = await readFile(join(this.directory, 'log'), 'utf8');
    return [...log.matchAll(/HTTP\/[\d.]+" \d+ (\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  }

  /** The file with a blob's bytes. */
  blobFile(digest: string): string {
    const hex = digest.replace('sha256:', '');
    return join(this.#content, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  }

  /** Starts it, also again after {@link halt}. */
  async resume(): Promise<void> {
    const log = await open(join(this.directory, 'log'), 'a');
    this.#child = spawn(REGISTRY_PROGRAM ?? 'docker-registry', ['serve', join(this.directory, 'config.yml')], {
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      const said = await readFile(join(this.directory, 'log'), 'utf8');
      assert.ok(this.#child.exitCode === null, `docker-registry ended with ${this.#child.exitCode ?? 0}: ${said}`);
      assert.ok(Date.now() < end, `docker-registry does not answer after ${START_TIMEOUT_MS} ms: ${said}`);
      await sleep(50);
    }
  }

  /** Ends the program; its content stays. */
  async halt(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Ends it and removes its content. */
  async stop(): Promise<void> {
    await this.halt();
    await remove(this.directory);
  }

  async #configure(): Promise<void> {
    const { private: isPrivate = false, tls, tokens } = this.#options;
    const config = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: this.#content } },
      http: { addr: this.host, ...(tls === undefined ? {} : { tls }) },
      ...(tokens === undefined ? {} : { auth: { token: { ...tokens, certificates: undefined, rootcertbundle: tokens.certificates } } }),
      ...(isPrivate ? { auth: { htpasswd: { realm: 'test', path: join(this.directory, 'htpasswd') } } } : {}),
    };
    await writeFile(join(this.directory, 'htpasswd'), HTPASSWD);
    await writeJson(join(this.directory, 'config.yml'), config); // JSON is YAML
  }

  async #answers(): Promise<boolean> {
    try {
      // Over https without our certificate authority the answer is a failure of the handshake, which is an answer too.
      await fetch(`http://${this.host}/v2/`, { signal: AbortSignal.timeout(1000) });
      return true;
    } catch {
      return false;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
