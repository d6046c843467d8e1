import { mkdir, realpath } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { PodSandboxMetadata } from '../../api/cri/runtime.ts';
import type { CadvisorBackend, ContainerFacts } from '../cadvisor/backend.ts';
import { CadvisorListener } from '../cadvisor/listener.ts';
import { fail, messageOf } from '../base/errors.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import { isAliveState, type ContainerRecord } from '../container/container.ts';
import type { SandboxRecord } from '../podsandbox/sandbox.ts';
import { imageSpec } from '../runtimeservice/container-messages.ts';
import type { DaemonParts } from './build.ts';

/** Dashboards leave out series without an image, so pods have the name of one. There is no such image. */
const POD_IMAGE = 'podwright/pause';

const NOBODY = { name: '', attempt: 0 };

type Parts = Pick<DaemonParts, 'config' | 'log' | 'containers' | 'sandboxes' | 'placement' | 'storage' | 'cadvisor'>;

/**
 * Binds CRI-O's socket where the configuration says so, and has new cgroups named in CRI-O's form. Without the socket they are not:
 * cAdvisor would ask another about them, and drop what that one does not know.
 */
export async function openCadvisor(parts: Parts): Promise<CadvisorListener | undefined> {
  const { cadvisor, listenPath, socketMode: mode, socketUid: uid, socketGid: gid } = parts.config.current;
  const { log, placement } = parts;
  if (!cadvisor.crioCompat) return undefined;
  const { socketPath: path } = cadvisor;
  try {
    if (await isSamePlace(path, listenPath))
      fail('FailedPrecondition', `cadvisor.socket is ${path}, the place of listen, must be another: the CRI is served there too`);
    await mkdir(join(new DiskLayout(parts.config.current).noLayer, 'diff'), { recursive: true, mode: 0o755 });
    const listener = await CadvisorListener.bind({ path, mode, uid, gid }, cadvisorBackend(parts), log);
    placement.naming = 'crio';
    log.info("answering cAdvisor in CRI-O's place", { path });
    return listener;
  } catch (error) {
    tellNoNames(parts, error);
    return undefined;
  }
}

/** Shows the socket. Where that fails, the CRI is served all the same. @param serveCri takes a connection that speaks gRPC. */
export async function publishCadvisor(parts: Parts, listener: CadvisorListener, serveCri: (connection: Socket) => void): Promise<void> {
  try {
    await listener.publish(serveCri);
  } catch (error) {
    parts.placement.naming = 'own';
    tellNoNames(parts, error);
  }
}

function tellNoNames({ config, log, cadvisor }: Parts, error: unknown): void {
  cadvisor.fault = `${config.current.cadvisor.socketPath}: ${messageOf(error)}`;
  log.warn('cAdvisor gets no names of pods and containers, and new cgroups are named as without cadvisor.crio_compat', {
    path: config.current.cadvisor.socketPath,
    error: messageOf(error),
  });
}

/** Whether two paths are one: `/var/run` is a link to `/run` on most nodes. */
async function isSamePlace(one: string, other: string): Promise<boolean> {
  if (basename(one) !== basename(other)) return false;
  const directories = await Promise.all(
    [one, other].map(async (path) => {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      return realpath(dirname(path));
    }),
  );
  return directories[0] === directories[1];
}

function cadvisorBackend(parts: Parts): CadvisorBackend {
  const { containers, sandboxes, placement, config } = parts;
  const layout = new DiskLayout(config.current);
  return {
    storage: () => ({ root: layout.storage, images: layout.imageStorage, cgroupDriver: placement.driver }),
    find: (id) => {
      const container = containers.store.recordOf(id);
      if (container !== undefined) return containerFacts(parts, container);
      const sandbox = sandboxes.store.recordOf(id);
      return sandbox && podFacts(parts, sandbox, layout.noLayer);
    },
  };
}

function containerFacts(parts: Parts, record: ContainerRecord): ContainerFacts {
  const { containers, sandboxes, storage } = parts;
  const state = containers.store.get(record.id)?.state;
  const sandbox = sandboxes.store.recordOf(record.sandboxId);
  const { labels, annotations, metadata } = record.config;
  return {
    kind: 'container',
    name: crioNameOf(metadata, sandbox?.config.metadata),
    // One that awaits its restore has none, and pid 0.
    pid: state !== undefined && isAliveState(state) ? state.process.pid : undefined,
    image: imageSpec({ containers }, record)?.image ?? '',
    imageRef: record.imageRef,
    createdAtNs: record.createdAtNs,
    labels: { ...(sandbox && namesOf(sandbox)), 'io.kubernetes.container.name': metadata?.name ?? '', ...labels },
    annotations,
    logPath: record.logPath,
    root: storage.rootfs.directoryOf(record.id),
    sandboxId: record.sandboxId,
    ...networkOf(parts, sandbox),
  };
}

function podFacts(parts: Parts, record: SandboxRecord, root: string): ContainerFacts {
  const { labels, annotations, metadata } = record.config;
  return {
    kind: 'pod',
    name: crioNameOf({ name: 'POD', attempt: metadata?.attempt ?? 0 }, metadata),
    pid: pidOnNetworkOf(parts, record),
    image: POD_IMAGE,
    imageRef: '',
    createdAtNs: record.createdAtNs,
    labels: { ...namesOf(record), ...labels },
    annotations,
    logPath: '',
    root,
    sandboxId: record.id,
    ...networkOf(parts, record),
  };
}

/** The label `name` of cAdvisor's series; dashboards look for `k8s_` in it. */
function crioNameOf({ name, attempt } = NOBODY, pod: Partial<PodSandboxMetadata> = {}): string {
  return `k8s_${name}_${pod.name ?? ''}_${pod.namespace ?? ''}_${pod.uid ?? ''}_${attempt}`;
}

/** As the kubelet labels all that it makes; others may not. */
function namesOf({ config: { metadata } }: SandboxRecord): Readonly<Record<string, string>> {
  const { name = '', namespace = '', uid = '' } = metadata ?? {};
  return { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': namespace, 'io.kubernetes.pod.uid': uid };
}

function networkOf({ sandboxes }: Parts, sandbox: SandboxRecord | undefined): Pick<ContainerFacts, 'ips' | 'hostNetwork'> {
  const state = sandbox && sandboxes.store.get(sandbox.id)?.state;
  return { ips: state?.network.ips ?? [], hostNetwork: sandbox?.namespaces.net === 'node' };
}

/** The infra process, or that of a container which runs. */
function pidOnNetworkOf({ sandboxes, containers }: Parts, { id }: SandboxRecord): number | undefined {
  const state = sandboxes.store.get(id)?.state;
  if (state?.is !== 'Ready') return undefined;
  if (state.infra !== undefined) return state.infra.process.pid;
  const running = containers.ofSandbox(id).find((container) => container.state.is === 'Running');
  return running?.state.process.pid;
}
