import { stat } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { Config } from '../config/schema.ts';
import { AdditionalStores } from '../image/additional-stores.ts';
import type { PullCounts } from '../image/arrivals.ts';
import type { ImageParts } from '../image/assemble.ts';
import type { Platform } from '../image/oci-types.ts';
import type { ResolvedName } from '../image/resolve-name.ts';
import { namedPlatform } from '../image/platform.ts';
import { ImagePuller } from '../image/pull.ts';
import type { PullerOptions } from '../image/pull.ts';
import { parseReference } from '../image/reference.ts';
import { ImageUses } from '../image/image-uses.ts';
import { ImageStore } from '../image/store.ts';
import type { ImageStoreParts } from '../image/store.ts';
import type { DiskUsage } from '../imageservice/parts.ts';
import { CredentialSource } from '../registry/credential-source.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import type { RegistrySources } from '../registry/registry-sources.ts';
import type { RegistryPaths } from '../registry/registry-sources.ts';
import type { ShortNames } from '../registry/short-names.ts';
import type { TransportOptions } from '../registry/transport.ts';
import { BlobStore } from '../storage/blobs.ts';
import { LayerStore } from '../storage/layers.ts';
import { RootfsStore } from '../storage/rootfs.ts';
import { Gpg } from '../trust/gpg.ts';
import { ImageTrust } from '../trust/image-trust.ts';
import { StorageWorkers } from '../storage/storage-workers.ts';
import { helperEnvironment } from './helper-environment.ts';
import { RegistryFiles } from './registry-files.ts';

/** What is kept of images and containers' files: blobs, layers, writable layers, image records. */
export interface Storage {
  readonly rootfs: RootfsStore;
  /** A directory of the file system that writable layers lie on, as ImageFsInfo names it. */
  readonly mountpoint: string;
  readonly images: ImageStore;
  readonly imageParts: ImageParts;
  readonly puller: ImagePuller;
  readonly trust: ImageTrust;
  readonly imageUses: ImageUses;
  /** What images are for: of one for several platforms, that is the one to take. */
  readonly platform: Platform;
  start(): Promise<void>;
  /** Where an image would be pulled from, and why. @throws InvalidArgument for a name that cannot be pulled. */
  resolveName(name: string, signal: AbortSignal): Promise<ResolvedName>;
  /** Reads what SIGHUP may change; it is in force when what is returned is called. @throws InvalidArgument. */
  read(config: Config): Promise<() => void>;
  close(): Promise<void>;
  usage(): Promise<{ readonly images: DiskUsage; readonly containers: DiskUsage }>;
}

const MIB = 1024 * 1024;

export async function openStorage(
  config: LiveConfig,
  log: Log,
  environment: Readonly<Record<string, string>>,
  counts: PullCounts,
): Promise<Storage> {
  const layout = new DiskLayout(config.current);
  let imagesMountpoint = layout.storage;
  const files = new RegistryFiles(log);
  const workers = new StorageWorkers();
  const blobs = new BlobStore(layout.blobs);
  const layers = new LayerStore(layout.layers, workers, log);
  const rootfs = new RootfsStore(layout.writableLayers, layers, workers);
  const shortNames = (): ShortNames => files.current.shortNames;
  const images = openImages(config, { directory: layout.imageRecords, blobs, layers, rootfs, log, shortNames });
  const additionalStores = new AdditionalStores({ directories: () => config.current.image.additionalStores, images, layers, log });
  const imageParts: ImageParts = { images, blobs, layers, log, ...layerChoices(config) };
  const registry = openRegistry(config, files);
  const credentials = openCredentials(config, () => files.current, log);
  const platform = await namedPlatform(config.current.image.platform);
  const trust = openTrust(config, environment, log);
  const puller = new ImagePuller(imageParts, {
    registry,
    shortNames,
    credentials,
    platform,
    trust,
    counts,
    ...downloadLimits(config),
  });
  return {
    rootfs,
    mountpoint: layout.storage,
    images,
    imageParts,
    puller,
    trust,
    imageUses: new ImageUses(images, trust, shortNames),
    platform,
    start: async () => {
      await Promise.all([blobs.start(), layers.start(), rootfs.start()]);
      imagesMountpoint = await mountpointOfImages(layout);
      await files.start(() => registryPaths(config.current));
      images.setPinned(config.current.image.pinned);
      await Promise.all([images.start(), additionalStores.start()]);
      await credentials.start();
      void checkSuspects(imageParts);
    },
    resolveName: async (name, signal) => {
      const { resolveName } = await import('../image/resolve-name.ts');
      const now = files.current;
      const endpoints = now.endpoints.bind(now);
      const sources = { shortNames: now.shortNames, endpoints, findCredentials: credentials.find.bind(credentials) };
      return await resolveName(name, sources, signal);
    },
    read: async (next) => {
      const read = await files.read(registryPaths(next));
      return () => {
        files.use(read);
        images.setPinned(next.image.pinned);
        // Blobs that are no longer to be kept.
        void images.collect();
        void additionalStores.look();
      };
    },
    close: async () => {
      files.close();
      additionalStores.close();
      await registry.close();
      await layers.close();
      await workers.close();
    },
    usage: async () => ({
      images: { mountpoint: imagesMountpoint, ...images.usage() },
      containers: { mountpoint: layout.storage, ...(await rootfs.totalUsage()) },
    }),
  };
}

function openRegistry(config: LiveConfig, files: RegistryFiles): RegistryClient {
  // A connection that died is taken up again once, before the pull is given up.
  const idleTimeoutMs = (): number => Math.ceil(config.current.image.pullProgressTimeoutMs / 2);
  const registry = new RegistryClient(() => files.current, { idleTimeoutMs, ...connecting(config) });
  files.onChange(({ tlsKeys }) => {
    registry.retire(tlsKeys);
  });
  return registry;
}

function downloadLimits(
  config: LiveConfig,
): Pick<PullerOptions, 'parallelDownloads' | 'parallelDownloadsOfAll' | 'rangeBytes' | 'stallTimeoutMs'> {
  return {
    stallTimeoutMs: () => config.current.image.pullProgressTimeoutMs,
    parallelDownloads: () => config.current.image.maxParallelDownloads,
    parallelDownloadsOfAll: () => config.current.image.maxParallelDownloadsPerNode,
    rangeBytes: () => config.current.image.downloadRangeMib * MIB,
  };
}

/** Where layers come from besides registries. */
function layerChoices(config: LiveConfig): Pick<ImageParts, 'reusesChunks' | 'layerStores'> {
  return { reusesChunks: () => config.current.image.reuseChunks, layerStores: () => config.current.image.additionalLayerStores };
}

function openImages(config: LiveConfig, parts: ImageStoreParts): ImageStore {
  const discardsBlobs = (): boolean => config.current.image.discardBlobs;
  const hasAdditionalStores = (): boolean => {
    const { additionalStores, additionalLayerStores } = config.current.image;
    return additionalStores.length + additionalLayerStores.length > 0;
  };
  return new ImageStore({ ...parts, discardsBlobs, hasAdditionalStores });
}

function connecting(config: LiveConfig): TransportOptions {
  const { http, https, noProxy } = config.current.proxy;
  return {
    connectTimeoutMs: config.current.image.connectTimeoutMs,
    answerTimeoutMs: () => config.current.image.responseHeaderTimeoutMs,
    proxies: { http, https, noProxy: noProxy.join(',') },
  };
}

/** Looks at what an unclean end of the node may have cost, beside the work; whoever needs a layer has it looked at first. */
async function checkSuspects(parts: ImageParts): Promise<void> {
  const { layers, log } = parts;
  layers.mend = async (chain) => (await import('../image/mend-layer.ts')).mendLayer(parts, chain);
  const { suspects } = layers;
  if (suspects.length > 0)
    log.warn(`the node went down uncleanly: ${suspects.length} layers made before that are compared with their digests`);
  for (const chain of suspects) {
    try {
      if (layers.has(chain)) await layers.ready(chain);
    } catch (error) {
      log.error('layer is damaged', { layer: chain, error: messageOf(error) });
    }
  }
}

/** Two names of one file system would read as two file systems: the kubelet compares them (KEP-4191). */
async function mountpointOfImages({ storage, imageStorage }: DiskLayout): Promise<string> {
  const [all, images] = await Promise.all([stat(storage), stat(imageStorage)]);
  return all.dev === images.dev ? storage : imageStorage;
}

function registryPaths(config: Config): RegistryPaths {
  const { registriesConf, registriesConfDir, shortNameAliases, registryConfigPath, registryCertsDirs } = config;
  return {
    registriesConf,
    registriesConfDir,
    shortNameAliases,
    hostDirectories: registryConfigPath,
    certificateDirectories: registryCertsDirs,
  };
}

function openCredentials(config: LiveConfig, registries: () => RegistrySources, log: Log): CredentialSource {
  return new CredentialSource({
    files: () => config.current.image.authFiles,
    helpers: () => registries().credentialHelpers,
    namespacedDirectory: () => config.current.image.namespacedAuthDir,
    environment: helperEnvironment(process.env),
    log,
  });
}

function openTrust(config: LiveConfig, environment: Readonly<Record<string, string>>, log: Log): ImageTrust {
  const gpg = new Gpg(new DiskLayout(config.current).gpg, environment);
  return new ImageTrust({ places: () => config.current.image, gpg, parseName: parseReference, environment, log });
}
