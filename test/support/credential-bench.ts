import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { messageOf } from '../../src/base/errors.ts';
import type { Log } from '../../src/base/log.ts';
import type { PullCredentials } from '../../src/image/pull-credentials.ts';
import { CredentialSource } from '../../src/registry/credential-source.ts';
import type { CredentialSourceOptions } from '../../src/registry/credential-source.ts';
import { pullBench } from './pull-bench.ts';
import { scratchDirectory } from './scratch.ts';

export interface CredentialBench {
  readonly directory: string;
  /** `directory`/namespaced, where the source looks for files of namespaces. */
  readonly namespaced: string;
  readonly source: CredentialSource;
  /** The auth files that the source reads; may be changed. */
  readonly files: string[];
  /** All that was logged, at any level. */
  readonly logged: string[];
  readonly warnings: string[];
  /** Pulls an image and removes it. */
  pull(name: string, given?: PullCredentials, namespace?: string): Promise<readonly string[]>;
  /** Writes an auth file, the last of `files` where it is none of them yet. */
  write(file: string, document: unknown): Promise<string>;
}

/** A puller with credentials of the node: those of the files that were written. */
export async function credentialBench(
  t: TestContext,
  conf: string,
  options: Partial<CredentialSourceOptions> = {},
): Promise<CredentialBench> {
  const directory = await scratchDirectory(t);
  const namespaced = join(directory, 'namespaced');
  await mkdir(namespaced);
  const files: string[] = [];
  const warnings: string[] = [];
  const logged: string[] = [];
  const keep =
    (level: string): Log['warn'] =>
    (message, fields) => {
      logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
      if (level === 'warn') warnings.push(`${message}: ${messageOf(fields?.error ?? fields?.path)}`);
    };
  const log: Log = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error'), with: () => log };
  const source = new CredentialSource({
    files: () => files,
    helpers: () => [],
    namespacedDirectory: () => namespaced,
    environment: {},
    log,
    ...options,
  });
  const { puller, stores } = await pullBench(t, conf, { credentials: source });
  return {
    directory,
    namespaced,
    source,
    files,
    logged,
    warnings,
    pull: async (name, given, namespace) => {
      const pulled = await puller.pull(name, given, AbortSignal.timeout(120_000), { namespace: namespace ?? '' });
      await stores.images.remove(pulled.id);
      return pulled.names;
    },
    write: async (file, document) => {
      const path = join(directory, file);
      await writeFile(path, typeof document === 'string' ? document : JSON.stringify(document), { mode: 0o600 });
      if (!files.includes(path)) files.push(path);
      return path;
    },
  };
}

/** Text for a registries.conf by which these hosts may speak plain http. */
export function insecure(...hosts: string[]): string {
  return hosts.map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`).join('');
}
