import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDir } from 'fs-extra/esm';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import type { ContainerConfig, ContainerStatus, ExecSyncResponse, Init, NamespaceOption, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { CriError } from '../../src/cli/cri-client.ts';
import type { TestDaemon } from './daemon.ts';
import { IMAGES } from './test-image.ts';

/** What pods are run on: the tests' own daemon, or a node. */
export type PodHost = Pick<TestDaemon, 'runtime' | 'cgroup' | 'logDirectory'>;

/** A sandbox that runs, and what it was asked for with: CreateContainer wants the config again. */
export interface Pod {
  readonly id: string;
  readonly config: Init<PodSandboxConfig>;
}

export interface PodOptions {
  readonly name?: string;
  readonly uid?: string;
  readonly attempt?: number;
  readonly namespaces?: Init<NamespaceOption>;
  /** Replaces fields of the config as a whole. */
  readonly change?: Init<PodSandboxConfig>;
}

const DEFAULT_NAMESPACES = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD };

/** The config of a burstable pod as the kubelet sends it (pkg/kubelet/kuberuntime). */
export function podConfig(daemon: PodHost, options: PodOptions = {}): Init<PodSandboxConfig> {
  const { name = `pod-${randomUUID().slice(0, 8)}`, uid = randomUUID(), attempt = 0 } = options;
  return {
    metadata: { name, namespace: 'e2e', uid, attempt },
    hostname: name,
    logDirectory: join(daemon.logDirectory, `e2e_${name}_${uid}`),
    dnsConfig: { servers: ['10.96.0.10'], searches: ['e2e.svc.cluster.local', 'cluster.local'], options: ['ndots:5'] },
    labels: { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'e2e', 'io.kubernetes.pod.uid': uid },
    annotations: { 'kubernetes.io/config.seen': '2026-01-02T03:04:05.678901234Z', 'kubernetes.io/config.source': 'api' },
    linux: {
      cgroupParent: `${daemon.cgroup}/pod${uid}`,
      securityContext: {
        namespaceOptions: { ...DEFAULT_NAMESPACES, ...options.namespaces },
        seccomp: { profileType: 0, localhostRef: '' },
      },
      resources: { cpuPeriod: 100_000n, cpuShares: 102n, memoryLimitInBytes: 0n },
    },
    ...options.change,
  };
}

/** RunPodSandbox with such a config. */
export async function runPod(daemon: PodHost, options: PodOptions = {}): Promise<Pod> {
  const config = podConfig(daemon, options);
  const { podSandboxId } = await daemon.runtime.runPodSandbox({ config, runtimeHandler: '' });
  return { id: podSandboxId, config };
}

export interface ContainerOptions {
  readonly name?: string;
  readonly attempt?: number;
  readonly image?: string;
  readonly memoryBytes?: bigint;
  /** Image volumes: the image mounted at each path, all of it or a sub path. */
  readonly imageVolumes?: Readonly<Record<string, { readonly image: string; readonly subPath?: string }>>;
  /** Replaces fields of the config as a whole. */
  readonly change?: Init<ContainerConfig>;
}

const MASKED_PATHS = ['/proc/asound', '/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/scsi', '/sys/firmware'];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The config of a container that runs `command`, as the kubelet sends it; the log's directory and the mounts' sources are made. */
export async function containerConfig(
  pod: Pod,
  command: readonly string[],
  options: ContainerOptions = {},
): Promise<Init<ContainerConfig>> {
  const { name = 'main', attempt = 0, image = IMAGES.busybox } = options;
  const logDirectory = pod.config.logDirectory ?? '';
  const volumes = `${logDirectory}.volumes/${name}`;
  await ensureDir(join(logDirectory, name));
  await ensureDir(volumes);
  await writeFile(join(volumes, 'hosts'), '127.0.0.1 localhost\n10.0.0.1 from-the-kubelet\n');
  await writeFile(join(volumes, 'termination-log'), '');
  const mount = (containerPath: string, hostPath: string): Init<ContainerConfig['mounts'][number]> => ({
    containerPath,
    hostPath,
    readonly: false,
    selinuxRelabel: false,
    propagation: 0,
  });
  return {
    metadata: { name, attempt },
    image: { image, userSpecifiedImage: image },
    command,
    args: [],
    workingDir: '',
    envs: [{ key: 'FROM_KUBELET', value: Buffer.from('yes') }],
    mounts: [
      mount('/etc/hosts', join(volumes, 'hosts')),
      ...Object.entries(options.imageVolumes ?? {}).map(([path, { image: source, subPath = '' }]) => ({
        ...mount(path, ''),
        readonly: true,
        image: { image: source },
        imageSubPath: subPath,
      })),
      mount('/dev/termination-log', join(volumes, 'termination-log')),
    ],
    labels: {
      'io.kubernetes.container.name': name,
      'io.kubernetes.pod.name': pod.config.metadata?.name ?? '',
      'io.kubernetes.pod.namespace': 'e2e',
      'io.kubernetes.pod.uid': pod.config.metadata?.uid ?? '',
    },
    annotations: {
      'io.kubernetes.container.hash': 'c0ffee00',
      'io.kubernetes.container.restartCount': String(attempt),
      'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
      'io.kubernetes.container.terminationMessagePolicy': 'File',
      'io.kubernetes.pod.terminationGracePeriod': '30',
    },
    logPath: `${name}/${attempt}.log`,
    linux: {
      resources: {
        cpuPeriod: 100_000n,
        cpuShares: 102n,
        oomScoreAdj: 999n,
        memoryLimitInBytes: options.memoryBytes ?? 0n,
      },
      securityContext: {
        namespaceOptions: pod.config.linux?.securityContext?.namespaceOptions,
        runAsUser: undefined,
        noNewPrivs: false,
        maskedPaths: MASKED_PATHS,
        readonlyPaths: READONLY_PATHS,
        seccomp: { profileType: 0, localhostRef: '' },
      },
    },
    ...options.change,
  };
}

/** A shell command line for a container. */
export const shell = (script: string): readonly string[] => ['sh', '-c', script];

export async function createContainer(
  daemon: PodHost,
  pod: Pod,
  command: readonly string[],
  options: ContainerOptions = {},
): Promise<string> {
  const config = await containerConfig(pod, command, options);
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  return containerId;
}

/** CreateContainer and StartContainer. */
export async function runContainer(daemon: PodHost, pod: Pod, command: readonly string[], options: ContainerOptions = {}): Promise<string> {
  const containerId = await createContainer(daemon, pod, command, options);
  await daemon.runtime.startContainer({ containerId });
  return containerId;
}

/** ContainerStatus, as the kubelet needs it: what it would refuse is refused here too (cri-client, utils.go). */
export async function containerStatus(daemon: PodHost, containerId: string): Promise<ContainerStatus> {
  const { status } = await daemon.runtime.containerStatus({ containerId, verbose: false });
  assert.ok(status, `ContainerStatus ${containerId}: no status`);
  assert.equal(status.id, containerId);
  assert.notEqual(status.metadata?.name ?? '', '');
  assert.notEqual(status.createdAt, 0n);
  assert.notEqual(status.image?.image ?? '', '');
  assert.notEqual(status.imageRef, '');
  return status;
}

/** Waits until a container is in this state, asking ten times a second. */
export async function waitForState(daemon: PodHost, containerId: string, state: number, timeoutMs = 15_000): Promise<ContainerStatus> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const status = await containerStatus(daemon, containerId);
    if (status.state === state) return status;
    assert.ok(Date.now() < end, `container ${containerId}: state is still ${status.state} after ${timeoutMs} ms, must be ${state}`);
    await sleep(100);
  }
}

export const waitForExit = (daemon: PodHost, containerId: string, timeoutMs?: number): Promise<ContainerStatus> =>
  waitForState(daemon, containerId, ContainerState.CONTAINER_EXITED, timeoutMs);

/** Waits until `check` gives something true, asking ten times a second. */
export async function until<T>(what: string, check: () => Promise<T | undefined | false>, timeoutMs = 15_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    assert.ok(Date.now() < end, `${what}: not so after ${timeoutMs} ms`);
    await sleep(100);
  }
}

export interface LogLine {
  readonly time: string;
  readonly stream: string;
  readonly tag: string;
  readonly text: string;
}

/** The lines of a CRI log. Every line must be of its form (KEP "CRI logging"). */
export async function readLog(path: string): Promise<LogLine[]> {
  const content = await readFile(path, 'utf8');
  assert.ok(content === '' || content.endsWith('\n'), `${path}: the last line has no end`);
  return content
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) (.*)$/s.exec(line);
      assert.ok(match, `${path}: not a CRI log line: ${line}`);
      const [, time = '', stream = '', tag = '', text = ''] = match;
      return { time, stream, tag, text };
    });
}

/** What a container wrote, line by line. */
export async function outputOf(daemon: PodHost, containerId: string): Promise<string[]> {
  const { logPath } = await containerStatus(daemon, containerId);
  return linesOf(await readLog(logPath));
}

/** The lines of a log, each put together from its pieces. What the other stream wrote may stand between those. */
export function linesOf(pieces: readonly LogLine[]): string[] {
  const begun = new Map<string, string>();
  const lines: string[] = [];
  for (const { stream, tag, text } of pieces) {
    const whole = `${begun.get(stream) ?? ''}${text}`;
    if (tag !== 'P') lines.push(whole);
    begun.set(stream, tag === 'P' ? whole : '');
  }
  return [...lines, ...[...begun.values()].filter((text) => text !== '')];
}

/** Waits until a container has written this line. */
export async function waitForOutput(daemon: PodHost, containerId: string, text: string, timeoutMs?: number): Promise<void> {
  const seen = async (): Promise<boolean> => (await outputOf(daemon, containerId).catch(() => [])).some((line) => line.includes(text));
  await until(`container ${containerId} writes "${text}"`, seen, timeoutMs);
}

export async function execSync(daemon: PodHost, containerId: string, cmd: readonly string[], timeoutS = 10): Promise<ExecSyncResponse> {
  return daemon.runtime.execSync({ containerId, cmd, timeout: BigInt(timeoutS) });
}

/** What a command inside the container prints; it must succeed. */
export async function execOutput(daemon: PodHost, containerId: string, cmd: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await execSync(daemon, containerId, cmd);
  assert.equal(exitCode, 0, `${cmd.join(' ')}: exit ${exitCode}: ${Buffer.from(stderr).toString()}`);
  return Buffer.from(stdout).toString().trimEnd();
}

/** Stops and removes a sandbox with all that is in it. */
export async function removePod(daemon: PodHost, podSandboxId: string): Promise<void> {
  await daemon.runtime.stopPodSandbox({ podSandboxId });
  await daemon.runtime.removePodSandbox({ podSandboxId });
}

/** Removes every sandbox of the daemon. */
export async function removeAllPods(daemon: PodHost): Promise<void> {
  const { items } = await daemon.runtime.listPodSandbox({});
  for (const { id } of items) await removePod(daemon, id);
}

/** The address of a pod; it must have one. */
export async function podAddress(daemon: PodHost, podSandboxId: string): Promise<string> {
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId, verbose: false });
  assert.ok(status?.network?.ip, `pod sandbox ${podSandboxId}: no address`);
  return status.network.ip;
}

/** The page at a URL, asked for until it comes. */
export async function untilPage(url: string, timeoutMs?: number): Promise<string> {
  const ask = async (): Promise<string | undefined> => {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(1000) })).text();
    } catch {
      return undefined;
    }
  };
  return until(`a page at ${url}`, ask, timeoutMs);
}

/** The code and the runtime's words of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<{ code: CriError['code']; message: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CriError) return { code: error.code, message: error.details };
    throw error;
  }
  return assert.fail('the call succeeded, it must fail');
}
