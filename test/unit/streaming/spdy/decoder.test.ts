import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { kindOf } from '../../../../src/base/errors.ts';
import { FrameDecoder } from '../../../../src/streaming/spdy/decoder.ts';
import { controlFrame, FrameType, goAway, ping, rstStream, RstStatus, type Frame } from '../../../../src/streaming/spdy/frames.ts';
import { HeaderReader } from '../../../../src/streaming/spdy/headers.ts';
import { dataFrame, synStream, word } from '../../../support/streaming/spdy-bytes.ts';

async function recorded(name: string): Promise<Buffer> {
  const text = await readFile(new URL(`../../../fixtures/streaming/${name}.hex`, import.meta.url), 'utf8');
  return Buffer.from(text.replaceAll('\n', ''), 'hex');
}

/** The frames with the pieces of each DATA frame put together again. */
function merged(frames: readonly Frame[]): Frame[] {
  const result: Frame[] = [];
  for (const frame of frames) {
    const last = result.at(-1);
    if (frame.is === 'Data' && last?.is === 'Data' && last.streamId === frame.streamId && !last.fin) {
      result[result.length - 1] = { ...frame, data: Buffer.concat([last.data, frame.data]) };
    } else result.push(frame);
  }
  return result;
}

function decodeIn(pieces: readonly Buffer[]): Frame[] {
  const decoder = new FrameDecoder();
  return merged(pieces.flatMap((piece) => decoder.push(piece)));
}

/** Cuts bytes at places that a seed decides. */
function cuts(bytes: Buffer, seed: number): Buffer[] {
  const pieces: Buffer[] = [];
  let state = seed;
  for (let offset = 0; offset < bytes.length;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const end = Math.min(bytes.length, offset + 1 + (state % (seed % 2 === 0 ? 9 : 97)));
    pieces.push(bytes.subarray(offset, end));
    offset = end;
  }
  return pieces;
}

const everyKind = Buffer.concat([
  synStream(1, Buffer.from('block one')),
  synStream(3, Buffer.alloc(0), true),
  controlFrame(FrameType.Settings, 0, [2, 0x01000004, 100, 7, 65_536]),
  dataFrame(1, Buffer.from('hello')),
  dataFrame(1, Buffer.alloc(0), true),
  controlFrame(FrameType.Headers, 1, [3], Buffer.from('more')),
  controlFrame(FrameType.SynReply, 0, [2], Buffer.from('reply')),
  ping(5),
  controlFrame(77, 0, [1, 2, 3]),
  controlFrame(FrameType.WindowUpdate, 0, [1, 4096]),
  rstStream(3, RstStatus.Cancel),
  dataFrame(5, Buffer.alloc(300, 'x'), true),
  goAway(5, 0),
]);
const everyKindFrames: Frame[] = [
  { is: 'SynStream', streamId: 1, fin: false, headerBlock: Buffer.from('block one') },
  { is: 'SynStream', streamId: 3, fin: true, headerBlock: Buffer.alloc(0) },
  {
    is: 'Settings',
    entries: [
      { id: 4, value: 100 },
      { id: 7, value: 65_536 },
    ],
  },
  { is: 'Data', streamId: 1, data: Buffer.from('hello'), fin: false },
  { is: 'Data', streamId: 1, data: Buffer.alloc(0), fin: true },
  { is: 'Headers', streamId: 3, fin: true, headerBlock: Buffer.from('more') },
  { is: 'SynReply', streamId: 2, fin: false, headerBlock: Buffer.from('reply') },
  { is: 'Ping', id: 5 },
  { is: 'WindowUpdate', streamId: 1, deltaBytes: 4096 },
  { is: 'RstStream', streamId: 3, status: 5 },
  { is: 'Data', streamId: 5, data: Buffer.alloc(300, 'x'), fin: true },
  { is: 'GoAway', lastGoodStreamId: 5, status: 0 },
];

test('FrameDecoder reads every kind of frame and skips unknown ones', () => {
  assert.deepEqual(decodeIn([everyKind]), merged(everyKindFrames));
});

test('FrameDecoder reads the same frames byte by byte, cut in two anywhere, and cut at random', () => {
  assert.deepEqual(decodeIn([...everyKind].map((byte) => Buffer.of(byte))), merged(everyKindFrames));
  for (let cut = 1; cut < everyKind.length; cut += 1) {
    assert.deepEqual(decodeIn([everyKind.subarray(0, cut), everyKind.subarray(cut)]), merged(everyKindFrames), `cut at ${cut}`);
  }
  for (let seed = 1; seed <= 200; seed += 1) assert.deepEqual(decodeIn(cuts(everyKind, seed)), merged(everyKindFrames), `seed ${seed}`);
});

for (const name of ['exec-v4', 'exec-tty', 'portforward']) {
  test(`FrameDecoder reads the recorded ${name} the same however it is cut`, async () => {
    const bytes = await recorded(name);
    const whole = decodeIn([bytes]);
    for (let seed = 1; seed <= 100; seed += 1) assert.deepEqual(decodeIn(cuts(bytes, seed)), whole, `seed ${seed}`);
  });
}

test('the recorded exec opens its streams in order and sends its input', async () => {
  const reader = new HeaderReader();
  const seen: string[] = [];
  for (const frame of decodeIn([await recorded('exec-v4')])) {
    if (frame.is === 'SynStream') seen.push(`${frame.streamId} ${(await reader.read(frame.headerBlock)).get('streamtype') ?? ''}`);
    else if (frame.is === 'Data') seen.push(`${frame.streamId} ${JSON.stringify(frame.data.toString())} ${frame.fin}`);
    else seen.push(frame.is);
  }
  reader.close();

  assert.deepEqual(seen, ['1 error', '3 stdin', '5 stdout', '7 stderr', '3 "hello, container\\n" true']);
});

test('the recorded port-forward opens three pairs of streams', async () => {
  const reader = new HeaderReader();
  const pairs: string[] = [];
  for (const frame of decodeIn([await recorded('portforward')])) {
    if (frame.is !== 'SynStream') continue;
    const headers = await reader.read(frame.headerBlock);
    pairs.push(`${frame.streamId} ${headers.get('streamtype') ?? ''} ${headers.get('requestid') ?? ''}`);
  }
  reader.close();

  assert.deepEqual(pairs, ['1 error 0', '3 data 0', '5 error 1', '7 data 1', '9 error 2', '11 data 2']);
});

const garbage: Record<string, Buffer> = {
  'another version': Buffer.from('8002000600000004' + '00000001', 'hex'),
  'a huge control frame': Buffer.from('8003000100ffffff', 'hex'),
  'a short SYN_STREAM': controlFrame(FrameType.SynStream, 0, [1]),
  'a short RST_STREAM': controlFrame(FrameType.RstStream, 0, [1]),
  'a short PING': controlFrame(FrameType.Ping, 0, []),
  'a short GOAWAY': controlFrame(FrameType.GoAway, 0, [1]),
  'a short WINDOW_UPDATE': controlFrame(FrameType.WindowUpdate, 0, [1]),
  'more settings than fit': controlFrame(FrameType.Settings, 0, [0x10000000, 1, 2]),
  'data for stream 0': dataFrame(0, word(1)),
};
for (const [what, bytes] of Object.entries(garbage)) {
  test(`FrameDecoder refuses ${what}`, () => {
    assert.throws(
      () => new FrameDecoder().push(bytes),
      (error) => kindOf(error) === 'InvalidArgument',
    );
  });
}
