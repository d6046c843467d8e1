/**
 * Runs one suite of test/ and closes with one line: `e2e: 31 passed, 0 failed, 1 skipped`.
 *
 *     node scripts/run-tests.ts SUITE [PART OF A FILE NAME...] [--name PATTERN] [--summary FILE] [--timeout-ms N] [--lanes N]
 *
 * integration and e2e run in lanes (test-lanes.ts), file by file in each; two lanes more than there are processors, since tests
 * also wait, but no more than four, where nothing else is asked. Their daemons run a build of src/ (test-build.ts). With REQUIRE_ALL=1 a skipped test counts as failed. Exits 1 when a test failed or none ran.
 */
import { appendFile, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeJson } from 'fs-extra/esm';
import { useTestBuild } from './test-build.ts';
import { REPOSITORY, runFiles } from './test-files.ts';
import type { FilesResult, Outcome } from './test-files.ts';
import { runInLanes } from './test-lanes.ts';

const SUITES_IN_LANES: readonly string[] = ['integration', 'e2e'];
const USAGE =
  'usage: node scripts/run-tests.ts SUITE [PART OF A FILE NAME...] [--name PATTERN] [--summary FILE] [--timeout-ms N] [--lanes N]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string' },
    summary: { type: 'string' },
    'timeout-ms': { type: 'string' },
    lanes: { type: 'string', default: String(Math.min(availableParallelism() + 2, 4)) },
  },
});
const [suite, ...parts] = positionals;
if (suite === undefined) throw new Error(USAGE);
process.exitCode = await runSuite(suite, parts);

async function runSuite(name: string, wanted: readonly string[]): Promise<number> {
  const files = await testFiles(join(REPOSITORY, 'test', name), wanted);
  const timeoutMs = values['timeout-ms'] === undefined ? undefined : Number(values['timeout-ms']);
  const options = { name: values.name, timeoutMs };
  const say = (text: string): void => void process.stdout.write(text);
  if (SUITES_IN_LANES.includes(name)) {
    await useTestBuild();
    return report(name, await runInLanes(files, Number(values.lanes), options, say));
  }
  return report(name, [await runFiles(files, availableParallelism(), options, { say })]);
}

async function testFiles(folder: string, wanted: readonly string[]): Promise<string[]> {
  const found = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  return found
    .filter((file) => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
    .sort()
    .map((file) => join(folder, file));
}

/** A test that failed, for who reads the last lines only. */
function toldAtTheEnd({ file, name, failure = 'skipped' }: Outcome): string {
  const why = failure.split('\n').slice(0, 12).join('\n').replaceAll(/^/gm, '     ');
  return `failed: ${file}: ${name}\n${why}\n`;
}

async function report(name: string, results: readonly FilesResult[]): Promise<number> {
  const outcomes = results.flatMap((result) => result.outcomes);
  const requireAll = process.env['REQUIRE_ALL'] === '1';
  const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined);
  const broken = outcomes.filter((outcome) => outcome.failure !== undefined || (requireAll && outcome.skipped !== undefined));
  const passed = outcomes.length - skipped.length - outcomes.filter((outcome) => outcome.failure !== undefined).length;
  const skips = requireAll ? 0 : skipped.length;
  for (const outcome of broken) process.stdout.write(`failed: ${outcome.file}: ${outcome.name}\n`);
  for (const outcome of skipped) process.stdout.write(`skipped: ${outcome.file}: ${outcome.name}: ${outcome.skipped ?? ''}\n`);
  const [longest] = results.map(({ standstill }) => standstill).toSorted((one, other) => other.ms - one.ms);
  if (longest !== undefined && longest.ms > 0) process.stdout.write(`of all files: ${longest.line}\n`);
  const closing = `${name}: ${passed} passed, ${broken.length} failed, ${skips} skipped`;
  process.stdout.write(`${closing}\n`);
  if (values.summary !== undefined) await writeJson(values.summary, { suite: name, outcomes }, { spaces: 2 });
  const { TEST_SUMMARY_FILE: stepSummary, TEST_FAILURES_FILE: failures } = process.env;
  if (stepSummary !== undefined) await appendFile(stepSummary, `${closing}\n`);
  if (failures !== undefined) await appendFile(failures, broken.map(toldAtTheEnd).join(''));
  return broken.length > 0 || outcomes.length === 0 ? 1 : 0;
}
