/**
 * Runs Kubernetes' conformance tests for CRI runtimes against a daemon of our own, with images of our own:
 *
 *     CRITEST=/path/to/critest npm run critest -- [critest's options: -ginkgo.focus X, -websocket-exec, ...]
 *
 * critest is built from kubernetes-sigs/cri-tools. Root. One run at a time: specs use the node's ports 12000 to 12003. The runtime is
 * $PODWRIGHT_TEST_RUNTIME; else one that can do user namespaces, where scripts/build-runc.sh or fetch-crun.sh has left one; else runc.
 * Closes with one line: `critest: 128 passed, 0 failed, 9 skipped`. Exits 1 where a spec failed, none ran, or something
 * of the daemon was left behind.
 */
import { appendFile, chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { CRITEST_REGISTRIES, pushCritestImages } from '../test/support/critest-images.ts';
import { readReport } from '../test/support/critest-report.ts';
import type { CritestOutcome } from '../test/support/critest-report.ts';
import { TestDaemon } from '../test/support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../test/support/e2e-test.ts';
import { findProgram } from '../test/support/find-program.ts';
import { removeAllPods } from '../test/support/pods.ts';
import { noRegistry, TestRegistry } from '../test/support/registry.ts';
import { ablestRuntime } from '../test/support/user-namespaces.ts';
import { useTestBuild } from './test-build.ts';

/** The digest of test-image-digest in critest: an image that nobody but its registry can serve. */
const DIGEST_IN_CRITEST = '9700f9a2f5bf2c45f2f605a0bd3bce7cf37420ec9d3ed50ac2758413308766bf';
/** A run takes three to four minutes on two cores. */
const RUN_TIMEOUT_MS = 30 * 60_000;

const NO_CRITEST = '$CRITEST names no program (build critest from kubernetes-sigs/cri-tools)';
const critest = process.env['CRITEST'] === undefined ? undefined : await findProgram('critest', process.env['CRITEST']);
const missing = critest === undefined ? NO_CRITEST : noRegistry;
process.exitCode = missing === false ? await main(critest ?? '', process.argv.slice(2)) : await skip(missing);

async function skip(reason: string): Promise<number> {
  const isFailure = process.env['REQUIRE_ALL'] === '1';
  say(`critest: skipped: ${reason}`);
  await close(isFailure ? 'critest: 0 passed, 1 failed, 0 skipped' : 'critest: 0 passed, 0 failed, 1 skipped');
  return isFailure ? 1 : 0;
}

async function main(program: string, options: readonly string[]): Promise<number> {
  await useTestBuild();
  const directory = await mkdtemp(join(tmpdir(), 'podwright-critest-'));
  try {
    const registry = await TestRegistry.start();
    try {
      const { count, digest } = await pushCritestImages(registry);
      say(`critest: ${count} images at ${registry.host}`);
      const patched = await patchCritest(program, digest, directory);
      const config = await registry.daemonConfig(Object.fromEntries(CRITEST_REGISTRIES.map((name) => [name, registry.host])));
      return await testDaemon(patched, options, config, directory);
    } finally {
      await registry.stop();
    }
  } finally {
    await remove(directory);
  }
}

/** A copy of critest with our digest in the place of the fixed one; the program given stays as it is. */
async function patchCritest(program: string, digest: string, directory: string): Promise<string> {
  const bytes = await readFile(program);
  const at = bytes.indexOf(DIGEST_IN_CRITEST);
  if (at === -1) say(`critest: warning: ${program} does not have the digest of test-image-digest that is known here; its specs will fail`);
  else bytes.write(digest.replace('sha256:', ''), at, 'latin1');
  const copy = join(directory, 'critest');
  await writeFile(copy, bytes);
  await chmod(copy, 0o755);
  return copy;
}

async function testDaemon(program: string, options: readonly string[], config: string, directory: string): Promise<number> {
  const { stdout } = await execa(ablestRuntime, ['--version']);
  say(`critest: with ${stdout.split('\n')[0]} (${ablestRuntime})`);
  const daemon = await TestDaemon.start({ config, images: [], args: ['--runtime', `runc=${ablestRuntime}`] });
  try {
    const before = await inventoryOf(daemon);
    const report = join(directory, 'report.json');
    const code = await runCritest(program, daemon, report, options);
    const text = await readFile(report, 'utf8').catch(() => undefined);
    if (text === undefined) {
      // Such as -h, or an option it does not know.
      say(`critest: it ended with ${code} and wrote no report`);
      await close('critest: 0 passed, 1 failed, 0 skipped');
      return 1;
    }
    const outcome = readReport(text);
    if (outcome.failed.length > 0) say(await daemon.logTail(200));
    const left = await leftovers(daemon, before);
    return await conclude(outcome, left, code);
  } finally {
    await daemon.destroy();
  }
}

async function runCritest(program: string, daemon: TestDaemon, report: string, options: readonly string[]): Promise<number> {
  const sockets = ['-runtime-endpoint', `unix://${daemon.socket}`, '-nri-socket', daemon.nriSocket];
  const usual = [...sockets, '-ginkgo.no-color', '-ginkgo.seed=1', `-ginkgo.json-report=${report}`];
  const stdio = ['ignore', 'inherit', 'inherit'] as const;
  const { exitCode } = await execa(program, [...usual, ...options], { stdio, timeout: RUN_TIMEOUT_MS, reject: false });
  return exitCode ?? 1;
}

/** critest removes what it makes, except images; what then is left is our fault. */
async function leftovers(daemon: TestDaemon, before: readonly string[]): Promise<string | undefined> {
  try {
    await removeAllPods(daemon);
    const { images } = await daemon.images.listImages({});
    for (const { id } of images) await daemon.images.removeImage({ image: { image: id } });
    await assertNothingNew(daemon, before);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function conclude(outcome: CritestOutcome, left: string | undefined, code: number): Promise<number> {
  const { passed, failed, skipped, notSelected } = outcome;
  for (const { name, reason, output } of failed) say(`failed: ${name}: ${reason}\n${output}`);
  for (const { name, reason } of skipped) say(`skipped: ${name}: ${reason}`);
  if (notSelected > 0) say(`not selected: ${notSelected} specs`);
  if (left !== undefined) say(`failed: nothing is left after the run: ${left}`);
  const failuresFile = process.env['TEST_FAILURES_FILE'];
  if (failuresFile !== undefined) {
    const all = [...failed, ...(left === undefined ? [] : [{ name: 'nothing is left after the run', reason: left }])];
    await appendFile(failuresFile, all.map(({ name, reason }) => `failed: critest: ${name}: ${reason}\n`).join(''));
  }
  const failures = failed.length + (left === undefined ? 0 : 1);
  await close(`critest: ${passed} passed, ${failures} failed, ${skipped.length} skipped`);
  return failures > 0 || passed === 0 || code !== 0 ? 1 : 0;
}

async function close(line: string): Promise<void> {
  const summary = process.env['TEST_SUMMARY_FILE'];
  if (summary !== undefined) await appendFile(summary, `${line}\n`);
  say(line);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
