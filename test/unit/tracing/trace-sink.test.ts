import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { addStepSink, inRequest, note, operation, requestBegan, requestEnded, step } from '../../../src/base/steps.ts';
import { traceSink } from '../../../src/tracing/trace-sink.ts';
import type { SpanEnd, SpanStart, SpanWriter } from '../../../src/tracing/span-writer.ts';

interface Written {
  readonly start: SpanStart;
  readonly id: string;
  readonly events: string[];
  ended?: SpanEnd;
}

const written: Written[] = [];
let isKept = true;
const writer: SpanWriter = {
  start: (start) => {
    if (!isKept && start.parent === undefined) return undefined;
    const span: Written = { start, id: String(written.length), events: [] };
    written.push(span);
    return {
      ids: { traceId: 't', spanId: span.id },
      event: (words) => {
        span.events.push(words);
      },
      end: (end) => {
        span.ended = end;
      },
    };
  },
  close: async () => Promise.resolve(),
};
const remove = addStepSink(traceSink(writer));
afterEach(() => {
  written.length = 0;
  isKept = true;
});
test.after(() => {
  remove();
});

const tree = (): string[] => written.map(({ start, id }) => `${id} ${start.name} < ${start.parent?.spanId ?? 'none'}`);

test('spans are within each other as what they are of, and all have ended', async () => {
  const request = requestBegan({ requestId: 'r', rpc: 'RunPodSandbox' });
  assert.deepEqual(request.trace, { traceId: 't', spanId: '0' });
  await inRequest(request, async () =>
    operation('run pod sandbox', { sandboxId: 's' }, async () => {
      await step('attach network', async () => {
        await step('run CNI plugin', async () => Promise.resolve(), 'bridge');
        note('tried again');
      });
      await step('write record', async () => Promise.resolve());
    }),
  );
  requestEnded(request, { code: 'OK', error: undefined });

  assert.deepEqual(tree(), [
    '0 RunPodSandbox < none',
    '1 run pod sandbox < 0',
    '2 attach network < 1',
    '3 run CNI plugin < 2',
    '4 write record < 1',
  ]);
  assert.deepEqual(written[2]?.events, ['tried again']);
  assert.equal(written[1]?.start.attributes['podwright.sandbox_id'], 's');
  for (const { start, ended } of written) assert.ok(ended!.endedAtMs >= start.startedAtMs, start.name);
});

test('what fails says why, in each span that it went through', async () => {
  const request = requestBegan({ requestId: 'r', rpc: 'CreateContainer' });
  const failing = inRequest(request, async () =>
    operation('create container', {}, async () => step('build spec', async () => Promise.reject(new Error('no such user')))),
  );
  await assert.rejects(failing);
  requestEnded(request, { code: 'NOT_FOUND', error: 'no such user' });

  for (const { ended } of written) assert.equal(ended?.error, 'no such user');
});

test('nothing of a call that is not kept leaves a span, and a step that outlives its operation is cut', async () => {
  isKept = false;
  const request = requestBegan({ requestId: 'r', rpc: 'StopContainer' });
  await inRequest(request, async () => operation('stop container', {}, async () => step('send signal', async () => Promise.resolve())));
  requestEnded(request, { code: 'OK', error: undefined });
  assert.deepEqual(tree(), []);

  isKept = true;
  await operation('restore state', {}, async () => {
    void step('wait for turn', async () => new Promise<void>((resolve) => setTimeout(resolve, 20)));
    await Promise.resolve();
  });
  assert.deepEqual(tree(), ['0 restore state < none', '1 wait for turn < 0']);
  assert.equal(written[1]?.ended?.endedAtMs, written[0]?.ended?.endedAtMs);
});
