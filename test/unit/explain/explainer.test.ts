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

const { signal } = new AbortController();
const none = { store: { list: () => [], listCreating: () => [], get: () => undefined } };

function explainerOf(parts: object): Explainer {
  return new Explainer({
    sandboxes: none,
    containers: none,
    images: { list: () => [], resolve: () => undefined },
    pulls: () => [],
    describeWait: async () => Promise.resolve(undefined),
    ...parts,
  } as unknown as ExplainerParts);
}

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
  const history = new History({ directory, mostBytes: 64 * 1024 * 1024, log: silentLog });
  const { containers, object } = await explainerOf({ history }).explain('shop/web', signal);
  assert.equal(object.state, 'gone');
  assert.equal(containers.length, 60);
  const told = containers.flatMap(({ operations }) => operations);
  assert.ok(told.length <= 256 && told.length >= 200, String(told.length));
  const [newest] = containers.filter(({ name }) => name === 'shop/web/c59');
  assert.ok(newest !== undefined && newest.left > 0, 'that older ones are left out is told');
  assert.equal(newest.operations.at(-1)?.number, 1499);
});

/** A history of `lines`, which keeps what it is asked for. */
function listening(operations: readonly Operation[]): { readonly asked: (readonly string[])[]; readonly history: object } {
  const asked: (readonly string[])[] = [];
  const find = async function* (texts: readonly string[]): AsyncGenerator<Operation> {
    asked.push(texts);
    await Promise.resolve();
    for (const each of operations) if (texts.some((text) => lineOf(each).includes(text))) yield each;
  };
  return { asked, history: { find } };
}

function operation(number: number, more: Pick<Operation, 'what' | 'subject'> & Partial<Operation>): Operation {
  const ended = {
    request: undefined,
    startedAtMs: 1000 + number,
    durationMs: 5,
    error: undefined,
    facts: {},
    steps: [],
    notes: [],
    left: 0,
  };
  return { number, ...ended, ...more };
}

const idOf = (number: number): string => number.toString(16).padStart(64, '0');

test('a container that was made again and again is told whole, and the history is asked for few texts', async () => {
  const made = Array.from({ length: 500 }, (_, number) =>
    operation(number, { what: 'container exit', subject: { containerId: idOf(number), sandboxId: 'a'.repeat(64), name: 'shop/web/app' } }),
  );
  const nameless = operation(500, { what: 'stop container', subject: { containerId: idOf(499) } });
  const { asked, history } = listening([...made, nameless]);
  const { object } = await explainerOf({ history }).explain('shop/web/app', signal);
  assert.deepEqual([object.id, object.others?.length], [idOf(499), 499]);
  assert.deepEqual([object.operations.length, object.left, object.operations.at(-1)?.number], [64, 437, 500]);
  assert.deepEqual(Math.max(...asked.map((texts) => texts.length)), 33);
});

test('an image of ten thousand names is told with its pulls by any of them, and the history is asked for few texts', async () => {
  const id = `sha256:${'e'.repeat(64)}`;
  const names = Array.from({ length: 10_000 }, (_, number) => `registry.test/team/app-${number}:1`);
  const byName = operation(1, { what: 'pull image', subject: { image: 'registry.test/team/app-7:1' } });
  const byId = operation(2, { what: 'pull image', subject: { image: 'mirror.test/app' }, facts: { imageId: id } });
  const other = operation(3, { what: 'pull image', subject: { image: 'registry.test/team/app-7:2' } });
  const { asked, history } = listening([byName, byId, other]);
  const images = { list: () => [{ id, names }], resolve: () => ({ id, names }) };
  const { object } = await explainerOf({ history, images }).explain('registry.test/team/app-9999:1', signal);
  assert.deepEqual(
    object.operations.map(({ number }) => number),
    [1, 2],
  );
  assert.deepEqual(Math.max(...asked.map((texts) => texts.length)), 33);
  assert.ok(asked.at(-1)?.includes('app-9999'), 'the name that was asked for is among them');
});
