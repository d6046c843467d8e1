/** Signers of images, with keys of their own: GnuPG and skopeo as people use them. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove, writeJson } from 'fs-extra/esm';
import { atEnd } from './at-end.ts';
import { findProgram } from './find-program.ts';
import { TestRegistry } from './registry.ts';

const PROGRAMS = ['skopeo', 'gpg', 'gpgv', 'gpgconf'];
const missing = await Promise.all(PROGRAMS.map(async (name) => ((await findProgram(name)) === undefined ? name : [])));

/** Why tests that sign images are skipped; false where they are not. */
export const noSigning: string | false = missing.flat().length > 0 && `${missing.flat().join(', ')} not in PATH`;

/** A home of GnuPG's with secret keys. */
export class GpgHome {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<GpgHome> {
    return new GpgHome(await mkdtemp(join(tmpdir(), 'pw-gpg-')));
  }

  get #env(): Record<string, string> {
    return { GNUPGHOME: this.directory };
  }

  /** Makes a key. @param atTime `20200101T000000`, when it is made, for one that has expired since. @returns its fingerprint */
  async makeKey(name: string, { expires = 'never', atTime }: { expires?: string; atTime?: string } = {}): Promise<string> {
    const when = atTime === undefined ? [] : ['--faked-system-time', atTime];
    const args = ['--batch', '--passphrase', '', ...when, '--quick-gen-key', name, 'ed25519', 'sign', expires];
    await execa('gpg', args, { env: this.#env });
    const { stdout } = await execa('gpg', ['--with-colons', '--list-keys', name], { env: this.#env });
    return /^fpr:+([0-9A-F]{40})/m.exec(stdout)?.[1] ?? assert.fail(stdout);
  }

  /** Writes a public key to a file, as text or binary. */
  async writeKey(fingerprint: string, path: string, form: 'armored' | 'binary' = 'armored'): Promise<string> {
    const armor = form === 'armored' ? ['--armor'] : [];
    await execa('gpg', [...armor, '--yes', '--output', path, '--export', fingerprint], { env: this.#env });
    return path;
  }

  /** An OpenPGP message that says `text`. */
  async sign(fingerprint: string, text: string, options: readonly string[] = []): Promise<Uint8Array> {
    const args = ['--batch', '--passphrase', '', '--pinentry-mode', 'loopback', ...options, '--local-user', fingerprint, '--sign'];
    return (await execa('gpg', args, { env: this.#env, input: text, encoding: 'buffer' })).stdout;
  }

  /** Ends its agent and removes it. */
  async close(): Promise<void> {
    await execa('gpgconf', ['--kill', 'all'], { env: this.#env });
    await remove(this.directory);
  }
}

export interface SignOptions {
  /** A directory of registries.d files, by which skopeo decides where the signature goes. */
  readonly registriesD: string;
  readonly gpg?: { readonly home: GpgHome; readonly fingerprint: string };
  /** The name that is signed, where not the image's own. */
  readonly identity?: string;
}

/** Signs an image that is in a registry, by its name with the tag. */
export async function signWithSkopeo(image: string, { registriesD, gpg, identity }: SignOptions): Promise<void> {
  const args = ['--insecure-policy', '--registries.d', registriesD, 'copy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  if (gpg !== undefined) args.push('--sign-by', gpg.fingerprint);
  if (identity !== undefined) args.push('--sign-identity', identity);
  args.push('--preserve-digests', `docker://${image}`, `docker://${image}`);
  await execa('skopeo', args, { env: gpg === undefined ? {} : { GNUPGHOME: gpg.home.directory } });
}

/** What a "simple" signature says. containers-signature(5) */
export function simpleClaim(name: string, digest: string): string {
  const critical = {
    type: 'atomic container signature',
    image: { 'docker-manifest-digest': digest },
    identity: { 'docker-reference': name },
  };
  return JSON.stringify({ critical, optional: {} });
}

/** Policies, keys, lookaside and registries.d of one daemon. */
export class TrustLab {
  readonly directory: string;
  readonly home: GpgHome;

  private constructor(directory: string, home: GpgHome) {
    this.directory = directory;
    this.home = home;
  }

  static async make(): Promise<TrustLab> {
    const lab = new TrustLab(await mkdtemp(join(tmpdir(), 'pw-trust-')), await GpgHome.make());
    for (const name of ['registries.d', 'lookaside', 'policies', 'keys']) await mkdir(lab.path(name));
    await writeJson(lab.path('registries.d', 'default.yaml'), { 'default-docker': { lookaside: `file://${lab.path('lookaside')}` } });
    await lab.writePolicy({ default: [{ type: 'insecureAcceptAnything' }] });
    return lab;
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** The configuration of a daemon that goes by it. */
  get daemonConfig(): string {
    return `[image]\nsignature_policy = "${this.path('policy.json')}"\nsignature_policy_dir = "${this.path('policies')}"\nregistries_d = "${this.path('registries.d')}"\n`;
  }

  async writePolicy(policy: unknown, namespace?: string): Promise<void> {
    const path = namespace === undefined ? this.path('policy.json') : this.path('policies', `${namespace}.json`);
    await (typeof policy === 'string' ? writeFile(path, policy) : writeJson(path, policy));
  }

  /** Puts a simple signature where it is looked for. */
  async putSignature(repositoryPath: string, digest: string, bytes: Uint8Array, number = 1): Promise<void> {
    const directory = this.path('lookaside', `${repositoryPath}@${digest.replace(':', '=')}`);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `signature-${number}`), bytes);
  }

  async close(): Promise<void> {
    await this.home.close();
    await remove(this.directory);
  }
}

/** A registry and a lab that end with the test file. */
export async function startTrustLab(): Promise<{ registry: TestRegistry; lab: TrustLab }> {
  const registry = await TestRegistry.start();
  atEnd(async () => registry.stop());
  const lab = await TrustLab.make();
  atEnd(async () => lab.close());
  return { registry, lab };
}
