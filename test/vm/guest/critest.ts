/** Kubernetes' own tests of what only this machine has. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { pathExists } from 'fs-extra/esm';
import { readReport } from '../../support/critest-report.ts';
import type { GuestNode } from './node.ts';
import { skip, step, tell } from './steps.ts';

const CRITEST = '/payload/critest';
const REPORT = '/tmp/critest.json';
const TIMEOUT_MS = 15 * 60_000;

/** Its specs that `focus` picks, which are so many, must pass: none may be skipped. */
export async function critest(node: GuestNode, focus: string, count: number): Promise<void> {
  const name = `critest: the ${count} specs of ${focus} pass`;
  if (!(await pathExists(CRITEST))) {
    skip(name, 'the payload has no critest: scripts/build-cri-tools.sh makes it');
    return;
  }
  const before = await node.inventory();
  await step(name, async () => {
    const socket = `unix://${node.runDir}/podwright.sock`;
    const args = [
      '-runtime-endpoint',
      socket,
      '-ginkgo.no-color',
      '-ginkgo.seed=1',
      `-ginkgo.focus=${focus}`,
      `-ginkgo.json-report=${REPORT}`,
    ];
    const { all } = await execa(CRITEST, args, { timeout: TIMEOUT_MS, reject: false, all: true });
    const { passed, failed, skipped } = readReport(await readFile(REPORT, 'utf8').catch(() => assert.fail(all)));
    tell({ kind: 'note', text: `critest ${focus}: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped` });
    assert.deepEqual({ passed, failed, skipped }, { passed: count, failed: [], skipped: [] });
  });
  await step(`critest: nothing is left of ${focus}`, async () => node.assertNothingNew(before));
}
