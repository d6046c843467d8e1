import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../api/nri/messages.ts';
import { encodeParts } from '../../../src/nri/synchronize.ts';
import { containerOf, podOf } from '../../support/nri-lab.ts';

const pods = Array.from({ length: 40 }, (_, index) => podOf({ id: `p${index}`, name: 'n'.repeat(index * 7) }));
const containers = Array.from({ length: 90 }, (_, index) => containerOf({ id: `c${index}`, env: [`A=${'v'.repeat((index * 31) % 400)}`] }));

test('what fits is one request, as the codec has it', async () => {
  const parts = await encodeParts({ pods, containers }, 4 * 1024 * 1024);
  assert.deepEqual(parts, [Buffer.from(messages.SynchronizeRequest.encode({ pods, containers }))]);
});

test('nothing at all is one empty request', async () => {
  assert.deepEqual(await encodeParts({ pods: [], containers: [] }, 1000), [Buffer.alloc(0)]);
});

test('what does not fit comes in parts that each fit, all objects once and in their order', async () => {
  for (const mostBytes of [700, 1000, 5000]) {
    const parts = await encodeParts({ pods, containers }, mostBytes);
    assert.ok(parts.length > 1);
    for (const [index, part] of parts.entries()) {
      assert.ok(part.length + 2 <= mostBytes, `${part.length} bytes`);
      // No part could have taken the next one's first object: none is sent half empty.
      if (index > 0) assert.ok(part.length > 0);
    }
    const read = parts.map((part) => messages.SynchronizeRequest.decode(part));
    assert.deepEqual(
      read.flatMap((request) => request.pods),
      pods,
    );
    assert.deepEqual(
      read.flatMap((request) => request.containers),
      containers,
    );
  }
});

test('one object that is too large is named', async () => {
  await assert.rejects(encodeParts({ pods: [], containers: [containerOf({ id: 'huge', env: ['x'.repeat(2000)] })] }, 1000), {
    kind: 'ResourceExhausted',
    message: /^container huge alone is 20\d\d bytes for an NRI plugin, must be at most 1000$/,
  });
});
