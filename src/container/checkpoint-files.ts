import { join } from 'node:path';
import type { ImageRecord } from '../image/store.ts';
import { isImageVolumeBind } from './image-volumes.ts';
import type { SavedSpec } from '../ocispec/read-spec.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { Container } from './container.ts';

/** The annotation that holds the path of a container's log, and the name of its copy in an archive. */
const LOG_PATH = 'io.kubernetes.cri-o.LogPath';

/** The files of a checkpoint as CRI-O names them; checkpointctl's lib/metadata.go has the same. */
export class CheckpointFiles {
  readonly directory: string;
  readonly #large: string;

  /** @param large where those that may be large are, or that a path of the caller names; where all are, if left out. */
  constructor(directory: string, large = directory) {
    this.directory = directory;
    this.#large = large;
  }

  /** What is unfinished outside of the directory, by its path: it is in no archive. */
  get partial(): string {
    return join(this.directory, 'partial');
  }

  /** CRIU's images. */
  get images(): string {
    return join(this.#large, 'checkpoint');
  }

  get config(): string {
    return join(this.directory, 'config.dump');
  }

  get spec(): string {
    return join(this.directory, 'spec.dump');
  }

  get bindMounts(): string {
    return join(this.directory, 'bind.mounts');
  }

  /** What the container has written. */
  get changes(): string {
    return join(this.#large, 'rootfs-diff.tar');
  }

  /** What it has deleted of its image: a JSON list of paths. */
  get deleted(): string {
    return join(this.directory, 'deleted.files');
  }

  get log(): string {
    return join(this.#large, LOG_PATH);
  }
}

/** `config.dump`: what the container was. */
export function configDump({ record }: Container, image: ImageRecord | undefined, now: Date): Readonly<Record<string, unknown>> {
  const { config } = record;
  return {
    id: record.id,
    name: record.name,
    rootfsImage: config.image?.userSpecifiedImage || config.image?.image || '',
    rootfsImageRef: record.imageId.replace('sha256:', ''),
    rootfsImageName: image?.names[0] ?? image?.digests[0] ?? '',
    runtime: record.runtimeHandler,
    createdTime: new Date(Number(record.createdAtNs / 1_000_000n)).toISOString(),
    checkpointedTime: now.toISOString(),
    restoredTime: '0001-01-01T00:00:00Z',
    restored: false,
  };
}

/** `spec.dump`: the spec with what readers of such archives look for in its annotations. */
export function specDump(spec: SavedSpec, { record }: Container, sandbox: Sandbox): object {
  const { metadata } = sandbox.record.config;
  const { config } = record;
  const ips = 'network' in sandbox.state ? sandbox.state.network.ips : [];
  const prefix = 'io.kubernetes.cri-o';
  const annotations: Record<string, string> = {
    'io.container.manager': 'cri-o',
    [`${prefix}.ContainerID`]: record.id,
    [`${prefix}.ContainerType`]: 'container',
    [`${prefix}.SandboxID`]: record.sandboxId,
    [`${prefix}.Name`]: record.name,
    [`${prefix}.Metadata`]: JSON.stringify({ name: config.metadata?.name ?? '', attempt: config.metadata?.attempt ?? 0 }),
    [`${prefix}.Labels`]: JSON.stringify(config.labels),
    [`${prefix}.Annotations`]: JSON.stringify(config.annotations),
    [`${prefix}.Created`]: new Date(Number(record.createdAtNs / 1_000_000n)).toISOString(),
    'io.kubernetes.pod.name': metadata?.name ?? '',
    'io.kubernetes.pod.namespace': metadata?.namespace ?? '',
    'io.kubernetes.pod.uid': metadata?.uid ?? '',
    'io.kubernetes.container.name': config.metadata?.name ?? '',
    [LOG_PATH]: record.logPath,
  };
  for (const [index, ip] of ips.entries()) annotations[`${prefix}.IP.${index}`] = ip;
  return { ...spec.document, annotations: { ...spec.annotations, ...annotations } };
}

/** Mounts that every runtime makes anew at a restore. */
const OF_EVERY_CONTAINER = new Set(['/dev', '/dev/shm', '/proc', '/run', '/run/.containerenv', '/run/secrets', '/sys']);

/** The mounts that a restore must find sources for. */
export function externalMounts({ mounts }: SavedSpec): SavedSpec['mounts'] {
  return mounts.filter(({ type, destination }) => type === 'bind' && !OF_EVERY_CONTAINER.has(destination));
}

/** Where the container's own files end: what lies at these paths is not its own. Relative, as latin1. */
export function mountPoints({ mounts }: SavedSpec, rootfs: string): Set<string> {
  const paths = [
    ...OF_EVERY_CONTAINER,
    ...mounts.filter((mount) => !isImageVolumeBind(rootfs, mount)).map(({ destination }) => destination),
  ];
  return new Set(paths.map((path) => Buffer.from(path.replace(/^\/+/, '')).toString('latin1')));
}
