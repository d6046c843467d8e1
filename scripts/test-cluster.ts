/**
 * Runs a one-node Kubernetes cluster on the daemon, in namespaces of its own, and what an operator does with it
 * (test/cluster/*-cases.ts). Root, Go, what `scripts/install-deps.sh cluster` installs, and the first time a network for
 * Go's modules and an hour to build them.
 *
 *     node scripts/test-cluster.ts [--only PART OF A CASE'S NAME] [--keep]      --keep leaves the logs and says where
 *
 * SOCKET=unix:///run/x.sock PEER='command that starts x there': the same on another runtime. Closes with one line:
 * `cluster: 26 passed, 0 failed, 1 skipped (NAME)`. Exits 1 when something failed or nothing ran.
 */
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CLUSTER_CASES } from '../test/cluster/all-cases.ts';
import { Cluster } from '../test/cluster/cluster.ts';
import { inOwnNamespaces, leftovers } from '../test/cluster/places.ts';
import { peerOfEnvironment } from '../test/cluster/runtime.ts';
import { until, World } from '../test/cluster/world.ts';
import { describe, Outcomes, tell } from '../test/support/outcomes.ts';
import { useTestBuild } from './test-build.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
  },
});
/** Cases that run side by side. */
const AT_ONCE = 3;
const SETTLE_MS = 15_000;
const outcomes = new Outcomes('cluster');
process.exitCode = values.inside ? await main() : await enter();

/** Starts this program again, in the cluster's namespaces. */
async function enter(): Promise<number> {
  if (process.getuid?.() === 0) return inOwnNamespaces([process.execPath, ...process.argv.slice(1), '--inside']);
  outcomes.take({ name: 'the whole test', ms: 0, skipped: 'it needs root' });
  return outcomes.report();
}

async function main(): Promise<number> {
  const begun = Date.now();
  try {
    const peer = peerOfEnvironment();
    if (peer === undefined) await useTestBuild();
    const cluster = await Cluster.start({ peer, tell });
    try {
      await onCluster(cluster);
    } finally {
      await keepLogs(cluster);
      await outcomes.run('all of it ends, and nothing is left', () => end(cluster));
    }
  } catch (error) {
    outcomes.take({ name: 'the test itself', ms: Date.now() - begun, failure: describe(error) });
  }
  return outcomes.report();
}

async function onCluster(cluster: Cluster): Promise<void> {
  const world = new World(cluster);
  await outcomes.run('the cluster comes up: node ready, DNS ready', () => world.untilUp());
  const wanted = CLUSTER_CASES.filter(({ name }) => name.includes(values.only));
  await inLanes(
    wanted.filter(({ isAlone }) => isAlone !== true),
    async (one) => outcomes.run(one.name, () => one.run(world)),
  );
  for (const one of wanted) if (one.isAlone === true) await outcomes.run(one.name, () => one.run(world));
}

async function end(cluster: Cluster): Promise<void> {
  await cluster.destroy();
  let left: readonly string[] = [];
  const isClean = async (): Promise<true | undefined> => {
    left = await leftovers(cluster.runtime.cgroupRoot);
    return left.length === 0 ? true : undefined;
  };
  // A process that was killed is reaped by the shell that is process 1, when it comes to it.
  await until('nothing is left', isClean, SETTLE_MS).catch(() => {
    throw new Error(`left over: ${left.join(', ')}`);
  });
}

/** All of them, a few at a time. */
async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function keepLogs(cluster: Cluster): Promise<void> {
  if (!values.keep) return;
  const folder = await mkdtemp(join(tmpdir(), 'podwright-cluster-logs-'));
  await cluster.copyLogs((from, to) => cp(from, join(folder, to), { recursive: true }));
  tell(`kept: ${folder}`);
}
