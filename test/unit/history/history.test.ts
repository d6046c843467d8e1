import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DaemonError } from '../../../src/base/errors.ts';
import { silentLog, type Log } from '../../../src/base/log.ts';
import type { Operation, Step } from '../../../src/base/steps.ts';
import { History } from '../../../src/history/history.ts';

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pw-history-'));
  t.after(async () => rm(directory, { recursive: true, force: true }));
  return join(directory, 'history');
}

function open(directory: string, more: { mostBytes?: number; log?: Log; pauseMs?: number } = {}): History {
  return new History({ directory, mostBytes: 1024 * 1024, log: silentLog, pauseMs: 1, ...more });
}

let count = 0;

function operation(more: Partial<Operation> = {}): Operation {
  count += 1;
  const step: Step = { name: 'run CNI plugin', detail: 'bridge, ADD', pid: 7, parent: -1, startedMs: 1, durationMs: 2, error: undefined };
  return {
    what: 'create container',
    number: count,
    request: { requestId: 'r1', rpc: 'CreateContainer' },
    subject: { containerId: 'c1', sandboxId: 's1', name: 'shop/web/nginx' },
    startedAtMs: 1000 + count,
    durationMs: 5,
    error: undefined,
    facts: { exitCode: 3 },
    steps: [step, { ...step, parent: 0, durationMs: undefined, error: 'no route' }],
    notes: [{ atMs: 1, parent: 1, words: 'tried again' }],
    left: 2,
    ...more,
  };
}

function exec(containerId: string, more: Partial<Operation> = {}): Operation {
  return operation({ what: 'exec', subject: { containerId }, ...more });
}

async function numbersOf(history: History, ...texts: string[]): Promise<number[]> {
  const found: number[] = [];
  for await (const { number } of history.find(texts)) found.push(number);
  return found;
}

test('what has ended is found again, as it was, before and after it is on disk, and by another daemon', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory, { pauseMs: 60_000 });
  const one = operation();
  const other = operation({ subject: { sandboxId: 's2' }, error: 'it failed' });
  history.operationEnded(one);
  history.operationEnded(other);
  assert.deepEqual(await numbersOf(history, 's1'), [one.number]);
  assert.deepEqual(await numbersOf(history, 's2', 'nginx'), [one.number, other.number]);
  await history.close();
  const found: Operation[] = [];
  for await (const each of open(directory).find(['shop/web'])) found.push(each);
  assert.deepEqual(found, [{ ...one, steps: one.steps.map((step) => ({ ...step, pid: undefined })) }]);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
});

test('a reader that has left ends the reading of what is on disk', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  const error = 'e'.repeat(2000);
  for (let each = 0; each < 300; each += 1) history.operationEnded(operation({ steps: [{ ...operation().steps[0]!, error }] }));
  await history.close();
  const reader = new AbortController();
  const found: number[] = [];
  const read = async (): Promise<void> => {
    for await (const { number } of open(directory).find(['c1'], reader.signal)) {
      found.push(number);
      reader.abort(new DaemonError('Canceled', 'the client left'));
    }
  };
  await assert.rejects(read(), { kind: 'Canceled', message: 'the client left' });
  assert.ok(found.length > 0 && found.length < 300, String(found.length));
});

test('lines come to disk by themselves', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  for (let each = 0; each < 300; each += 1) history.operationEnded(operation());
  const lines = async (): Promise<number> =>
    (await readFile(join(directory, 'operations.jsonl'), 'utf8').catch(() => '')).split('\n').length;
  for (let tries = 0; (await lines()) < 301 && tries < 200; tries += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(await lines(), 301);
  await history.close();
});

test('a line that was cut by the death of a daemon is passed over, and so is what is none of ours', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  const before = operation();
  history.operationEnded(before);
  await history.close();
  const file = join(directory, 'operations.jsonl');
  const whole = await readFile(file, 'utf8');
  await appendFile(file, `{"what":7,"about":"c1"}\n[1,"c1"]\n${whole.slice(0, whole.length / 2)}`);
  const next = open(directory);
  assert.deepEqual(await numbersOf(next, 'c1'), [before.number]);
  const after = operation();
  next.operationEnded(after);
  await next.close();
  assert.deepEqual(await numbersOf(open(directory), 'c1'), [before.number, after.number]);
});

test('the space is bounded, and the newest stay', async (t) => {
  const directory = await newDirectory(t);
  const mostBytes = 64 * 1024;
  const history = open(directory, { mostBytes });
  let last = 0;
  for (let round = 0; round < 20; round += 1) {
    for (let each = 0; each < 30; each += 1) {
      const one = operation();
      last = one.number;
      history.operationEnded(one);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await history.close();
  const files = await readdir(directory);
  assert.deepEqual(files.sort(), ['operations.jsonl', 'operations.old.jsonl']);
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(directory, name))).size));
  assert.ok(
    sizes.every((size) => size <= mostBytes / 2 + 64 * 1024),
    String(sizes),
  );
  const found = await numbersOf(open(directory), 'c1');
  assert.equal(found.at(-1), last);
  assert.ok(found.length >= 20 && found.length < 600, String(found.length));
});

test('one operation takes bounded space', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  const step: Step = {
    name: 'run CNI plugin',
    detail: 'x'.repeat(300),
    pid: 0,
    parent: -1,
    startedMs: 0,
    durationMs: 1,
    error: 'y'.repeat(2000),
  };
  history.operationEnded(operation({ steps: Array.from({ length: 256 }, () => step), left: 0 }));
  await history.close();
  assert.ok((await stat(join(directory, 'operations.jsonl'))).size <= 64 * 1024);
  for await (const { steps, left } of open(directory).find(['c1'])) assert.deepEqual([steps.length, left], [64, 192]);
});

test('of execs that went well the last of each container are kept, with its end; of failures every one at first', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  const plain = Array.from({ length: 10 }, () => exec('c1'));
  const slow = exec('c1', { durationMs: 2000 });
  const failed = Array.from({ length: 20 }, () => exec('c2', { error: 'timed out' }));
  const end = operation({ what: 'container exit' });
  for (const each of [...plain, slow, ...failed]) history.operationEnded(each);
  assert.deepEqual(
    await numbersOf(history, 'c1'),
    [slow, ...plain.slice(-4)].map(({ number }) => number).sort((a, b) => a - b),
  );
  history.operationEnded(end);
  await history.close();
  const found = await numbersOf(open(directory), 'c1');
  assert.deepEqual(
    found,
    [slow, ...plain.slice(-4), end].map(({ number }) => number),
  );
  assert.equal((await numbersOf(open(directory), 'c2')).length, 8 + 4);
});

test('the same failure again and again is kept a few times, another one at once', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  for (let each = 0; each < 50; each += 1) history.operationEnded(operation({ error: 'no such image' }));
  const other = operation({ error: 'no space left' });
  history.operationEnded(other);
  await history.close();
  const found = await numbersOf(open(directory), 'c1');
  assert.equal(found.length, 9);
  assert.equal(found.at(-1), other.number);
});

test('a disk that takes nothing costs the history alone, and is said once', async (t) => {
  const directory = await newDirectory(t);
  await mkdir(join(directory, '..'), { recursive: true });
  await writeFile(directory, 'a file where the directory should be');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
  const history = open(directory, { log });
  for (let round = 0; round < 5; round += 1) {
    for (let each = 0; each < 200; each += 1) history.operationEnded(operation());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await history.close();
  assert.equal(warnings.length, 1);
});

test('a failure that comes again with other ids, pids and addresses is the same failure', async (t) => {
  const directory = await newDirectory(t);
  const history = open(directory);
  for (let round = 0; round < 50; round += 1) {
    const id = randomBytes(32).toString('hex');
    const error = `CNI plugin bridge for ${id}: 10.1.0.${round} is taken by process ${1000 + round}`;
    history.operationEnded(operation({ what: 'run pod sandbox', subject: { sandboxId: id, name: 'shop/web' }, error }));
  }
  await history.close();
  const lines = (await readFile(join(directory, 'operations.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.equal(lines.length, 8);
});
