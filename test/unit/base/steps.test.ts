import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import {
  addStepSink,
  currentOperation,
  currentRequest,
  inRequest,
  note,
  operation,
  operationHas,
  operationIsAbout,
  operationsUnderWay,
  outsideOfRequests,
  step,
  stepIs,
} from '../../../src/base/steps.ts';
import type { Operation, Step } from '../../../src/base/steps.ts';

function collect(t: { after: (end: () => void) => void }): { operations: Operation[]; steps: [Step, Operation | undefined][] } {
  const heard = { operations: [] as Operation[], steps: [] as [Step, Operation | undefined][] };
  t.after(
    addStepSink({
      operationEnded: (ended) => heard.operations.push(ended),
      stepEnded: (ended, of) => heard.steps.push([ended, of]),
    }),
  );
  return heard;
}

test('steps know their operation, their call and the step that they are a part of', async (t) => {
  const heard = collect(t);
  const answer = await inRequest({ requestId: 'r1', rpc: 'RunPodSandbox' }, async () =>
    operation('run pod sandbox', { name: 'shop/web' }, async () => {
      operationIsAbout({ sandboxId: 's1' });
      await Promise.all([
        step('attach network', async () => step('run CNI plugin', async () => sleep(5), 'bridge, ADD')),
        step('make pod files', async () => sleep(1)),
      ]);
      return 7;
    }),
  );
  assert.equal(answer, 7);
  const [made] = heard.operations;
  assert.deepEqual(
    [made?.what, made?.subject, made?.request?.rpc],
    ['run pod sandbox', { name: 'shop/web', sandboxId: 's1' }, 'RunPodSandbox'],
  );
  assert.deepEqual(
    made?.steps.map(({ name, parent, detail }) => [name, parent, detail]),
    [
      ['attach network', -1, ''],
      ['run CNI plugin', 0, 'bridge, ADD'],
      ['make pod files', -1, ''],
    ],
  );
  assert.ok(made.steps.every(({ durationMs }) => durationMs !== undefined) && made.durationMs! >= made.steps[1]!.durationMs!);
  assert.equal(heard.steps.length, 3);
});

test('what fails is kept with its words, and thrown on', async (t) => {
  const heard = collect(t);
  const failing = operation('stop container', { containerId: 'c1' }, async () => {
    note('the signal was sent');
    await step('send signal', async () => Promise.reject(new Error('x'.repeat(5000))));
  });
  await assert.rejects(failing, /^Error: x{5000}$/);
  const [made] = heard.operations;
  assert.equal(made?.error?.length, 2003);
  assert.equal(made.steps[0]?.error?.length, 2003);
  assert.deepEqual(
    made.notes.map(({ words }) => words),
    ['the signal was sent'],
  );
});

test('what is under way is seen, and what an operation leaves running is none of it any more', async (t) => {
  const heard = collect(t);
  const { promise: gate, resolve: openGate } = Promise.withResolvers<undefined>();
  let after: Promise<void> | undefined;
  await operation('start container', { containerId: 'c1' }, async () => {
    const [seen] = operationsUnderWay();
    assert.equal(seen, currentOperation());
    await step('run OCI runtime', async () => {
      assert.deepEqual(
        seen?.steps.map(({ durationMs }) => durationMs),
        [undefined],
      );
      return Promise.resolve();
    });
    after = (async () => {
      await gate;
      assert.equal(currentOperation(), undefined);
      note('too late');
      await step('sweep processes', async () => Promise.resolve());
    })();
  });
  assert.deepEqual(operationsUnderWay(), []);
  openGate(undefined);
  await after;
  assert.deepEqual(
    heard.steps.map(([{ name }, of]) => [name, of?.what]),
    [
      ['run OCI runtime', 'start container'],
      ['sweep processes', undefined],
    ],
  );
  assert.deepEqual(heard.operations[0]?.notes, []);
});

test('no more than 256 steps and notes are kept, and what is left out is counted', async (t) => {
  const heard = collect(t);
  await operation('pull image', { image: 'a' }, async () => {
    for (let count = 0; count < 300; count += 1) {
      await step('fetch layer', async () => Promise.resolve(), 'd'.repeat(1000));
      note('again');
    }
  });
  const [made] = heard.operations;
  assert.deepEqual([made?.steps.length, made?.notes.length, made?.left], [256, 256, 88]);
  assert.equal(made?.steps[0]?.detail.length, 303);
  assert.equal(heard.steps.length, 300);
});

test('what a call only happens to begin is outside of it', async () => {
  await inRequest({ requestId: 'r1', rpc: 'PullImage' }, async () => {
    assert.equal(currentRequest()?.requestId, 'r1');
    outsideOfRequests(() => {
      assert.equal(currentRequest(), undefined);
    });
    return Promise.resolve();
  });
  assert.equal(currentRequest(), undefined);
});

test('a step says more of itself while it goes on, and an operation what came of it', async (t) => {
  const heard = collect(t);
  await operation('exec', { containerId: 'c1' }, async () => {
    await step(
      'run command',
      async () => {
        stepIs({ pid: 77 });
        stepIs({ also: 'from one' });
        stepIs({ also: 'from one' });
        stepIs({ also: 'from two' });
        assert.deepEqual(
          operationsUnderWay().flatMap(({ steps }) => steps.map(({ pid, detail }) => [pid, detail])),
          [[77, 'true, from one, from two']],
        );
        return Promise.resolve();
      },
      'true',
    );
    stepIs({ pid: 78 });
    operationHas({ exitCode: 3 });
    operationHas({ reason: 'Error' });
  });
  stepIs({ pid: 79 });
  operationHas({ exitCode: 4 });
  assert.deepEqual(heard.operations[0]?.facts, { exitCode: 3, reason: 'Error' });
  assert.deepEqual(
    heard.operations.flatMap(({ steps }) => steps).map(({ pid }) => pid),
    [77],
  );
});
