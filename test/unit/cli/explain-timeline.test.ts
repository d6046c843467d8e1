import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainedOperation, ExplainedStep } from '../../../src/base/explanation.ts';
import { durationText, timelineRows, timelineText, wrapped, type Columns } from '../../../src/cli/explain-timeline.ts';

const RUN: ExplainedOperation = {
  what: 'run pod sandbox',
  number: 1,
  startedAt: '2026-11-26T12:00:00.000Z',
  durationMs: 2000,
  isUnderWay: false,
  rpc: 'RunPodSandbox',
  requestId: '3fa2b1c4',
  about: {},
  facts: {},
  steps: [
    step('write record', { durationMs: 0.4 }),
    step('attach network', { startedMs: 500, durationMs: 1500 }),
    step('run CNI plugin', { detail: 'bridge of pods, ADD', parent: 1, startedMs: 500, durationMs: 1000 }),
    step('make pod files', { startedMs: 500, durationMs: 20 }),
  ],
  notes: [{ atMs: 900, parent: 2, words: 'asked again' }],
  left: 0,
  waits: [],
};

const wide = (width: number): Columns => ({ words: width, pictures: width });

function step(name: string, more: Partial<ExplainedStep>): ExplainedStep {
  return { name, words: '', detail: '', parent: -1, startedMs: 0, durationMs: 0, isUnderWay: false, ...more };
}

test('steps are shown behind what they are a part of, short ones together', () => {
  assert.equal(
    timelineText(RUN, wide(80)),
    `2026-11-26T12:00:00.000Z  run pod sandbox  took 2.00 s  (RunPodSandbox 3fa2b1c4)
  attach network                           1.50 s  |       ====================|
    run CNI plugin: bridge of pods, ADD    1.00 s  |       =============       |
      * asked again                     at 900 ms  |            *              |
  make pod files                            20 ms  |       =                   |
  1 shorter                                0.4 ms
`,
  );
});

test('no line is longer than the terminal is wide, and a narrow one has no bars', () => {
  const failed: ExplainedOperation = { ...RUN, error: `run pod sandbox: ${'a very long word '.repeat(20)}${'x'.repeat(200)}` };
  for (const width of [40, 80, 200])
    for (const line of timelineText(failed, wide(width)).split('\n')) assert.ok(line.length <= width, `${line.length}: ${line}`);
  assert.doesNotMatch(timelineText(RUN, wide(40)), /\|/);
});

test('what is under way lasts until now, and is drawn so', () => {
  const underWay: ExplainedOperation = {
    ...RUN,
    durationMs: 12_100,
    isUnderWay: true,
    steps: [step('attach network', { startedMs: 100, durationMs: 12_000, isUnderWay: true })],
    notes: [],
    waits: [{ step: 0, since: '', what: 'attaching', words: 'its lock is held', pid: 7 }],
  };
  const text = timelineText(underWay, wide(80));
  assert.match(text, /^2026-11-26T12:00:00\.000Z {2}run pod sandbox {2}under way for 12\.10 s/);
  assert.match(text, /attach network +12\.00 s {2}\|>+\|/);
  assert.match(text, /^> attaching: its lock is held$/m);
});

test('a failure is told once, where a step and the operation say the same', () => {
  const failed: ExplainedOperation = {
    ...RUN,
    error: 'run pod sandbox a: cni network "pods", plugin bridge, ADD: no address is free',
    steps: [
      step('attach network', {
        durationMs: 5,
        error: 'cni network "pods", plugin bridge, ADD: no address is free',
      }),
      step('undo', { startedMs: 6, durationMs: 5, error: 'the disk is full' }),
    ],
    notes: [],
  };
  const lines = timelineText(failed, wide(200))
    .split('\n')
    .filter((line) => line.startsWith('! '));
  assert.deepEqual(lines, ['! run pod sandbox a: cni network "pods", plugin bridge, ADD: no address is free', '! the disk is full']);
  assert.deepEqual(
    timelineRows(failed).map(({ state }) => state),
    ['failed', 'failed'],
  );
});

test('words of programs cannot steer the terminal', () => {
  const odd: ExplainedOperation = { ...RUN, error: 'a\u001b[2Jb\nc', steps: [{ ...RUN.steps[1]!, parent: -1, detail: 'x\ny' }], notes: [] };
  assert.match(timelineText(odd, wide(80)), /x\\u000ay/);
  assert.match(timelineText(odd, wide(80)), /a\\u001b\[2Jb\\u000ac/);
});

test('a duration is told in the unit that one reads', () => {
  const told = [0, 0.04, 9.94, 9.96, 999, 1000, 59_990, 60_000, 3_599_000, 3_600_000, 47 * 3_600_000, 49 * 3_600_000].map(durationText);
  assert.deepEqual(told, [
    '0.0 ms',
    '0.0 ms',
    '9.9 ms',
    '10 ms',
    '999 ms',
    '1.00 s',
    '59.99 s',
    '1 min 0 s',
    '59 min 59 s',
    '1 h 0 min',
    '47 h 0 min',
    '2 d 1 h',
  ]);
});

test('long words are broken, and the lines behind the first are indented', () => {
  assert.deepEqual(wrapped('one two three', 9), ['one two', '    three']);
  assert.deepEqual(wrapped('abcdefghijkl', 5), ['abcde', '    f', '    g', '    h', '    i', '    j', '    k', '    l']);
});
