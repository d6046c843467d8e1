import assert from 'node:assert/strict';
import { configureCadvisor } from '../../support/cadvisor.ts';
import { Skipped } from '../../support/outcomes.ts';
import { until } from '../../support/pods.ts';
import type { Case } from './cases.ts';
import { untilSummaryIsWhole } from './node-cases.ts';
import { cadvisorSeries, compareSeries, readCrioSeries, SEEN_PODS, summarySeries } from './node-series.ts';
import { container, NODE_NAME, pod, SLEEP } from './pods.ts';
import { containerOf, hierarchies, idOf } from './world.ts';
import type { World } from './world.ts';

/** One after the other, on a pod that stays from case to case: docs/cadvisor.md. */
export const CADVISOR_CASES: readonly Case[] = [
  { name: 'crio_compat: /metrics/cadvisor and stats summary have names and networks', run: switchOn },
  { name: 'crio_compat: /metrics/cadvisor and stats summary have all that a CRI-O node has', run: compareWithCrio },
  { name: 'crio_compat: the same after a kill of the daemon, for a container that was made anew', run: afterKill },
  { name: "crio_compat: the same with CRI-O's socket as the endpoint", run: withEndpointOfCrio },
  { name: 'crio_compat: it is switched off under the pod', run: switchOff },
];

const NAME = 'cadvised';
const IMAGE = 'localhost/podwright-test/busybox:1';
/** cAdvisor looks at what is on the disk once a minute. */
const WHOLE_MS = 120_000;

/** The series of containers that a kubelet of version 1.37 has of CRI-O's, but for those that depend on the machine. */
const OF_CONTAINER = [
  'container_cpu_usage_seconds_total',
  'container_fs_limit_bytes',
  'container_fs_usage_bytes',
  'container_last_seen',
  'container_memory_cache',
  'container_memory_rss',
  'container_memory_usage_bytes',
  'container_memory_working_set_bytes',
  'container_processes',
  'container_spec_cpu_period',
  'container_spec_cpu_shares',
  'container_spec_memory_limit_bytes',
  'container_start_time_seconds',
  'container_threads',
];
const OF_NETWORK = ['receive', 'transmit'].flatMap((way) =>
  ['bytes', 'packets', 'errors', 'packets_dropped'].map((what) => `container_network_${way}_${what}_total`),
);

/** A line of a page of metrics: the series' name and its labels. */
type Series = Readonly<Record<string, string>> & { readonly series: string };

function seriesOf(page: string): Series[] {
  return [...page.matchAll(/^(\w+)\{(.*)\} \S+/gm)].map(([, series = '', labels = '']) => ({
    series,
    ...Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value])),
  }));
}

/** The names of series that are not there for the pod as they must be. */
async function missing(world: World): Promise<string[]> {
  const { containers } = await world.untilReady(NAME);
  const all = seriesOf(await world.kubelet.get('/metrics/cadvisor')).filter((one) => one['pod'] === `${NAME}-${NODE_NAME}`);
  const has = (series: string, labels: Readonly<Record<string, string>>): boolean =>
    all.some((one) => one.series === series && Object.entries(labels).every(([name, value]) => one[name] === value));
  const common = { namespace: 'default' };
  const ofContainers = containers.flatMap((view) =>
    OF_CONTAINER.filter((series) => {
      const found = all.find((one) => one.series === series && one['container'] === view.name && one['id']?.includes(idOf(view)) === true);
      return found?.['image'] !== IMAGE || found['name']?.startsWith(`k8s_${view.name}_${NAME}-`) !== true;
    }).map((series) => `${series} of ${view.name}`),
  );
  const ofNetwork = OF_NETWORK.filter((series) => !has(series, { ...common, container: 'POD', interface: 'eth0' }));
  const ofPod = has('container_memory_working_set_bytes', { ...common, container: '', image: '' }) ? [] : ['the figures of the pod itself'];
  return [...ofContainers, ...ofNetwork, ...ofPod];
}

async function untilNothingIsMissing(world: World): Promise<void> {
  let lacks: readonly string[] = [];
  const look = async (): Promise<boolean> => {
    lacks = await missing(world);
    return lacks.length === 0;
  };
  await until('/metrics/cadvisor is whole', look, WHOLE_MS).catch((error: unknown) => {
    throw new Error(`/metrics/cadvisor lacks ${lacks.join(', ')}`, { cause: error });
  });
}

async function restart(world: World, isOn: boolean): Promise<void> {
  await world.withDaemonDown('SIGTERM', async () => configureCadvisor(world.daemon, isOn, world.kubelet.crioSocket));
  await world.kubelet.stop();
  await world.kubelet.start();
}

async function switchOn(world: World): Promise<void> {
  await restart(world, true);
  const main = container('main', `head -c 1000000 /dev/zero >/written; ${SLEEP}`, { resources: { limits: { memory: '64Mi', cpu: '1' } } });
  await world.kubelet.apply(pod(NAME, [main, container('second', SLEEP)]));
  await world.untilReady(NAME);
  await untilNothingIsMissing(world);
  await untilSummaryIsWhole(world, [], NAME);
}

/** What the list of a CRI-O node and ours do not have in common: docs/cadvisor.md. */
async function compareWithCrio(world: World): Promise<void> {
  if ((await hierarchies()).includes('')) throw new Skipped('the list of a CRI-O node was recorded with cgroup v1');
  const recorded = await readCrioSeries();
  for (const manifest of SEEN_PODS) await world.kubelet.apply(manifest);
  for (const { metadata } of SEEN_PODS) await world.untilReady(metadata.name);
  let words = 'nothing was compared';
  const isSame = async (): Promise<boolean> => {
    const cadvisor = cadvisorSeries(await world.kubelet.get('/metrics/cadvisor'), world.daemon.cgroup);
    const { missing, further } = compareSeries(recorded.cadvisor, cadvisor);
    const summary = compareSeries(recorded.summary, summarySeries(await world.kubelet.get('/stats/summary')));
    words = [...missing, ...summary.missing].map((one) => `lacks ${one}`).concat(further.map((one) => `has ${one}`)).join('\n'); // prettier-ignore
    return words === '';
  };
  await until('the lists are the same', isSame, WHOLE_MS).catch((error: unknown) => {
    throw new Error(`beside a node with ${recorded.recordedWith} this one\n${words}`, { cause: error });
  });
  for (const { metadata } of SEEN_PODS) await world.kubelet.removeManifest(metadata.name);
  for (const { metadata } of SEEN_PODS) await world.untilGone(metadata.name);
}

async function afterKill(world: World): Promise<void> {
  await world.withDaemonDown('SIGKILL', async () => Promise.resolve());
  const before = idOf(containerOf(await world.untilReady(NAME), 'main'));
  // The kubelet may be without its runtime yet, whatever it has in its status.
  await until('the kubelet runs commands again', async () => world.run(NAME, 'main', 'true').then(() => true, () => false)); // prettier-ignore
  await world.run(NAME, 'main', 'kill', '1').catch(() => undefined); // it takes the command along
  await world.untilPod(NAME, 'made anew', (one) => one.ready && idOf(containerOf(one, 'main')) !== before);
  await untilNothingIsMissing(world);
}

async function withEndpointOfCrio(world: World): Promise<void> {
  await world.kubelet.stop();
  await world.kubelet.start({ containerRuntimeEndpoint: 'unix:///var/run/crio/crio.sock' });
  await untilNothingIsMissing(world);
  await untilSummaryIsWhole(world, [], NAME);
}

async function switchOff(world: World): Promise<void> {
  const before = await world.untilReady(NAME);
  await restart(world, false);
  const after = await world.untilReady(NAME);
  assert.deepEqual(after.containers.map(idOf), before.containers.map(idOf));
  await world.kubelet.removeManifest(NAME);
  await world.untilGone(NAME);
}
