/**
 * Upstream's conformance specs on the cluster: its e2e test binary under ginkgo, each spec asked for by its full name.
 * Facts: `e2e.test --help`, `ginkgo help run`; the report is ginkgo's types.Report.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setInterval as every } from 'node:timers';
import { execa } from 'execa';
import { ensureDir, pathExists, readJson } from 'fs-extra/esm';
import type { Outcome } from '../support/outcomes.ts';
import type { Cluster } from './cluster.ts';
import { reasonToLeaveOut } from './left-out.ts';
import { clusterPrograms } from './programs.ts';
import { SHORT_SPECS } from './short-specs.ts';

/** Sets of specs: a fixed choice; what a node must do; what it must do of features that may still change; what a cluster must do besides. */
export const SPEC_SETS = ['short', 'node', 'beta', 'conformance'] as const;
export type SpecSet = (typeof SPEC_SETS)[number];

const UNSETTLED = /\[(?:Alpha|Beta)\]/;
const IS_IN: Readonly<Record<SpecSet, (name: string) => boolean>> = {
  short: (name) => SHORT_SPECS.some((short) => name.startsWith(short)),
  node: (name) => name.includes('[NodeConformance]') && !UNSETTLED.test(name),
  beta: (name) => name.includes('[NodeConformance]') && UNSETTLED.test(name),
  conformance: (name) => name.includes('[Conformance]') && !name.includes('[NodeConformance]'),
};

/** A line of `e2e.test --list-tests`: where a spec is, and its name. */
const LISTED = /^ {4}\S+:\d+: (.+)$/gm;
const RUN_TIMEOUT = '6h';
const TELL_EVERY_MS = 60_000;

export interface SpecPrograms {
  readonly 'e2e.test': string;
  readonly ginkgo: string;
  readonly kubectl: string;
}

export async function specPrograms(tell: (line: string) => void): Promise<SpecPrograms> {
  return clusterPrograms(['e2e.test', 'ginkgo', 'kubectl'], tell);
}

/** The images that the specs name. */
export async function specImages({ 'e2e.test': e2e }: SpecPrograms): Promise<string[]> {
  const { stdout } = await execa(e2e, ['--list-images']);
  return stdout.split('\n').filter((line) => line !== '');
}

export interface ChosenSpecs {
  readonly run: readonly string[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/** The specs of a set whose name `part` matches, and those of them that are not run on this node. */
export async function chooseSpecs({ 'e2e.test': e2e }: SpecPrograms, set: SpecSet, part: RegExp): Promise<ChosenSpecs> {
  const { stdout } = await execa(e2e, ['--list-tests']);
  const all = [...stdout.matchAll(LISTED)].map(([, name = '']) => name);
  const names = all.filter((name) => IS_IN[set](name) && part.test(name));
  if (names.length === 0) throw new Error(`specs: none of "${set}" has a name that ${String(part)} matches`);
  const leftOut: { name: string; reason: string }[] = [];
  for (const name of names) {
    const reason = await reasonToLeaveOut(name);
    if (reason !== undefined) leftOut.push({ name, reason });
  }
  const missing = set === 'short' ? SHORT_SPECS.filter((short) => !all.some((name) => name.startsWith(short))) : [];
  if (missing.length > 0) throw new Error(`specs: short-specs.ts names what upstream does not have: ${missing.join(', ')}`);
  const out = new Set(leftOut.map(({ name }) => name));
  return { run: names.filter((name) => !out.has(name)), leftOut };
}

/** The part of ginkgo's report that is read here. */
interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly State: string;
  /** Nanoseconds. */
  readonly RunTime: number;
  readonly Failure?: { readonly Message: string; readonly Location?: { readonly FileName: string; readonly LineNumber: number } };
}

export interface SpecRun {
  readonly cluster: Cluster;
  readonly programs: SpecPrograms;
  readonly set: SpecSet;
  readonly names: readonly string[];
  /** How many run side by side. */
  readonly processes: number;
  readonly tell: (line: string) => void;
}

/**
 * Runs these specs and waits for the end of all: slow ones, which mostly wait, beside the rest, and then those that want the node for
 * themselves. What ginkgo prints is in `specs/SET/*` of the cluster's directory.
 */
export async function runSpecs(run: SpecRun): Promise<Outcome[]> {
  const directory = join(run.cluster.directory, 'components', 'specs', run.set);
  const isSerial = (name: string): boolean => name.includes('[Serial]');
  const isSlow = (name: string): boolean => name.includes('[Slow]');
  const group = async (label: string, processes: number, is: (name: string) => boolean): Promise<Outcome[]> =>
    runGinkgo({ ...run, processes, names: run.names.filter(is) }, join(directory, label));
  const beside = await Promise.all([
    group('slow', 2 * run.processes, (name) => !isSerial(name) && isSlow(name)),
    group('rest', run.processes, (name) => !isSerial(name) && !isSlow(name)),
  ]);
  return [...beside.flat(), ...(await group('serial', 1, isSerial))];
}

async function runGinkgo({ cluster, programs, names, processes, tell }: SpecRun, directory: string): Promise<Outcome[]> {
  if (names.length === 0) return [];
  await ensureDir(directory);
  const log = join(directory, 'log');
  const report = join(directory, 'report.json');
  const focus = names.map((name) => `--focus=${name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`);
  const ginkgo = [`--procs=${processes}`, `--timeout=${RUN_TIMEOUT}`, '--no-color', '--output-dir', directory, '--json-report=report.json'];
  const e2e = {
    kubeconfig: cluster.identities.kubeconfig('admin'),
    'kubectl-path': programs.kubectl,
    provider: 'skeleton',
    'disable-log-dump': 'true',
    'e2e-output-dir': directory,
    'container-runtime-endpoint': cluster.runtime.endpoint,
  };
  const flags = Object.entries(e2e).map(([name, value]) => `--${name}=${value}`);
  const telling = every(() => void tellProgress(log, names.length, tell), TELL_EVERY_MS);
  try {
    const command = ['--pdeathsig', 'KILL', programs.ginkgo, 'run', ...ginkgo, ...focus, programs['e2e.test'], '--', ...flags];
    await execa('setpriv', command, { stdout: { file: log }, stderr: { file: log }, stdin: 'ignore', reject: false });
  } finally {
    clearInterval(telling);
  }
  if (!(await pathExists(report))) throw new Error(`specs: ginkgo wrote no report: ${(await readFile(log, 'utf8')).slice(-4000)}`);
  return outcomesOf((await readJson(report)) as readonly { readonly SpecReports: readonly SpecReport[] }[]);
}

/** ginkgo prints a dot for each spec that has ended. */
async function tellProgress(log: string, all: number, tell: (line: string) => void): Promise<void> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const failed = text.match(/• \[FAILED\]/g)?.length ?? 0;
  tell(`specs: ${basename(dirname(log))}: ${text.match(/•/g)?.length ?? 0} of ${all} have ended, ${failed} of them failed`);
}

function outcomesOf(suites: readonly { readonly SpecReports: readonly SpecReport[] }[]): Outcome[] {
  return suites.flatMap(({ SpecReports: all }) => all).flatMap(outcomeOf);
}

function outcomeOf(report: SpecReport): Outcome[] {
  const { State: state, Failure: failure, LeafNodeType: type } = report;
  const message = failure?.Message ?? '';
  const spec = { name: [...(report.ContainerHierarchyTexts ?? []), report.LeafNodeText].join(' '), ms: report.RunTime / 1e6 };
  if (type !== 'It') {
    // What is set up and taken down for all specs: of interest where it fails.
    const failed = state !== 'passed' && state !== 'skipped';
    return failed ? [{ ...spec, name: type, failure: `${state}: ${message}` }] : [];
  }
  if (state === 'passed') return [spec];
  if (state === 'pending') return [{ ...spec, skipped: 'upstream has it switched off (pending)' }];
  // Those that were not asked for are skipped without a word.
  if (state === 'skipped') return message === '' ? [] : [{ ...spec, skipped: firstLine(message) }];
  const place = failure?.Location === undefined ? '' : ` (${failure.Location.FileName}:${failure.Location.LineNumber})`;
  return [{ ...spec, failure: `${state}: ${message}${place}` }];
}

export function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
