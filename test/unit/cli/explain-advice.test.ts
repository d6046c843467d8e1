import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviceOn } from '../../../src/cli/explain-advice.ts';
import type { ExplainedEnd, ExplainedObject, ExplainedOperation, ExplainedStep } from '../../../src/base/explanation.ts';

function work(steps: readonly Partial<ExplainedStep>[], more: Partial<ExplainedOperation> = {}): ExplainedOperation {
  const whole = steps.map((each) => ({
    name: 'undo',
    words: '',
    detail: '',
    parent: -1,
    startedMs: 0,
    durationMs: 0,
    isUnderWay: false,
    ...each,
  }));
  const rest = { number: 1, about: {}, startedAt: '', durationMs: 0, isUnderWay: false, facts: {}, notes: [], left: 0, waits: [] };
  return { what: 'run pod sandbox', ...rest, steps: whole, ...more };
}

function object(operations: readonly ExplainedOperation[], end?: ExplainedEnd): ExplainedObject {
  const state = { kind: 'container', id: '', name: 'shop/web/app', state: 'Exited', left: 0 } as const;
  return { ...state, operations, ...(end === undefined ? {} : { end }) };
}

function advice(...operations: ExplainedOperation[]): { words: string; lookAt: string }[] {
  return adviceOn({ asked: '', at: '', object: object(operations), containers: [], pulls: [] });
}

test('a failure is told by the step that it began in, not by those around it or the undoing', () => {
  const [told, ...more] = advice(
    work(
      [
        { name: 'attach network', durationMs: 9, error: 'cni: no address is free' },
        { name: 'run CNI plugin', detail: 'bridge of pods, ADD', parent: 0, durationMs: 8, error: 'no address is free' },
        { name: 'undo', durationMs: 1, error: 'the disk is full' },
      ],
      { durationMs: 12, error: 'run pod sandbox a: cni: no address is free' },
    ),
  );
  assert.equal(told?.words, 'run pod sandbox failed at "run CNI plugin: bridge of pods, ADD": no address is free');
  assert.match(told.lookAt, /cni\.conf_dir/);
  assert.deepEqual(more, []);
});

test('a failure counts until the same work went well, or failed again', () => {
  const [failed, again, well] = [work([], { error: 'first' }), work([], { error: 'second' }), work([])];
  assert.deepEqual(
    advice(failed, again).map(({ words }) => words),
    ['run pod sandbox failed: second'],
  );
  assert.deepEqual(advice(failed, well), []);
  assert.equal(advice(failed, { ...well, what: 'exec' }).length, 1);
});

test('what does not end is told by the innermost step, once it takes long, with what it waits for', () => {
  const steps = [
    { name: 'attach network', startedMs: 100, durationMs: 20_100, isUnderWay: true },
    { name: 'run CNI plugin', detail: 'slow of pods, ADD', parent: 0, startedMs: 200, durationMs: 20_000, isUnderWay: true },
    { name: 'make pod files', startedMs: 100, durationMs: 3 },
  ];
  assert.deepEqual(advice(work(steps, { isUnderWay: true, durationMs: 4000 })), []);
  const waits = [{ step: 1, since: '', what: 'running', words: 'pid 7 sleeps' }];
  const [told] = advice(work(steps, { isUnderWay: true, durationMs: 20_200, waits }));
  assert.equal(told?.words, 'run pod sandbox waits at "run CNI plugin: slow of pods, ADD" for 20.00 s: pid 7 sleeps');
});

test('words of programs lead to what helps', () => {
  const look = (error: string): string => advice(work([], { durationMs: 5, error }))[0]?.lookAt ?? '';
  assert.match(look('exec: "nope": executable file not found in $PATH'), /does not have this program/);
  assert.match(look('manifest unknown'), /image resolve/);
  assert.match(look('401 Unauthorized'), /imagePullSecrets/);
  assert.match(look('write: no space left on device'), /prune/);
  assert.match(look('something else'), /request id/);
});

test('what went well but slowly is told by what took most of it; a command takes as long as it takes', () => {
  const slow = work(
    [
      { name: 'attach network', durationMs: 9000 },
      { name: 'run CNI plugin', detail: 'slow of pods, ADD', parent: 0, durationMs: 8900 },
    ],
    { durationMs: 10_000 },
  );
  assert.deepEqual(
    advice(slow).map(({ words }) => words),
    ['run pod sandbox took 10.00 s, 89 % of it "run CNI plugin: slow of pods, ADD"'],
  );
  assert.deepEqual(advice({ ...slow, durationMs: 4000 }, { ...slow, what: 'exec' }), []);
});

test('an end is told with its reason, but for a good one', () => {
  const end = (exitCode: number, reason: string, message = ''): string[] => {
    const ended = object([], { exitCode, reason, message, finishedAt: '' });
    return adviceOn({ asked: '', at: '', object: ended, containers: [], pulls: [] }).map(({ words, lookAt }) => `${words} -> ${lookAt}`);
  };
  assert.deepEqual(end(0, 'Completed'), []);
  assert.match(
    end(137, 'OOMKilled', 'the limit of the pod, 64 MiB')[0]!,
    /exit code 137, OOMKilled: the limit of the pod, 64 MiB -> the memory limit/,
  );
  assert.match(end(137, 'Error')[0]!, /grace period/);
  assert.match(end(1, 'Error')[0]!, /podwright logs/);
});
