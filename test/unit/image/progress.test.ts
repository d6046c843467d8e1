import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PullCounts, PullResult } from '../../../src/image/arrivals.ts';
import { LayerProgress, PullProgress } from '../../../src/image/progress.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import type { Digest } from '../../../src/base/ids.ts';

const MIRROR = { host: 'mirror.test:5000', isMirror: true };
const REGISTRY = { host: 'registry.test', isMirror: false };
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

function counted(): PullCounts & { bytes: Record<string, number>; retries: string[]; results: PullResult[] } {
  const bytes: Record<string, number> = {};
  const retries: string[] = [];
  const results: PullResult[] = [];
  return {
    bytes,
    retries,
    results,
    begun: () => undefined,
    received: ({ isMirror }, count) => {
      const name = isMirror ? 'mirror' : 'registry';
      bytes[name] = (bytes[name] ?? 0) + count;
    },
    retried: (what) => retries.push(what),
    ended: (pull: PullResult) => {
      results.push(pull);
    },
  };
}

test('a pull says what came from where, what was tried again, and what became of its layers', () => {
  const counts = counted();
  const pull = new PullProgress(1, 'registry.test/app:1', counts);
  const leave = pull.join({ by: 'cri', pod: 'shop/web-1' });
  const [first, second] = [
    new LayerProgress({ digest: digest('a'), sizeBytes: 1000 }, pull),
    new LayerProgress({ digest: digest('b'), sizeBytes: 500 }, pull),
  ];
  pull.layers = [first, second];
  pull.step = 'fetching';
  second.become('present');
  first.become('fetching');
  first.arrivals.answered(MIRROR);
  first.arrivals.received(MIRROR, 400);
  first.took(400);
  first.arrivals.retried(new Error('the stream broke'), 'stream');
  first.arrivals.answered(REGISTRY);
  first.arrivals.received(REGISTRY, 600);

  const live = pull.snapshot();
  assert.deepEqual([live.wantedBytes, live.receivedBytes, live.transferredBytes, live.retries], [1000, 400, 1000, 1]);
  assert.deepEqual([live.askers, live.step, live.outcome], [[{ by: 'cri', pod: 'shop/web-1' }], 'fetching', undefined]);
  assert.ok(live.bytesPerSecond > 0 && (live.secondsLeft ?? 0) >= 1);
  assert.deepEqual(live.layers[0]?.sources, [
    { ...MIRROR, bytes: 400 },
    { ...REGISTRY, bytes: 600 },
  ]);
  assert.deepEqual([live.layers[0].host, live.layers[0].lastError, live.layers[1]?.wantedBytes], [REGISTRY.host, 'the stream broke', 0]);

  first.took(600);
  first.become('unpacking');
  first.become('unpacked');
  pull.end();
  leave();
  const ended = pull.snapshot();
  assert.deepEqual([ended.outcome, ended.receivedBytes, ended.secondsLeft, ended.askers.length], ['OK', 1000, undefined, 1]);
  assert.deepEqual(counts.bytes, { mirror: 400, registry: 600 });
  assert.deepEqual(counts.retries, ['stream']);
  assert.deepEqual(counts.results.map(({ layers }) => layers), [{ fetched: 1, chunks: 0, present: 1, dropped: 0 }]); // prettier-ignore
});

test('a pull that failed keeps its words, its layer, and who had asked; nothing of it grows without end', () => {
  const counts = counted();
  const pull = new PullProgress(2, 'x'.repeat(100_000), counts);
  pull.layers = Array.from({ length: 5000 }, () => new LayerProgress({ digest: digest('c'), sizeBytes: 10 }, pull));
  for (let index = 0; index < 500; index += 1) pull.join({ by: 'admin' });
  for (let index = 0; index < 500; index += 1) pull.layers[4999]?.arrivals.received({ host: `host-${index}`, isMirror: true }, 1);
  pull.layers[4999]?.become('fetching');
  pull.layers[4999]?.fail(new Error('y'.repeat(100_000)));
  pull.end(new DaemonError('NotFound', 'z'.repeat(100_000)));

  const ended = pull.snapshot();
  assert.deepEqual([ended.outcome, ended.layerCount, ended.layers.length, ended.askersLeftOut], ['NotFound', 5000, 100, 490]);
  assert.equal(ended.layers[0]?.state, 'failed');
  assert.ok(JSON.stringify(ended).length < 64_000);
  assert.equal(counts.bytes['mirror'], 500);
  assert.equal(counts.results[0]?.layers.dropped, 5000);
});

test('a layer of chunks wants less than its size, and its size again where it is fetched whole after all', () => {
  const layer = new LayerProgress({ digest: digest('d'), sizeBytes: 1000 });
  layer.become('fetching');
  layer.restart(100, true);
  layer.took(100);
  assert.deepEqual([layer.wantedBytes, layer.receivedBytes, layer.snapshot(Date.now()).isOfChunks], [100, 100, true]);
  layer.become('unpacking');
  layer.restart(1000, false);
  layer.become('fetching');
  assert.equal(layer.snapshot(Date.now()).receivedAt, undefined);
  assert.deepEqual([layer.wantedBytes, layer.receivedBytes, layer.snapshot(Date.now()).isOfChunks], [1000, 0, false]);
});
