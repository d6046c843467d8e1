/**
 * Records which series a kubelet has of the same static pods on a CRI-O node: the list that `npm run test:kubelet` compares
 * ours with. Root, skopeo, a network namespace with an IPv4 address.
 *
 *     CRIO=/path/to/crio PINNS=/path/to/pinns node scripts/record-crio-series.ts [FILE]
 *
 * FILE is test/fixtures/crio-node-series.json where it is left out. docs/cadvisor.md says with what it was recorded.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { remove } from 'fs-extra/esm';
import { clusterProgram } from '../test/cluster/programs.ts';
import { CrioNode } from '../test/e2e/kubelet/crio.ts';
import { TestKubelet } from '../test/e2e/kubelet/kubelet.ts';
import { cadvisorSeries, SEEN_PODS, summarySeries, type NodeSeries } from '../test/e2e/kubelet/node-series.ts';

const { CRIO: crio, PINNS: pinns } = process.env;
if (crio === undefined || pinns === undefined) throw new Error('CRIO and PINNS must name the programs of CRI-O');
const file = process.argv[2] ?? join(import.meta.dirname, '../test/fixtures/crio-node-series.json');
/** cAdvisor looks at what is on the disk once a minute: a list that has not grown for longer is whole. */
const WHOLE_MS = 130_000;
const POLL_MS = 5_000;

const { path: program, version } = await clusterProgram('kubelet', tell);
const directory = await mkdtemp(join(tmpdir(), 'crio-series-'));
const cgroupRoot = `/crio-series-${randomBytes(4).toString('hex')}`;
const kubelet = new TestKubelet({ program, directory: join(directory, 'kubelet'), socket: '/var/run/crio/crio.sock', cgroupRoot });
const node = new CrioNode({ crio, pinns, directory: join(directory, 'crio'), socket: kubelet.crioSocket });
try {
  await kubelet.prepare();
  await node.start();
  await kubelet.start();
  for (const manifest of SEEN_PODS) await kubelet.apply(manifest);
  const { cadvisor, summary } = await untilWhole();
  const recordedWith = `CRI-O ${await node.version()}, kubelet ${version}`;
  await writeFile(file, `${JSON.stringify({ recordedWith, cadvisor, summary } satisfies NodeSeries, undefined, 1)}\n`);
  tell(`${file}: ${cadvisor.length} series, ${summary.length} figures of the summary, of ${recordedWith}`);
  await kubelet.removeAllManifests();
  while ((await kubelet.pods()).length > 0) await sleep(1000);
} finally {
  await kubelet.stop();
  await node.destroy();
  await kubelet.destroy();
  await remove(directory);
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function untilWhole(): Promise<Omit<NodeSeries, 'recordedWith'>> {
  let last: Omit<NodeSeries, 'recordedWith'> = { cadvisor: [], summary: [] };
  let since = Date.now();
  while (Date.now() - since < WHOLE_MS) {
    await sleep(POLL_MS);
    const isReady = (await kubelet.pods()).filter(({ ready }) => ready).length === SEEN_PODS.length;
    const cadvisor = cadvisorSeries(await kubelet.get('/metrics/cadvisor'), cgroupRoot);
    const summary = summarySeries(await kubelet.get('/stats/summary').catch(() => '{"node":{},"pods":[]}'));
    const isSame = cadvisor.length === last.cadvisor.length && summary.length === last.summary.length;
    if (!isReady || !isSame) since = Date.now();
    last = { cadvisor, summary };
  }
  return last;
}
