import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remove } from 'fs-extra/esm';
import { until } from '../../support/pods.ts';
import type { Case } from './cases.ts';
import { container, NODE_NAME, pod, SLEEP } from './pods.ts';
import type { PodManifest, PodStatus } from './pods.ts';
import { hasUserNamespaces } from './user-namespace-cases.ts';
import { containerOf, idOf } from './world.ts';
import type { World } from './world.ts';

/** How long the kubelet needs to have looked at every pod again after something has ended under it, milliseconds. */
const SETTLED_MS = 15_000;

/** What happens to the whole node; one after the other, on pods that stay from case to case. */
export const NODE_CASES: readonly Case[] = [
  { name: 'pods that stay are started', run: startStaying },
  { name: 'the kubelet is restarted', run: async (world) => undisturbed(world, () => restartKubelet(world, 'SIGTERM')) },
  { name: 'the kubelet is killed', run: async (world) => undisturbed(world, () => restartKubelet(world, 'SIGKILL')) },
  { name: 'the daemon is restarted', run: async (world) => undisturbed(world, () => restartDaemon(world, 'SIGTERM')) },
  { name: 'the daemon is killed', run: async (world) => undisturbed(world, () => restartDaemon(world, 'SIGKILL')) },
  { name: 'a container ends while the daemon is down', run: endWhileDown },
  { name: 'a manifest goes while the daemon is down', run: deleteWhileDown },
  { name: 'daemon and kubelet are killed together', run: async (world) => undisturbed(world, () => killBoth(world)) },
  { name: 'stats summary and /metrics/cadvisor with cAdvisor', run: statsByCadvisor },
  { name: 'stats summary with PodAndContainerStatsFromCRI', run: statsFromCri },
  { name: '/metrics/cadvisor with PodAndContainerStatsFromCRI', run: metricsFromCri },
  { name: 'ends are told by events with EventedPLEG', run: endsByEvents },
];

const STAYING = ['stay-one', 'stay-two'];
/** The one of them that has a user namespace, where the runtime can. */
const MAPPED = 'stay-two';

/** @param hostUsers false: with a user namespace, whose ids must be the same after whatever happened. */
function staying(name: string, hostUsers: boolean): PodManifest {
  const probe = { exec: { command: ['true'] }, periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 20 };
  const main = container('main', `echo started; ${SLEEP}`, {
    livenessProbe: probe,
    resources: { limits: { memory: '64Mi' } },
    volumeMounts: [{ name: 'memory', mountPath: '/memory' }],
  });
  const once = container('once', 'echo ran', {});
  return pod(name, [main, container('second', SLEEP)], {
    initContainers: [once],
    volumes: [{ name: 'memory', emptyDir: { medium: 'Memory' } }],
    ...(hostUsers ? {} : { hostUsers }),
  });
}

async function startStaying(world: World): Promise<void> {
  const canMap = await hasUserNamespaces(world);
  for (const name of STAYING) await world.kubelet.apply(staying(name, !canMap || name !== MAPPED));
  for (const name of STAYING) await world.untilReady(name);
}

/** What must be the same before and after. */
async function identities(world: World): Promise<unknown[]> {
  const pods: PodStatus[] = [];
  for (const name of STAYING) pods.push(await world.untilReady(name));
  return Promise.all(
    pods.map(async (one) => ({
      name: one.name,
      uid: one.uid,
      podIP: one.podIP,
      ids: await world.run(one.name, 'main', 'cat', '/proc/self/uid_map'),
      sandboxes: await world.sandboxesOf(one.name),
      containers: [...one.containers, ...one.initContainers].map((view) => ({
        name: view.name,
        id: idOf(view),
        restartCount: view.restartCount,
        startedAt: view.state.running?.startedAt ?? view.state.terminated?.startedAt,
      })),
    })),
  );
}

/** The pods that stay must not notice the work: same sandboxes, same containers, started when they were, still answering. */
async function undisturbed(world: World, work: () => Promise<void>): Promise<void> {
  const before = await identities(world);
  await work();
  await sleep(SETTLED_MS);
  assert.deepEqual(await identities(world), before);
  for (const name of STAYING) {
    await world.run(name, 'main', 'touch', '/memory/still-writable');
    assert.equal(await world.log(name, 'main'), 'started\n');
  }
}

async function restartKubelet(world: World, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  await world.kubelet.stop(signal);
  await world.kubelet.start();
}

async function restartDaemon(world: World, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  await world.withDaemonDown(signal, () => sleep(3000));
}

async function killBoth(world: World): Promise<void> {
  await world.withDaemonDown('SIGKILL', () => world.kubelet.stop('SIGKILL'));
  await world.kubelet.start();
}

async function endWhileDown(world: World): Promise<void> {
  const host = join(world.hostDirectory, 'end-while-down');
  await mkdir(host);
  const main = container('main', 'while [ ! -e /host/go ]; do sleep 0.2; done; printf "ended alone" > /dev/termination-log; exit 9', {
    volumeMounts: [{ name: 'host', mountPath: '/host' }],
  });
  const manifest = pod('ends-alone', [main], { restartPolicy: 'Never', volumes: [{ name: 'host', hostPath: { path: host } }] });
  await world.withPod(manifest, async (name) => {
    await world.untilReady(name);
    let begun = 0;
    await world.withDaemonDown('SIGKILL', async () => {
      begun = Date.now();
      await writeFile(join(host, 'go'), '');
      await sleep(4000);
    });
    const ended = await world.untilPod(name, 'Failed', (one) => one.phase === 'Failed');
    const { terminated } = containerOf(ended).state;
    assert.deepEqual([terminated?.exitCode, terminated?.reason, terminated?.message], [9, 'Error', 'ended alone']);
    const after = Number(terminated?.finishedAt) - begun;
    assert.ok(after > -1500 && after < 4000, `finished ${after} ms after it was told to, must be while the daemon was down`);
  });
}

async function deleteWhileDown(world: World): Promise<void> {
  await world.kubelet.apply(pod('deleted-down', [container('main', SLEEP)]));
  await world.untilReady('deleted-down');
  await world.withDaemonDown('SIGTERM', async () => {
    await world.kubelet.removeManifest('deleted-down');
    await sleep(4000);
  });
  await world.untilGone('deleted-down');
}

interface Summary {
  readonly node: { readonly runtime?: { readonly imageFs?: { readonly usedBytes?: number } } };
  readonly pods: readonly PodSummary[];
}

interface PodSummary {
  readonly podRef: { readonly name: string };
  readonly network?: { readonly rxBytes?: number };
  readonly memory?: { readonly workingSetBytes?: number };
  readonly cpu?: { readonly usageCoreNanoSeconds?: number };
  readonly containers?: readonly {
    readonly name: string;
    readonly cpu?: { readonly usageCoreNanoSeconds?: number; readonly usageNanoCores?: number };
    readonly memory?: { readonly workingSetBytes?: number; readonly availableBytes?: number };
    readonly rootfs?: { readonly usedBytes?: number; readonly inodesUsed?: number };
    readonly logs?: { readonly usedBytes?: number };
  }[];
}

/** What is missing in the summary of a pod; empty when all is there. The kubelet has none in its first seconds. */
async function missingInSummary(world: World, podName: string): Promise<string[]> {
  const { node, pods } = JSON.parse(await world.kubelet.get('/stats/summary')) as Summary;
  const found = pods.find(({ podRef }) => podRef.name.startsWith(`${podName}-`));
  const main = found?.containers?.find(({ name }) => name === 'main');
  const values = {
    'image file system': node.runtime?.imageFs?.usedBytes,
    'pod memory': found?.memory?.workingSetBytes,
    'pod cpu': found?.cpu?.usageCoreNanoSeconds,
    'pod network': found?.network?.rxBytes,
    cpu: main?.cpu?.usageCoreNanoSeconds,
    'nano cores': main?.cpu?.usageNanoCores,
    memory: main?.memory?.workingSetBytes,
    'available memory': main?.memory?.availableBytes,
    'root file system': main?.rootfs?.usedBytes,
    'inodes of the root file system': main?.rootfs?.inodesUsed,
    log: main?.logs?.usedBytes,
  };
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [name] : []));
}

/** @param except what this way of collecting does not have. */
export async function untilSummaryIsWhole(world: World, except: readonly string[] = [], podName = 'stay-one'): Promise<void> {
  let missing = ['an answer'];
  await until(
    'the stats summary is whole',
    async () => {
      missing = (await missingInSummary(world, podName).catch((error: unknown) => [String(error)])).filter(
        (name) => !except.includes(name),
      );
      return missing.length === 0;
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`the stats summary lacks ${missing.join(', ')}`, { cause: error });
  });
}

async function statsByCadvisor(world: World): Promise<void> {
  // cAdvisor has a pod's network only where it knows the runtime's infra container: containerd's and CRI-O's.
  await untilSummaryIsWhole(world, ['pod network']);
  const id = idOf(containerOf(await world.untilReady('stay-one')));
  const wanted = new RegExp(`^container_memory_working_set_bytes\\{[^}]*id="[^"]*${id}"[^}]*\\} [1-9]`, 'm');
  await until('/metrics/cadvisor has our container', async () => wanted.test(await world.kubelet.get('/metrics/cadvisor')), 60_000);
}

async function statsFromCri(world: World): Promise<void> {
  const before = await identities(world);
  await restartWithCriStats(world);
  await untilSummaryIsWhole(world);
  assert.deepEqual(await identities(world), before);
}

async function metricsFromCri(world: World): Promise<void> {
  const view = containerOf(await world.untilReady('stay-one'));
  const page = await world.kubelet.get('/metrics/cadvisor');
  const labelled = (name: string, ...labels: readonly string[]): RegExp =>
    new RegExp(`^${name}\\{${labels.map((label) => `(?=[^}]*\\b${label}[,}])`).join('')}[^}]*\\} [1-9]`, 'm');
  const ofPod = [`pod="stay-one-${NODE_NAME}"`, 'namespace="default"'];
  const ofContainer = [...ofPod, `name="${idOf(view)}"`, 'container="main"'];
  for (const name of ['container_memory_working_set_bytes', 'container_processes', 'container_fs_limit_bytes', 'container_last_seen']) {
    assert.match(page, labelled(name, ...ofContainer));
  }
  assert.match(page, labelled('container_memory_working_set_bytes', ...ofPod, 'container=""'));
  assert.match(page, labelled('container_network_receive_bytes_total', ...ofPod, 'interface="eth0"'));
  const served = new Set([...page.matchAll(/^# TYPE (container_\w+) /gm)].map(([, name]) => name));
  const { descriptors } = await world.daemon.runtime.listMetricDescriptors({});
  const strange = [...served].filter((name) => !descriptors.some((one) => one.name === name) && name !== 'container_scrape_error');
  assert.deepEqual(strange, [], 'series that are not ours');
}

async function endsByEvents(world: World): Promise<void> {
  const before = await identities(world);
  await restartWithGates(world, { EventedPLEG: true });
  const once = pod('by-events', [container('main', 'sleep 2; exit 4')], { restartPolicy: 'Never' });
  await world.withPod(once, async (name) => {
    const ended = await world.untilPod(name, 'Failed', (one) => one.phase === 'Failed');
    assert.equal(containerOf(ended).state.terminated?.exitCode, 4);
  });
  const metrics = await world.kubelet.get('/metrics');
  const of = (name: string): number => Number(new RegExp(`^kubelet_evented_pleg_${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0);
  assert.deepEqual([of('connection_success_count'), of('connection_error_count')], [1, 0]);
  assert.ok(of('connection_latency_seconds_count') >= 5, `${of('connection_latency_seconds_count')} events`);
  assert.deepEqual(await identities(world), before);
}

async function restartWithCriStats(world: World): Promise<void> {
  await restartWithGates(world, { PodAndContainerStatsFromCRI: true });
}

async function restartWithGates(world: World, featureGates: Readonly<Record<string, boolean>>): Promise<void> {
  await world.kubelet.stop();
  await world.kubelet.start({ featureGates });
}

/** Removes what stays and looks for what the kubelet or the daemon have left of it. */
export async function removeEverything(world: World): Promise<void> {
  await world.kubelet.removeAllManifests();
  await until('no pod is left', async () => (await world.kubelet.pods()).length === 0, 120_000);
  const nothing = async (): Promise<boolean> => {
    const { items } = await world.daemon.runtime.listPodSandbox({});
    const { containers } = await world.daemon.runtime.listContainers({});
    return items.length === 0 && containers.length === 0;
  };
  await until('no sandbox and no container is left', nothing, 120_000);
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const left = mounts.split('\n').filter((line) => line.includes(`${world.kubelet.root}/`));
  assert.deepEqual(left, [], 'mounts below the kubelet are left');
  await until('no cgroup of a pod is left', async () => (await podCgroups(world)).length === 0, 60_000);
  await remove(world.hostDirectory);
}

async function podCgroups(world: World): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of ['', ...(await readdir('/sys/fs/cgroup'))]) {
    const below = await readdir(join('/sys/fs/cgroup', hierarchy, world.kubelet.cgroup), { recursive: true }).catch(() => []);
    found.push(...below.filter((path) => /(^|\/)pod[0-9a-f]{32}$/.test(path)));
  }
  return found;
}
