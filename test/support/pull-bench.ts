import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AuthConfig } from '../../api/cri/runtime.ts';
import { ImagePuller } from '../../src/image/pull.ts';
import type { PullerOptions } from '../../src/image/pull.ts';
import type { ImageStoreParts } from '../../src/image/store.ts';
import type { PullCredentials } from '../../src/image/pull-credentials.ts';
import { credentialsOf } from '../../src/imageservice/pull-image.ts';
import type { CredentialSource } from '../../src/registry/credential-source.ts';
import { RegistriesConf } from '../../src/registry/registries-conf.ts';
import { RegistryClient } from '../../src/registry/registry-client.ts';
import type { TransportOptions } from '../../src/registry/transport.ts';
import { startImageStorage } from './image-storage.ts';
import type { ImageStorage } from './image-storage.ts';
import { scratchDirectory } from './scratch.ts';

export interface PullBench {
  readonly stores: ImageStorage;
  readonly puller: ImagePuller;
  readonly root: string;
}

/** A puller with image stores of its own, in this process. */
export async function pullBench(
  t: TestContext,
  conf: string,
  options: TransportOptions & { readonly stallTimeoutMs?: () => number; readonly credentials?: CredentialSource } & Partial<
      Pick<ImageStoreParts, 'discardsBlobs' | 'log'>
    > &
    Partial<Pick<PullerOptions, 'parallelDownloads' | 'parallelDownloadsOfAll' | 'rangeBytes'>> = {},
): Promise<PullBench> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  await writeFile(join(scratch, 'registries.conf'), conf);
  const registries = await RegistriesConf.load(join(scratch, 'registries.conf'), join(scratch, 'none'));
  const stores = await startImageStorage(root, options.log, options.discardsBlobs);
  const registry = new RegistryClient(() => registries, { idleTimeoutMs: () => 2500, connectTimeoutMs: 2000, ...options });
  const puller = new ImagePuller(stores, {
    registry,
    parallelDownloads: options.parallelDownloads ?? (() => 2),
    parallelDownloadsOfAll: options.parallelDownloadsOfAll ?? (() => 8),
    rangeBytes: options.rangeBytes ?? (() => 0),
    platform: { os: 'linux', architecture: 'amd64' },
    stallTimeoutMs: options.stallTimeoutMs ?? (() => 5000),
    shortNames: () => registries.shortNames,
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });
  t.after(async () => {
    await registry.close();
    await stores.close();
  });
  return { stores, puller, root };
}

/** Credentials as the kubelet sends them. */
export function authConfig(fields: Partial<AuthConfig>): PullCredentials {
  return credentialsOf({ username: '', password: '', auth: '', serverAddress: '', identityToken: '', registryToken: '', ...fields })!;
}
