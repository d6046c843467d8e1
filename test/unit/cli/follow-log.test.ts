import assert from 'node:assert/strict';
import { appendFile, mkdtemp, open, rename, stat, truncate, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { remove } from 'fs-extra/esm';
import { followLog, readToEnd } from '../../../src/cli/follow-log.ts';
import { LogParser } from '../../../src/cli/log-parser.ts';
import { tailStart } from '../../../src/cli/log-tail.ts';

const line = (text: string, stream = 'stdout', tag = 'F'): string => `2026-01-02T03:04:05.123456789Z ${stream} ${tag} ${text}\n`;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwright-logs-'));
  path = join(folder, '0.log');
});
afterEach(async () => {
  await remove(folder);
});

/** What `--tail count` shows of the log, both streams in order. */
async function tail(count: number): Promise<string> {
  const file = await open(path);
  const { size } = await stat(path);
  const from = await tailStart(file, size, count);
  let text = '';
  const parser = new LogParser({ timestamps: false, from }, (_stream, piece) => { text += piece.toString(); }); // prettier-ignore
  await readToEnd(file, Math.min(from.stdout, from.stderr), { read: async (chunk, position) => { parser.push(chunk, position); } }); // prettier-ignore
  await file.close();
  return text;
}

test('the last lines are those of the container, put together from their pieces', async () => {
  const log = [line('1'), line('2a', 'stdout', 'P'), line('e1', 'stderr'), line('2b'), line('e2', 'stderr'), line('3')];
  await writeFile(path, log.join(''));
  assert.equal(await tail(0), '');
  assert.equal(await tail(1), '3\n');
  assert.equal(await tail(2), 'e2\n3\n');
  assert.equal(await tail(3), '2a2b\ne2\n3\n');
  assert.equal(await tail(4), '2ae1\n2b\ne2\n3\n');
  assert.equal(await tail(100), '1\n2ae1\n2b\ne2\n3\n');
  await appendFile(path, line('unfinished', 'stdout', 'P'));
  assert.equal(await tail(1), 'unfinished');
  await writeFile(path, '');
  assert.equal(await tail(5), '');
});

test('the last lines are found behind blocks of any number, and in a line that is larger than one', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => line(`line ${index}`));
  await writeFile(path, many.join(''));
  assert.equal(await tail(3), 'line 19997\nline 19998\nline 19999\n');
  assert.equal((await tail(15_000)).split('\n')[0], 'line 5000');
  await writeFile(path, line('before') + line('x'.repeat(300_000)) + line('after'));
  assert.equal(await tail(2), `${'x'.repeat(300_000)}\nafter\n`);
  assert.equal((await tail(3)).slice(0, 7), 'before\n');
});

test('a log that grows is followed through rotations, none of its lines lost or told twice, and to its end', async () => {
  await writeFile(path, line('1'));
  let over = false;
  let text = '';
  let missed = 0;
  const parser = new LogParser({ timestamps: false }, (_stream, piece) => { text += piece.toString(); }); // prettier-ignore
  const reader = {
    read: async (chunk: Buffer, position: number) => {
      parser.push(chunk, position);
    },
    nextFile: () => {
      parser.nextFile();
    },
    missed: () => {
      missed += 1;
    },
  };
  const followed = followLog(path, await open(path), 0, async () => over, reader);
  const until = async (words: string): Promise<void> => {
    for (let round = 0; round < 500 && !text.endsWith(words); round += 1) await sleep(10);
    assert.ok(text.endsWith(words), `not followed to ${words}: ${text}`);
  };
  await until('1\n');
  await appendFile(path, line('2'));
  await until('2\n');
  await rename(path, `${path}.20260101-000001`);
  await appendFile(`${path}.20260101-000001`, line('3')); // before the writer has opened its log again
  await writeFile(path, line('4'));
  await until('4\n');
  // Twice before anybody looks: the file between has a name of its own.
  await rename(path, `${path}.20260101-000002`);
  await writeFile(`${path}.20260101-000003`, line('5'));
  await writeFile(path, line('6'));
  await until('6\n');
  await truncate(path, 0);
  await sleep(50);
  await appendFile(path, line('7'));
  await until('7\n');
  await appendFile(path, line('8'));
  over = true;
  await followed;
  assert.equal(text, '1\n2\n3\n4\n5\n6\n7\n8\n');
  assert.equal(missed, 0);
});

test('what comes between the last look into a log and its rotation is not lost', async () => {
  await writeFile(path, line('1'));
  const file = await open(path);
  let isRotated = false;
  /** The file itself, but that the log is written and rotated at the worst moment. */
  const worst = {
    read: file.read.bind(file),
    close: file.close.bind(file),
    stat: async () => {
      if (!isRotated) {
        isRotated = true;
        await appendFile(path, line('2'));
        await rename(path, `${path}.20260101-000001`);
        await writeFile(path, line('3'));
      }
      return file.stat();
    },
  } as unknown as FileHandle;
  let text = '';
  const parser = new LogParser({ timestamps: false }, (_stream, piece) => { text += piece.toString(); }); // prettier-ignore
  await followLog(path, worst, 0, async () => true, {
    read: async (chunk, position) => {
      parser.push(chunk, position);
    },
    nextFile: () => {
      parser.nextFile();
    },
    missed: () => assert.fail('nothing is missing'),
  });
  assert.equal(text, '1\n2\n3\n');
});
