/**
 * Runs one pod with one container, as the kubelet would, over the CRI socket of a daemon of its own, and shows each step
 * with its time as it happens. Leaves nothing behind. Started by scripts/demo.sh.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { outputJson, remove } from 'fs-extra/esm';
import { NamespaceMode } from '../api/cri/enums.ts';
import type { Init, PodSandboxConfig } from '../api/cri/runtime.ts';
import { connect } from '../src/cli/cri-client.ts';
import type { CriClient } from '../src/cli/cri-client.ts';
import { DEMO_IMAGE_NAME, demoImage, ociArchive } from './make-demo-image.ts';

const PROGRAM = join(import.meta.dirname, '../bin/podwright');
const BRIDGE = 'podwright-demo';
const SUBNET = '10.86.0.0/24';
const POD_UID = '5f0b3c1e-demo';
const STEP_TIMEOUT_MS = 60_000;
const limit = { timeoutMs: STEP_TIMEOUT_MS };

const startedAt = performance.now();

/** Shows what has happened, with the seconds since the start. */
function show(what: string, ...details: readonly string[]): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(2).padStart(6);
  process.stdout.write(`${seconds} s  ${what.padEnd(18)} ${details.join('  ')}\n`);
}

interface Demo {
  readonly directory: string;
  readonly socket: string;
  readonly client: CriClient;
  readonly daemon: ChildProcess;
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'podwright-demo-'));
  const socket = join(directory, 'podwright.sock');
  let daemon: ChildProcess | undefined;
  const client = connect(socket);
  try {
    daemon = await startDaemon(directory, socket);
    const demo = { directory, socket, client, daemon };
    await untilReady(demo);
    await loadImage(demo);
    await runPod(demo);
  } catch (error) {
    process.stderr.write(await readFile(join(directory, 'daemon.log'), 'utf8').catch(() => ''));
    await removePods(client).catch(() => undefined);
    throw error;
  } finally {
    client.close();
    await stopDaemon(daemon);
    await removeTraces(directory);
  }
  show('done', 'nothing of it is left');
}

async function startDaemon(directory: string, socket: string): Promise<ChildProcess> {
  await writeFile(join(directory, 'podwright.toml'), '');
  await outputJson(join(directory, 'cni/10-demo.conflist'), network(directory));
  const log = await open(join(directory, 'daemon.log'), 'w');
  const flags = [
    ['--config', join(directory, 'podwright.toml')],
    ['--root', join(directory, 'root')],
    ['--run-dir', join(directory, 'run')],
    ['--listen', socket],
    ['--nri-listen', join(directory, 'nri.sock')],
    ['--cni-conf-dir', join(directory, 'cni')],
    ['--cgroup-manager', 'cgroupfs'],
  ];
  const daemon = spawn(PROGRAM, ['serve', ...flags.flat()], { stdio: ['ignore', log.fd, log.fd], detached: true });
  await log.close();
  show('podwright serve', `pid ${daemon.pid ?? 0}`, `unix://${socket}`);
  return daemon;
}

/** A bridge network that only the demo uses. */
function network(directory: string): object {
  const ipam = {
    type: 'host-local',
    dataDir: join(directory, 'addresses'),
    ranges: [[{ subnet: SUBNET }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const bridge = { type: 'bridge', bridge: BRIDGE, isGateway: true, ipMasq: true, hairpinMode: true, ipam };
  return { cniVersion: '1.0.0', name: BRIDGE, plugins: [bridge] };
}

async function untilReady({ client, daemon }: Demo): Promise<void> {
  const end = Date.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const status = await client.runtime.status({}, { timeoutMs: 1000 }).catch(() => undefined);
    const conditions = status?.status?.conditions ?? [];
    if (conditions.length > 0 && conditions.every((condition) => condition.status)) {
      show('Status', conditions.map((condition) => `${condition.type} ${String(condition.status)}`).join(', '));
      return;
    }
    if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode} while it started`);
    if (Date.now() > end) throw new Error(`the daemon is not ready after ${STEP_TIMEOUT_MS / 1000} s: ${JSON.stringify(conditions)}`);
    await sleep(50);
  }
}

async function loadImage({ directory, client }: Demo): Promise<void> {
  const archive = join(directory, 'image.tar');
  await writeFile(archive, ociArchive([await demoImage()]));
  show('image made', DEMO_IMAGE_NAME, "from this machine's busybox");
  const flags = ['--config', join(directory, 'podwright.toml'), '--run-dir', join(directory, 'run')];
  await execa(PROGRAM, ['image', 'load', archive, ...flags]);
  const { image } = await client.image.imageStatus({ image: { image: DEMO_IMAGE_NAME } }, limit);
  if (image === undefined) throw new Error(`${DEMO_IMAGE_NAME} was loaded, but ImageStatus does not know it`);
  show('ImageStatus', image.id.slice(0, 19), `${(Number(image.size) / 1e6).toFixed(1)} MB`);
}

async function runPod({ directory, client }: Demo): Promise<void> {
  const { runtime } = client;
  const version = await runtime.version({}, limit);
  show('Version', `${version.runtimeName} ${version.runtimeVersion}`, `CRI ${version.runtimeApiVersion}`);

  const sandboxConfig = podConfig(directory);
  const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig }, limit);
  const { status } = await runtime.podSandboxStatus({ podSandboxId }, limit);
  const address = status?.network?.ip ?? '';
  show('RunPodSandbox', podSandboxId.slice(0, 13), `address ${address}`);

  const config = {
    metadata: { name: 'web' },
    image: { image: DEMO_IMAGE_NAME },
    logPath: 'web/0.log',
    linux: { securityContext: namespaces() },
  };
  const { containerId } = await runtime.createContainer({ podSandboxId, config, sandboxConfig }, limit);
  show('CreateContainer', containerId.slice(0, 13), 'busybox httpd');
  await runtime.startContainer({ containerId }, limit);
  show('StartContainer', containerId.slice(0, 13));

  const page = await fetchPage(`http://${address}/`);
  show('HTTP', `http://${address}/`, '->', page.trim());
  const uname = await runtime.execSync({ containerId, cmd: ['hostname'], timeout: 10n }, limit);
  show('ExecSync', 'hostname', '->', Buffer.from(uname.stdout).toString().trim());
  const { status: running } = await runtime.containerStatus({ containerId }, limit);
  await showLog(running?.logPath ?? '');

  await runtime.stopContainer({ containerId, timeout: 2n }, limit);
  const { status: ended } = await runtime.containerStatus({ containerId }, limit);
  show('StopContainer', `exit code ${ended?.exitCode ?? -1}`, ended?.reason ?? '');
  await runtime.removeContainer({ containerId }, limit);
  show('RemoveContainer', containerId.slice(0, 13));
  await runtime.stopPodSandbox({ podSandboxId }, limit);
  show('StopPodSandbox', `address ${address} is free`);
  await runtime.removePodSandbox({ podSandboxId }, limit);
  show('RemovePodSandbox', podSandboxId.slice(0, 13));
}

/** Namespaces as the kubelet asks for them: the pod's own network and IPC, a PID namespace for each container. */
function namespaces(): { namespaceOptions: { network: number; pid: number; ipc: number } } {
  return { namespaceOptions: { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.POD } };
}

function podConfig(directory: string): Init<PodSandboxConfig> {
  const metadata = { name: 'demo', namespace: 'default', uid: POD_UID, attempt: 0 };
  return {
    metadata,
    hostname: 'demo',
    logDirectory: join(directory, `pods/default_demo_${POD_UID}`),
    labels: { 'io.kubernetes.pod.name': 'demo', 'io.kubernetes.pod.namespace': 'default', 'io.kubernetes.pod.uid': POD_UID },
    linux: { cgroupParent: `/podwright-demo/pod${POD_UID}`, securityContext: namespaces() },
  };
}

async function fetchPage(url: string): Promise<string> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      return await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
    } catch (error) {
      if (Date.now() > end) throw new Error(`${url} does not answer`, { cause: error });
      await sleep(50);
    }
  }
}

async function showLog(path: string): Promise<void> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  show('log', path);
  for (const line of lines) process.stdout.write(`${' '.repeat(10)}  | ${line}\n`);
}

/** What a demo that failed half-way has left running. */
async function removePods({ runtime }: CriClient): Promise<void> {
  const { items } = await runtime.listPodSandbox({}, { timeoutMs: 10_000 });
  for (const { id } of items) await runtime.removePodSandbox({ podSandboxId: id }, { timeoutMs: 60_000 });
}

async function stopDaemon(daemon: ChildProcess | undefined): Promise<void> {
  if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exit = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await exit;
  show('podwright stopped');
}

/** Takes away what the demo made outside the daemon, and fails where something of the pod is left. */
async function removeTraces(directory: string): Promise<void> {
  await execa('ip', ['link', 'delete', BRIDGE]).catch(() => undefined);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(` ${directory}/`));
  if (mounts.length > 0) throw new Error(`mounts are left:\n${mounts.join('\n')}`);
  for (const hierarchy of await cgroupHierarchies()) await rmdir(join(hierarchy, 'podwright-demo')).catch(() => undefined);
  await remove(directory);
}

async function cgroupHierarchies(): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.flatMap((line) => (/ - cgroup2? /.test(line) ? (line.split(' ')[4] ?? []) : []));
}

await main();
