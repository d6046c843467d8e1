import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { close, closeAll, ended, makePipes, pipe, readText, writeAndClose } from '../../../src/linux/pipes.ts';
import { Socket } from 'node:net';

const openDescriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

test('readText() gives what was written until the end, cut at the limit', async () => {
  const { readEnd, writeEnd } = pipe();
  const reading = readText(readEnd, 5);
  writeAndClose(writeEnd, 'hello world');
  assert.equal(await reading.text, 'hello');
});

test('readText() of the first line does not wait for the end', async () => {
  const { readEnd, writeEnd } = pipe();
  const reading = readText(readEnd, 100, true);
  const writer = new Socket({ fd: writeEnd, readable: false, writable: true });
  writer.write('{"pid": 7}\n');
  assert.equal(await reading.text, '{"pid": 7}\n');
  reading.stop();
  writer.destroy();
});

test('readText() that is stopped gives what it has', async () => {
  const { readEnd, writeEnd } = pipe();
  const reading = readText(readEnd, 100);
  reading.stop();
  reading.stop();
  assert.equal(await reading.text, '');
  close(writeEnd);
});

test('writing to a reader that has gone is no error, and leaves no descriptor', async () => {
  const before = await openDescriptors();
  const { readEnd, writeEnd } = pipe();
  close(readEnd);
  writeAndClose(writeEnd, 'x');
  assert.equal(await openDescriptors(), before);
});

test('makePipes() gives as many as asked for', async () => {
  const before = await openDescriptors();
  const pipes = makePipes(3);
  assert.equal(new Set(pipes.flatMap(({ readEnd, writeEnd }) => [readEnd, writeEnd])).size, 6);
  closeAll(pipes.flatMap(({ readEnd, writeEnd }) => [readEnd, writeEnd]));
  assert.equal(await openDescriptors(), before);
});

test('ended() resolves for a reader that had ended before anybody asked', async () => {
  const { readEnd, writeEnd } = pipe();
  const socket = new Socket({ fd: readEnd, readable: true, writable: false });
  socket.resume();
  close(writeEnd);
  await ended(socket);
  await ended(socket);
});
