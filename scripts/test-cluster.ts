/**
 * Runs a one-node Kubernetes cluster on the daemon, in namespaces of its own: what an operator does with it
 * (test/cluster/*-cases.ts), and upstream's conformance specs. Root, Go, what `scripts/install-deps.sh cluster` installs, and
 * the first time a network for Go's modules and an hour or two to build them.
 *
 *     node scripts/test-cluster.ts                        the operator's cases and all specs: hours
 *     node scripts/test-cluster.ts --short                those cases and forty specs: half an hour
 *     node scripts/test-cluster.ts --only PART            the cases that have PART in their names, no specs
 *     node scripts/test-cluster.ts --specs SET [--spec REGEXP]   one set of specs (short, node, beta, conformance), no cases; those that match
 *
 * --procs N specs run side by side (4), and twice as many slow ones beside them. --page FILE has the results of a set written there, docs/conformance.md. --keep leaves the logs and says where.
 *
 * SOCKET=unix:///run/x.sock PEER='command that starts x there': the same on another runtime. Closes with one line:
 * `cluster: 26 passed, 0 failed, 1 skipped (NAME)`. Exits 1 when something failed or nothing ran.
 */
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { CLUSTER_CASES } from '../test/cluster/all-cases.ts';
import { Cluster } from '../test/cluster/cluster.ts';
import { writeResult } from '../test/cluster/conformance-page.ts';
import { inOwnNamespaces, leftovers } from '../test/cluster/places.ts';
import { peerOfEnvironment } from '../test/cluster/runtime.ts';
import { chooseSpecs, runSpecs, SPEC_SETS, specImages, specPrograms } from '../test/cluster/specs.ts';
import type { SpecPrograms, SpecSet } from '../test/cluster/specs.ts';
import { until, World } from '../test/cluster/world.ts';
import { describe, Outcomes, tell } from '../test/support/outcomes.ts';
import { useTestBuild } from './test-build.ts';

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    specs: { type: 'string' },
    spec: { type: 'string', default: '' },
    procs: { type: 'string', default: '4' },
    page: { type: 'string' },
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
  setsToRun();
  if (process.getuid?.() === 0) return inOwnNamespaces([process.execPath, ...process.argv.slice(1), '--inside']);
  outcomes.take({ name: 'the whole test', ms: 0, skipped: 'it needs root' });
  return outcomes.report();
}

function setsToRun(): readonly SpecSet[] {
  if (values.specs !== undefined) {
    const set = SPEC_SETS.find((one) => one === values.specs);
    if (set === undefined) throw new Error(`--specs is "${values.specs}", it must be one of ${SPEC_SETS.join(', ')}`);
    return [set];
  }
  if (values.only !== undefined) return [];
  return values.short ? ['short'] : ['node', 'beta', 'conformance'];
}

async function main(): Promise<number> {
  const begun = Date.now();
  try {
    const peer = peerOfEnvironment();
    if (peer === undefined) await useTestBuild();
    const sets = setsToRun();
    const programs = sets.length === 0 ? undefined : await specPrograms(tell);
    const images = programs === undefined ? [] : await specImages(programs);
    const cluster = await Cluster.start({ peer, images, tell });
    try {
      await onCluster(cluster);
      for (const set of programs === undefined ? [] : sets) await onSpecs(cluster, programs as SpecPrograms, set);
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
  if (values.specs !== undefined) return;
  const wanted = CLUSTER_CASES.filter(({ name }) => name.includes(values.only ?? ''));
  await inLanes(
    wanted.filter(({ isAlone }) => isAlone !== true),
    async (one) => outcomes.run(one.name, () => one.run(world)),
  );
  for (const one of wanted) if (one.isAlone === true) await outcomes.run(one.name, () => one.run(world));
}

async function onSpecs(cluster: Cluster, programs: SpecPrograms, set: SpecSet): Promise<void> {
  const begun = Date.now();
  const { run, leftOut } = await chooseSpecs(programs, set, new RegExp(values.spec, 'u'));
  for (const { name, reason } of leftOut) tell(`left out: ${name}: ${reason}`);
  tell(`specs: ${run.length} of "${set}", ${leftOut.length} more are left out`);
  const all = await runSpecs({ cluster, programs, set, names: run, processes: Number(values.procs), tell });
  for (const one of all) outcomes.take(one);
  if (all.length < run.length) {
    const failure = `${run.length} specs were to run, the report has ${all.length}`;
    outcomes.take({ name: `all specs of "${set}" have run`, ms: 0, failure });
  }
  if (values.page === undefined) return;
  const minutes = Math.round((Date.now() - begun) / 60_000);
  await writeResult(values.page, { set, outcomes: all, leftOut, subject: await subjectOf(cluster), minutes });
}

/** What ran: the commit and the node's own words of its runtime and kernel. */
async function subjectOf(cluster: Cluster): Promise<string> {
  const { stdout: commit } = await execa('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname });
  const { containerRuntimeVersion, kubeletVersion, kernelVersion } = await new World(cluster).nodeInfo();
  return `Commit ${commit}, ${containerRuntimeVersion}, Kubernetes ${kubeletVersion}, kernel ${kernelVersion}, ${values.procs} side by side`;
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
