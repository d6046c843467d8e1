/**
 * Runs a real kubelet, without an API server, on our daemon and drives both by static pods. Root, Go, and the first time
 * a network for Go's modules.
 *
 *     node scripts/test-kubelet.ts [--keep] [--only PART OF A CASE'S NAME]      --keep leaves both logs behind and says where
 *
 * The kubelet is built once and kept in $PODWRIGHT_KUBELET_CACHE, or in podwright-kubelet below $XDG_CACHE_HOME or
 * /var/cache. Closes with one line: `kubelet: 25 passed, 0 failed, 1 skipped (NAME)`. Exits 1 when something failed or
 * nothing ran.
 */
import { appendFile, copyFile, mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { kubeletProgram } from '../test/e2e/kubelet/build.ts';
import { CADVISOR_CASES } from '../test/e2e/kubelet/cadvisor-cases.ts';
import type { Case } from '../test/e2e/kubelet/cases.ts';
import { CHECKPOINT_CASES } from '../test/e2e/kubelet/checkpoint-cases.ts';
import { Skipped } from '../test/e2e/kubelet/cases.ts';
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
import { ablestRuntime } from '../test/support/user-namespaces.ts';
import { useTestBuild } from './test-build.ts';

/** All but the building of the kubelet, milliseconds. */
const LIMIT_MS = 20 * 60_000;
const CACHE = process.env['PODWRIGHT_KUBELET_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? '/var/cache', 'podwright-kubelet');

interface Outcome {
  readonly name: string;
  readonly ms: number;
  readonly failure?: string;
  readonly skipped?: string;
}

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false }, only: { type: 'string', default: '' } } });
const outcomes: Outcome[] = [];
const started = Date.now();
process.exitCode = await main();

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) {
    take({ name: 'the whole test', ms: 0, skipped: 'it needs root' });
    return report();
  }
  try {
    const { path, version } = await kubeletProgram(CACHE, tell);
    tell(`kubelet ${version}: ${path}`);
    await onNode(path);
  } catch (error) {
    take({ name: 'the test itself', ms: Date.now() - started, failure: describe(error) });
  }
  tell(`took ${seconds(Date.now() - started)}`);
  return report();
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
    take(await outcomeOf('nothing is left', () => assertNothingNew(daemon, before)));
  } finally {
    await daemon.destroy();
  }
}

async function runCases(daemon: TestDaemon, kubelet: TestKubelet): Promise<void> {
  const hostDirectory = join(daemon.directory, 'kubelet', 'host');
  await mkdir(hostDirectory);
  const world = new World(daemon, kubelet, hostDirectory);
  const wanted = (cases: readonly Case[]): Case[] => cases.filter(({ name }) => name.includes(values.only));
  const run = async (one: Case): Promise<void> => {
    take(await outcomeOf(one.name, () => one.run(world)));
  };
  await Promise.all(wanted([...POD_CASES, ...PROBE_CASES, ...USER_NAMESPACE_CASES, ...CHECKPOINT_CASES]).map(run));
  await tellTimings(kubelet, 'with all pods at once');
  for (const one of wanted([...NODE_CASES, ...CADVISOR_CASES])) await run(one);
  take(await outcomeOf('everything is removed', () => removeEverything(world)));
  await tellTimings(kubelet, 'at the end');
  take(await outcomeOf("the kubelet's log holds nothing unexplained", () => review(world)));
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

async function outcomeOf(name: string, work: () => Promise<void>): Promise<Outcome> {
  const begun = Date.now();
  try {
    await work();
    return { name, ms: Date.now() - begun };
  } catch (error) {
    if (error instanceof Skipped) return { name, ms: Date.now() - begun, skipped: error.message };
    return { name, ms: Date.now() - begun, failure: describe(error) };
  }
}

function take(outcome: Outcome): void {
  outcomes.push(outcome);
  const { name, ms, failure, skipped } = outcome;
  const at = `[${seconds(Date.now() - started).padStart(6)}]`;
  if (failure !== undefined) tell(`${at} FAIL ${name} (${seconds(ms)})\n${failure.replaceAll(/^/gm, '    ')}`);
  else if (skipped !== undefined) tell(`${at} skip ${name}: ${skipped}`);
  else tell(`${at} ok   ${name} (${seconds(ms)})`);
}

async function keepLogs(daemon: TestDaemon, kubelet: TestKubelet): Promise<void> {
  if (!values.keep) return;
  const folder = await mkdtemp(join(tmpdir(), 'podwright-kubelet-logs-'));
  await copyFile(kubelet.logFile, join(folder, 'kubelet.log'));
  await copyFile(daemon.logFile, join(folder, 'daemon.log'));
  tell(`kept: ${folder}`);
}

async function report(): Promise<number> {
  const failed = outcomes.filter(({ failure }) => failure !== undefined).map(({ name }) => name);
  const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined).map(({ name }) => name);
  const passed = outcomes.length - failed.length - skipped.length;
  const names = (list: readonly string[]): string => (list.length === 0 ? '' : ` (${list.join('; ')})`);
  tell(`kubelet: ${passed} passed, ${failed.length} failed${names(failed)}, ${skipped.length} skipped${names(skipped)}`);
  const summary = process.env['TEST_SUMMARY_FILE'];
  if (summary !== undefined) await appendFile(summary, `kubelet: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
  const requireAll = process.env['REQUIRE_ALL'] === '1' && skipped.length > 0;
  return failed.length === 0 && passed > 0 && !requireAll ? 0 : 1;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`;
}
