/**
 * The gate before every commit: format, types, lint, layers, dead code, unit tests. Two lanes, since the linter alone takes about
 * as long as all else. A step prints its output where it fails; every step is run, so that one run tells all.
 */
import { join } from 'node:path';
import { execa } from 'execa';

const REPOSITORY = join(import.meta.dirname, '..');
const LANES: readonly (readonly string[])[] = [['lint'], ['format:check', 'typecheck', 'layers', 'dead', 'test:unit']];

const started = Date.now();
const failed = (await Promise.all(LANES.map(runLane))).flat();
console.log(`check: ${failed.length === 0 ? 'passed' : `failed in ${failed.join(', ')}`} (${seconds(started)})`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs steps one after the other; returns those that failed. */
async function runLane(steps: readonly string[]): Promise<string[]> {
  const broken: string[] = [];
  for (const step of steps) if (!(await runStep(step))) broken.push(step);
  return broken;
}

async function runStep(step: string): Promise<boolean> {
  const begun = Date.now();
  const child = execa('npm', ['run', '--silent', step], { cwd: REPOSITORY, stdin: 'ignore', all: true, reject: false });
  const { all: words, exitCode: code } = await child;
  if (code !== 0) console.log(words.replaceAll(/^ok {2}.*\n/gm, ''));
  else if (step.startsWith('test:')) console.log(words.split('\n').at(-1));
  console.log(`${step}: ${code === 0 ? 'ok' : 'FAILED'} (${seconds(begun)})`);
  return code === 0;
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
