/** A pod's life in the steps that the kubelet takes, by the CRI. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { Init, NamespaceOption, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { CriClient } from '../../src/cli/cri-client.ts';
import type { Times } from './times.ts';

export const CALL = { timeoutMs: 240_000 };
const SLEEP = ['sleep', '3600'];
/**
 * A probe comes long after a start. Within some 20 ms of one, the kernel moves a process between cgroups without the grace period of RCU that it
 * otherwise waits for (`percpu_down_write` of `cgroup_threadgroup_rwsem`), which is most of an exec.
 */
const REST_BEFORE_EXEC_MS = 100;
/** Another run may use the same runtime. */
const RUN = randomBytes(4).toString('hex');
let serial = 0;

/** What a pod has besides a network and an IPC namespace of its own. */
export interface PodKind {
  readonly words: string;
  readonly pid: number;
  readonly hasUserNamespace: boolean;
}

export const USUAL: PodKind = { words: '', pid: NamespaceMode.CONTAINER, hasUserNamespace: false };
export const SHARED_PID: PodKind = { words: ', shared PID', pid: NamespaceMode.POD, hasUserNamespace: false };
export const USER_NAMESPACE: PodKind = { words: ', user namespace', pid: NamespaceMode.CONTAINER, hasUserNamespace: true };

/** Where pods are made: of the CRI, or by the parts alone. */
export interface PodMaker {
  runPod(kind: PodKind): Promise<MadePod>;
}

export interface MadePod {
  /** Creates its container and starts it. */
  startContainer(): Promise<void>;
  /** Runs `true` in that. */
  exec(): Promise<void>;
  removeContainer(): Promise<void>;
  remove(): Promise<void>;
}

/** What pods are made with. */
export interface CriHost {
  readonly client: CriClient;
  readonly image: string;
  readonly logDirectory: string;
  /** The cgroup that stands for /kubepods. */
  readonly cgroup: string;
}

function namespacesOf({ pid, hasUserNamespace }: PodKind): Init<NamespaceOption> {
  const usual = { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid };
  // As the kubelet gives it: 65536 ids, of another range for each pod.
  const mapping = { hostId: 65536 * (1 + (serial % 1000)), containerId: 0, length: 65536 };
  return hasUserNamespace ? { ...usual, usernsOptions: { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] } } : usual;
}

function podConfig({ logDirectory, cgroup }: CriHost, kind: PodKind): Init<PodSandboxConfig> {
  serial += 1;
  const name = `bench-${serial}`;
  const uid = `${name}-${RUN}`;
  return {
    metadata: { name, namespace: 'bench', uid, attempt: 0 },
    hostname: name,
    logDirectory: join(logDirectory, String(serial)),
    labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'bench', 'io.kubernetes.pod.uid': uid },
    dnsConfig: { servers: ['10.0.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    linux: { cgroupParent: `${cgroup}/pod${uid}`, securityContext: { namespaceOptions: namespacesOf(kind), seccomp: { profileType: 0 } } },
  };
}

/** A pod by the CRI. */
export class CriPod implements MadePod {
  readonly id: string;
  containerId = '';
  readonly #started: string[] = [];
  readonly #host: CriHost;
  readonly #config: Init<PodSandboxConfig>;

  private constructor(host: CriHost, config: Init<PodSandboxConfig>, id: string) {
    this.#host = host;
    this.#config = config;
    this.id = id;
  }

  static async run(host: CriHost, kind: PodKind = USUAL): Promise<CriPod> {
    const config = podConfig(host, kind);
    // As the kubelet does.
    await mkdir(config.logDirectory ?? '', { recursive: true });
    const { podSandboxId } = await host.client.runtime.runPodSandbox({ config }, CALL);
    return new CriPod(host, config, podSandboxId);
  }

  async startContainer(name = 'c'): Promise<void> {
    const { image, client } = this.#host;
    const { containerId } = await client.runtime.createContainer(
      {
        podSandboxId: this.id,
        sandboxConfig: this.#config,
        config: {
          metadata: { name, attempt: 0 },
          // CRI-O refuses a container without the name that the user gave (the kubelet always sends it).
          image: { image, userSpecifiedImage: image },
          command: SLEEP,
          logPath: `${name}.log`,
          labels: { ...this.#config.labels, 'io.kubernetes.container.name': name },
          linux: {
            resources: { cpuPeriod: 100_000n, cpuShares: 102n },
            securityContext: { namespaceOptions: this.#config.linux?.securityContext?.namespaceOptions, seccomp: { profileType: 0 } },
          },
        },
      },
      CALL,
    );
    await client.runtime.startContainer({ containerId }, CALL);
    this.containerId = containerId;
    this.#started.push(containerId);
  }

  async exec(): Promise<void> {
    await this.#host.client.runtime.execSync({ containerId: this.containerId, cmd: ['true'], timeout: 60n }, CALL);
  }

  async removeContainer(): Promise<void> {
    const { runtime } = this.#host.client;
    await runtime.stopContainer({ containerId: this.containerId, timeout: 0n }, CALL);
    await runtime.removeContainer({ containerId: this.containerId }, CALL);
  }

  /** With its containers, which are killed: CRI-O gives them ten seconds otherwise, the others none. */
  async removeAll(): Promise<void> {
    for (const containerId of this.#started) await this.#host.client.runtime.stopContainer({ containerId, timeout: 0n }, CALL);
    await this.remove();
  }

  async remove(): Promise<void> {
    const { runtime } = this.#host.client;
    await runtime.stopPodSandbox({ podSandboxId: this.id }, CALL);
    await runtime.removePodSandbox({ podSandboxId: this.id }, CALL);
  }
}

/** One pod's life, each step under its name. */
export async function podLife(maker: PodMaker, times: Times, kind = USUAL, prefix = ''): Promise<void> {
  const measure = async <T>(what: string, work: () => Promise<T>): Promise<T> => times.measure(`${prefix}${what}${kind.words}`, work);
  const pod = await measure('RunPodSandbox', async () => maker.runPod(kind));
  if (kind.pid !== NamespaceMode.POD) {
    await measure('Create + Start', async () => pod.startContainer());
    await sleep(REST_BEFORE_EXEC_MS);
    await measure('ExecSync true', async () => pod.exec());
    await measure('Stop + Remove container', async () => pod.removeContainer());
  }
  await measure('StopPod + RemovePod', async () => pod.remove());
}
