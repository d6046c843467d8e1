import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { LayerSnapshot, PullSnapshot } from '../../../src/base/pull-snapshot.ts';
import { PlainProgress } from '../../../src/cli/plain-progress.ts';
import { bytesText, durationText, partText, pullLines } from '../../../src/cli/pull-view.ts';
import { Redraw } from '../../../src/cli/redraw.ts';

const MIB = 1024 * 1024;

function layer(fields: Partial<LayerSnapshot> & { readonly letter: string }): LayerSnapshot {
  const { letter, ...rest } = fields;
  const digest = `sha256:${letter.repeat(64)}`;
  return { digest, state: 'waiting', receivedBytes: 0, bytesPerSecond: 0, isOfChunks: false, sources: [], retries: 0, ...rest };
}

function pull(fields: Partial<PullSnapshot> = {}): PullSnapshot {
  const layers = fields.layers ?? [];
  return {
    id: 1,
    image: 'registry.test/app:1',
    step: 'fetching',
    askers: [{ by: 'admin' }],
    askersLeftOut: 0,
    startedAt: '2026-11-26T10:00:00.000Z',
    receivedBytes: 0,
    transferredBytes: 0,
    bytesPerSecond: 0,
    retries: 0,
    layerCount: layers.length,
    layers,
    ...fields,
  };
}

test('numbers of bytes have two or three digits and one unit, times are read at a glance', () => {
  assert.deepEqual([0, 999, 1024, 10 * 1024, 5.25 * MIB, 1023 * MIB].map(bytesText), ['0 B', '999 B', '1.0 KiB', '10 KiB', '5.3 MiB', '1023 MiB']); // prettier-ignore
  assert.deepEqual([partText(0, 98 * MIB), partText(12.9 * MIB, 98 * MIB)], ['0/98 MiB', '12/98 MiB']);
  assert.deepEqual([0.4, 59.4, 200, 7500].map(durationText), ['0 s', '59 s', '3 min 20 s', '2 h 5 min']);
});

test('a pull in a terminal of 80 columns has the whole on one line and a bar for each layer', () => {
  const host = 'mirror.test:5000';
  const report = pull({
    wantedBytes: 98 * MIB,
    receivedBytes: 42 * MIB,
    bytesPerSecond: 5.2 * MIB,
    secondsLeft: 11,
    layers: [
      layer({ letter: 'a', state: 'fetching', wantedBytes: 60 * MIB, receivedBytes: 30 * MIB, bytesPerSecond: 5.2 * MIB, host }),
      layer({ letter: 'b', state: 'unpacking', wantedBytes: 12 * MIB, receivedBytes: 12 * MIB, bytesPerSecond: 9 * MIB, host }),
      layer({ letter: 'c', sizeBytes: 26 * MIB }),
      layer({ letter: 'd', state: 'present', sizeBytes: 3 * MIB }),
    ],
  });
  assert.deepEqual(pullLines(report, 80, 24), [
    'registry.test/app:1: fetching, 42/98 MiB, 5.2 MiB/s, 11 s left',
    'aaaaaaaaaaaa fetching  [###----]  50%     30/60 MiB  5.2 MiB/s mirror.test:5000',
    'bbbbbbbbbbbb unpacking [#######] 100%        12 MiB  9.0 MiB/s mirror.test:5000',
    'cccccccccccc waiting                         26 MiB',
    'dddddddddddd present                        3.0 MiB',
  ]);
});

test('a retry is told below its layer, with who failed and why however narrow it is; nothing steers the terminal', () => {
  const report = pull({
    image: 'a\u001b[2J:1',
    askers: [{ by: 'cri', pod: 'shop/web-1' }],
    layers: [
      layer({
        letter: 'e',
        state: 'fetching',
        wantedBytes: 100,
        receivedBytes: 10,
        retries: 2,
        lastError: `RegistryUnavailable: GET http://mirror.test/v2/app/blobs/sha256:${'e'.repeat(64)}: other side closed`,
        sources: [
          { host: 'mirror.test', isMirror: true, bytes: 10 },
          { host: 'registry.test', isMirror: false, bytes: 5 },
        ],
        host: 'registry.test',
      }),
    ],
  });
  const [head, who, bar, retry] = pullLines(report, 80, 24);
  assert.equal(head, 'a\\u001b[2J:1: fetching');
  assert.equal(who, '  for pod shop/web-1');
  assert.match(bar ?? '', /registry\.test a…$/);
  assert.equal(retry, '             2 retries, the last after: GET http://mirror.t…: other side closed');
  for (const columns of [20, 80, 120, 200])
    assert.deepEqual(pullLines(report, columns, 24).filter((line) => line.length >= columns), []); // prettier-ignore
  assert.match(pullLines(report, 200, 24)[2] ?? '', /registry\.test after mirror\.test$/);
});

test('where not all layers fit, those under way are shown, and how many are not', () => {
  const layers = Array.from({ length: 60 }, (_, index) =>
    layer({ letter: 'f', state: index < 30 ? 'unpacked' : index === 30 ? 'fetching' : 'waiting', sizeBytes: 1, wantedBytes: 1 }),
  );
  const lines = pullLines(pull({ layers, layerCount: 400 }), 80, 12);
  assert.equal(lines.length, 11);
  assert.ok(lines.some((line) => line.includes('fetching  [')));
  assert.equal(lines.at(-1)?.trim(), 'and 391 more layers');
});

test('without a terminal each thing is told once', () => {
  const lines: string[] = [];
  const plain = new PlainProgress((line) => lines.push(line));
  const host = 'registry.test';
  const sources = [{ host, isMirror: false, bytes: MIB }];
  const fetching = layer({ letter: 'a', state: 'fetching', wantedBytes: MIB, receivedBytes: 0 });
  const tried = { ...fetching, retries: 1, lastError: 'it broke' };
  const here = { ...tried, state: 'unpacking', receivedBytes: MIB, bytesPerSecond: MIB, host, sources } as const;
  plain.tell(pull({ step: 'resolving' }));
  for (const each of [fetching, fetching, tried, tried, here, here])
    plain.tell(pull({ layers: [each, layer({ letter: 'b', state: 'present' })] }));
  plain.tell(pull({ step: 'syncing', layers: [here] }));
  assert.deepEqual(lines, [
    'registry.test/app:1: asking for its manifest',
    'layer bbbbbbbbbbbb: is here already',
    'registry.test/app:1: fetching',
    'layer aaaaaaaaaaaa: tried again (1), after: it broke',
    'layer aaaaaaaaaaaa: received 1.0 MiB, 1.0 MiB/s from registry.test',
    'registry.test/app:1: writing it to the disk',
  ]);
});

test('without a terminal each of two layers with one digest is told once', () => {
  const lines: string[] = [];
  const plain = new PlainProgress((line) => lines.push(line));
  const here = layer({ letter: 'a', state: 'present' });
  const [waiting, tried] = [layer({ letter: 'a' }), layer({ letter: 'a', state: 'fetching', retries: 1, lastError: 'it broke' })];
  const received = { ...tried, state: 'unpacked', receivedBytes: 5 } as const;
  for (const second of [waiting, waiting, tried, tried, received, received]) plain.tell(pull({ layers: [here, second] }));
  assert.deepEqual(lines, [
    'layer aaaaaaaaaaaa: is here already',
    'registry.test/app:1: fetching',
    'layer aaaaaaaaaaaa: tried again (1), after: it broke',
    'layer aaaaaaaaaaaa: received 5 B',
  ]);
});

test('lines are drawn over those of before, also where the terminal has become narrower', () => {
  let written = '';
  const stdout = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written += chunk.toString();
        done();
      },
    }),
    { isTTY: true, columns: 100, rows: 30 },
  );
  const screen = new Redraw(stdout);
  screen.draw(['x'.repeat(90), 'y']);
  assert.equal(written, `\r${'x'.repeat(90)}\u001b[K\ny\u001b[K\n\u001b[J`);
  written = '';
  stdout.columns = 50;
  screen.draw(['z']);
  assert.equal(written, '\u001b[3A\rz\u001b[K\n\u001b[J');
});
