/**
 * Runs a real kubelet, without an API server, on our daemon and drives both by static pods. Root, Go, and the first time
 * a network for Go's modules.
 *
 *     node scripts/test-kubelet.ts [--keep] [--only PART OF A CASE'S NAME]      --keep leaves both logs behind and says where
 *
 * The kubelet is built once and kept (test/cluster/programs.ts says where). Closes with one line: `kubelet: 25 passed, 0 failed, 1
 * skipped (NAME)`. Exits 1 when something failed or nothing ran.
 */
import { copyFile, mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { clusterProgram } from '../test/cluster/programs.ts';
import { CADVISOR_CASES } from '../test/e2e/kubelet/cadvisor-cases.ts';
import type { Case } from '../test/e2e/kubelet/cases.ts';
import { CHECKPOINT_CASES } from '../test/e2e/kubelet/checkpoint-cases.ts';
import { TestKubelet } from '../test/e2e/kubelet/kubelet.ts';
import { reviewLog, timings } from '../test/e2e/kubelet/log-review.ts';
import { NODE_CASES, removeEverything } from '../test/e2e/kubelet/node-cases.ts';
import { POD_CASES } from '../test/e2e/kubelet/pod-cases.ts';
import { PROBE_CASES } from '../test/e2e/kubelet/probe-cases.ts';
import { USER_NAMESPACE_CASES } from '../test/e2e/kubelet/user-namespace-cases.ts';
import { World } from '../test/e2e/kubelet/world.ts';
import { findCriu } from '../test/support/criu.ts';
import { TestDaemon } from '../test/support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../test/support/e2e-test.ts';
import { describe, Outcomes, tell } from '../test/support/outcomes.ts';
import { ablestRuntime } from '../test/support/user-namespaces.ts';
import { useTestBuild } from './test-build.ts';

/** All but the building of the kubelet, milliseconds. */
const LIMIT_MS = 20 * 60_000;

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false }, only: { type: 'string', default: '' } } });
const outcomes = new Outcomes('kubelet');
process.exitCode = await main();

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) {
    outcomes.take({ name: 'the whole test', ms: 0, skipped: 'it needs root' });
    return outcomes.report();
  }
  const begun = Date.now();
  try {
    const { path, version } = await clusterProgram('kubelet', tell);
    tell(`kubelet ${version}: ${path}`);
    await onNode(path);
  } catch (error) {
    outcomes.take({ name: 'the test itself', ms: Date.now() - begun, failure: describe(error) });
  }
  return outcomes.report();
}

/** A daemon and a kubelet, the cases, and what is left when both have gone. */
async function onNode(program: string): Promise<void> {
  await useTestBuild();
  tell(`runtime: ${ablestRuntime}`);
  const { path: criu } = await findCriu();
  const daemon = await TestDaemon.start({ args: ['--runtime', `runc=${ablestRuntime}`], config: `[checkpoint]\ncriu = "${criu}"\n` });
  try {
    const before = await inventoryOf(daemon);
    const kubelet = new TestKubelet({
      program,
      directory: join(daemon.directory, 'kubelet'),
      socket: daemon.socket,
      cgroupRoot: daemon.cgroup,
    });
    try {
      await kubelet.prepare();
      await kubelet.start();
      await withinLimit(runCases(daemon, kubelet));
    } finally {
      await keepLogs(daemon, kubelet);
      await kubelet.destroy();
    }
    await outcomes.run('nothing is left', () => assertNothingNew(daemon, before));
  } finally {
    await daemon.destroy();
  }
}

async function runCases(daemon: TestDaemon, kubelet: TestKubelet): Promise<void> {
  const hostDirectory = join(daemon.directory, 'kubelet', 'host');
  await mkdir(hostDirectory);
  const world = new World(daemon, kubelet, hostDirectory);
  const wanted = (cases: readonly Case[]): Case[] => cases.filter(({ name }) => name.includes(values.only));
  const run = async (one: Case): Promise<void> => outcomes.run(one.name, () => one.run(world));
  await Promise.all(wanted([...POD_CASES, ...PROBE_CASES, ...USER_NAMESPACE_CASES, ...CHECKPOINT_CASES]).map(run));
  await tellTimings(kubelet, 'with all pods at once');
  for (const one of wanted([...NODE_CASES, ...CADVISOR_CASES])) await run(one);
  await outcomes.run('everything is removed', () => removeEverything(world));
  await tellTimings(kubelet, 'at the end');
  await outcomes.run("the kubelet's log holds nothing unexplained", () => review(world));
}

async function withinLimit(work: Promise<void>): Promise<void> {
  const end = new AbortController();
  const limit = async (): Promise<void> => {
    await sleep(LIMIT_MS, undefined, { signal: end.signal });
    throw new Error(`the cases are not at an end after ${LIMIT_MS / 60_000} minutes`);
  };
  try {
    await Promise.race([work, limit()]);
  } finally {
    end.abort();
  }
}

/** What the kubelet has measured of us since its start. */
async function tellTimings(kubelet: TestKubelet, when: string): Promise<void> {
  const metrics = await kubelet.get('/metrics').catch(() => '');
  for (const line of timings(metrics)) tell(`  ${when}: ${line}`);
}

async function review(world: World): Promise<void> {
  const { known, unknown } = reviewLog(await readFile(world.kubelet.logFile, 'utf8'), world.downtimes);
  for (const [about, count] of known) tell(`  kubelet: ${count} x ${about}`);
  const lines = [...unknown].map(([key, { count, example }]) => `${count} x ${key}\n    ${example}`);
  if (lines.length > 0) throw new Error(`not in docs/kubelet.md:\n${lines.join('\n')}`);
}

async function keepLogs(daemon: TestDaemon, kubelet: TestKubelet): Promise<void> {
  if (!values.keep) return;
  const folder = await mkdtemp(join(tmpdir(), 'podwright-kubelet-logs-'));
  await copyFile(kubelet.logFile, join(folder, 'kubelet.log'));
  await copyFile(daemon.logFile, join(folder, 'daemon.log'));
  tell(`kept: ${folder}`);
}
