import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import type { Operation, Step } from '../../../src/base/steps.ts';
import { Explainer, type ExplainerParts } from '../../../src/explain/explainer.ts';
import { History } from '../../../src/history/history.ts';
import { lineOf } from '../../../src/history/line.ts';

test('what is told of a pod with a long history has an end, however many containers and steps it had', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-explainer-'));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  const step: Step = {
    name: 'write record',
    detail: 'd'.repeat(100),
    pid: undefined,
    parent: -1,
    startedMs: 1,
    durationMs: 1,
    error: undefined,
  };
  const lines = Array.from({ length: 1500 }, (_, index): string => {
    const operation: Operation = {
      what: 'create container',
      number: index,
      request: undefined,
      subject: { sandboxId: 'a'.repeat(64), containerId: randomBytes(32).toString('hex'), name: `shop/web/c${index % 60}` },
      startedAtMs: 1000 + index,
      durationMs: 5,
      error: undefined,
      facts: {},
      steps: new Array<Step>(100).fill(step),
      notes: [],
      left: 0,
    };
    return lineOf(operation);
  });
  await writeFile(join(directory, 'operations.jsonl'), lines.join(''));
  const none = { store: { list: () => [], listCreating: () => [], get: () => undefined } };
  const parts = {
    sandboxes: none,
    containers: none,
    images: { list: () => [], resolve: () => undefined },
    history: new History({ directory, mostBytes: 64 * 1024 * 1024, log: silentLog }),
    pulls: () => [],
    describeWait: async () => Promise.resolve(undefined),
  } as unknown as ExplainerParts;
  const { containers, object } = await new Explainer(parts).explain('shop/web');
  assert.equal(object.state, 'gone');
  assert.equal(containers.length, 60);
  const told = containers.flatMap(({ operations }) => operations);
  assert.ok(told.length <= 256 && told.length >= 200, String(told.length));
  const [newest] = containers.filter(({ name }) => name === 'shop/web/c59');
  assert.ok(newest !== undefined && newest.left > 0, 'that older ones are left out is told');
  assert.equal(newest.operations.at(-1)?.number, 1499);
});
