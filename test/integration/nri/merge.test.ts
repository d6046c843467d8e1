/** What plugins answer is merged as github.com/containerd/nri merges it, but where it is meant to differ. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MERGE_CASES } from './merge-cases.ts';
import { DIFFERENCES, sortUnordered } from './merge-differences.ts';
import { mergeHere, mergeThere, notBuilt, refusalOf } from './merge-lab.ts';
import type { MergeCase, Outcome } from './merge-lab.ts';
import { MENDED } from './merge-mended.ts';
import { randomCase } from './random-answers.ts';

/** What is left of two outcomes without the differences on purpose. */
function level(ours: Outcome, theirs: Outcome, one: MergeCase): void {
  for (const difference of DIFFERENCES) difference.level(ours, theirs, one);
  sortUnordered(ours);
  sortUnordered(theirs);
}

function assertEqual(ours: Outcome, theirs: Outcome, one: MergeCase): void {
  if (ours.refusal !== undefined && theirs.refusal !== undefined) {
    assert.deepEqual(refusalOf(ours.refusal), refusalOf(theirs.refusal), one.name);
    return;
  }
  level(ours, theirs, one);
  assert.deepEqual(ours, theirs, one.name);
}

const there = async (cases: readonly MergeCase[]): Promise<Outcome[]> => (notBuilt === false ? mergeThere(cases) : []);

const all = await there(MERGE_CASES);
for (const [index, one] of MERGE_CASES.entries()) {
  test(`merged like the module: ${one.name}`, { skip: notBuilt }, async () => {
    assertEqual(await mergeHere(one), all[index]!, one);
  });
}

const mended = await there(MENDED.map(({ one }) => one));
for (const [index, { reason, one, look, ours, theirs }] of MENDED.entries()) {
  test(`mended: ${reason}`, { skip: notBuilt }, async () => {
    assert.deepEqual(look(await mergeHere(one)), ours);
    assert.deepEqual(look(mended[index]!), theirs, 'the module is no longer as it was');
  });
}

test('random answers are merged like the module', { skip: notBuilt }, async (t) => {
  const first = Number(process.env['SEED'] ?? 1);
  const cases = Array.from({ length: 600 }, (_, index) => randomCase(first + index));
  const theirs = await mergeThere(cases);
  let refused = 0;
  for (const [index, one] of cases.entries()) {
    const ours = await mergeHere(one);
    if (ours.refusal !== undefined) refused += 1;
    assertEqual(ours, theirs[index]!, one);
  }
  t.diagnostic(`${refused} of ${cases.length} refused`);
  assert.ok(refused > 100 && refused < 500, `${refused} of ${cases.length} refused: too few of one kind`);
});
