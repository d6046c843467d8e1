/**
 * Runs one suite of test/ and closes with one line: `e2e: 31 passed, 0 failed, 1 skipped`.
 *
 *     node scripts/run-tests.ts SUITE [PART OF A FILE NAME...] [--name PATTERN] [--summary FILE] [--timeout-ms N]
 *
 * integration and e2e run file by file, since they share the machine's mounts, bridges and cgroups. With REQUIRE_ALL=1
 * a skipped test counts as failed. Exits 1 when a test failed or none ran.
 */
import { once } from 'node:events';
import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';
import { parseArgs } from 'node:util';

interface Outcome {
  readonly file: string;
  readonly name: string;
  readonly durationMs: number;
  readonly failure?: string;
  readonly skipped?: string;
}

/** Most one test file may take, milliseconds. */
const FILE_TIMEOUT_MS = 15 * 60_000;
const SERIAL_SUITES: readonly string[] = ['integration', 'e2e'];
/** What test/support/standstills.ts prints at the end of a file. */
const STANDSTILL = /^longest standstill: (\d+) ms: .*$/m;
const ROOT = join(import.meta.dirname, '..');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' }, summary: { type: 'string' }, 'timeout-ms': { type: 'string' } },
});
const [suite, ...parts] = positionals;
if (suite === undefined)
  throw new Error('usage: node scripts/run-tests.ts SUITE [PART OF A FILE NAME...] [--name PATTERN] [--summary FILE]');
let longestStandstill = { ms: 0, line: '' };
process.exitCode = await runSuite(suite, parts);

async function runSuite(name: string, wanted: readonly string[]): Promise<number> {
  const files = await testFiles(join(ROOT, 'test', name), wanted);
  const outcomes: Outcome[] = [];
  const serial = SERIAL_SUITES.includes(name);
  if (serial) for (const file of files) outcomes.push(...(await runFiles([file], 1)));
  else outcomes.push(...(await runFiles(files, availableParallelism())));
  return report(name, outcomes);
}

async function testFiles(folder: string, wanted: readonly string[]): Promise<string[]> {
  const found = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  return found
    .filter((file) => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
    .sort()
    .map((file) => join(folder, file));
}

async function runFiles(files: readonly string[], concurrency: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const stream = run({
    files: [...files],
    concurrency,
    timeout: Number(values['timeout-ms'] ?? FILE_TIMEOUT_MS),
    ...(values.name === undefined ? {} : { testNamePatterns: [new RegExp(values.name)] }),
  });
  const finished = (data: EventData.TestPass | EventData.TestFail): void => {
    // A test that a helper registers is reported with the helper's file.
    const outcome = outcomeOf(data, files.length === 1 ? files[0] : data.file);
    if (outcome === undefined) return;
    outcomes.push(outcome);
    print(outcome);
  };
  const said = ({ message }: { message: string }): void => {
    process.stdout.write(message);
    const [line = '', ms] = STANDSTILL.exec(message) ?? [];
    if (Number(ms) > longestStandstill.ms) longestStandstill = { ms: Number(ms), line };
  };
  const noted = ({ message }: { message: string }): void => {
    // The runner's own counts come this way too; ours are in the closing line.
    if (!/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(message)) process.stdout.write(`note ${message}\n`);
  };
  stream.on('test:diagnostic', noted);
  stream.on('test:pass', finished).on('test:fail', finished).on('test:stdout', said).on('test:stderr', said);
  stream.resume();
  await once(stream, 'end');
  return outcomes;
}

/** What one event says; nothing for a suite, or for a test that only passes its subtests' failure on. */
function outcomeOf(data: EventData.TestPass | EventData.TestFail, from: string | undefined): Outcome | undefined {
  const file = relative(ROOT, from ?? '');
  const { details } = data;
  const error = 'error' in details ? details.error : undefined;
  const isFileItself = data.name === data.file || join(ROOT, data.name) === data.file;
  if (error === undefined && (details.type === 'suite' || isFileItself)) return undefined;
  const kind = (error as { failureType?: string } | undefined)?.failureType;
  if (kind === 'subtestsFailed') return undefined;
  const outcome = { file, name: isFileItself ? '(the file itself)' : data.name, durationMs: details.duration_ms };
  if (data.skip !== undefined && data.skip !== false) return { ...outcome, skipped: data.skip === true ? 'no reason given' : data.skip };
  return error === undefined ? outcome : { ...outcome, failure: describe(error) };
}

function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.stack ?? cause.message;
}

function print(outcome: Outcome): void {
  const mark = outcome.failure !== undefined ? 'FAIL' : outcome.skipped !== undefined ? 'skip' : 'ok  ';
  const why = outcome.skipped === undefined ? '' : ` (${outcome.skipped})`;
  process.stdout.write(`${mark} ${outcome.file}: ${outcome.name}${why} ${(outcome.durationMs / 1000).toFixed(2)} s\n`);
  if (outcome.failure !== undefined) process.stdout.write(`${outcome.failure.replaceAll(/^/gm, '     ')}\n`);
}

async function report(name: string, outcomes: readonly Outcome[]): Promise<number> {
  const requireAll = process.env['REQUIRE_ALL'] === '1';
  const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined);
  const broken = outcomes.filter((outcome) => outcome.failure !== undefined || (requireAll && outcome.skipped !== undefined));
  const passed = outcomes.length - skipped.length - outcomes.filter((outcome) => outcome.failure !== undefined).length;
  const skips = requireAll ? 0 : skipped.length;
  for (const outcome of broken) process.stdout.write(`failed: ${outcome.file}: ${outcome.name}\n`);
  for (const outcome of skipped) process.stdout.write(`skipped: ${outcome.file}: ${outcome.name}: ${outcome.skipped ?? ''}\n`);
  if (longestStandstill.ms > 0) process.stdout.write(`of all files: ${longestStandstill.line}\n`);
  const closing = `${name}: ${passed} passed, ${broken.length} failed, ${skips} skipped`;
  process.stdout.write(`${closing}\n`);
  if (values.summary !== undefined) await writeFile(values.summary, JSON.stringify({ suite: name, outcomes }, undefined, 2));
  const stepSummary = process.env['TEST_SUMMARY_FILE'];
  if (stepSummary !== undefined) await appendFile(stepSummary, `${closing}\n`);
  return broken.length > 0 || outcomes.length === 0 ? 1 : 0;
}
