/** A large layer in ranges, from registries that do not do as they should. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf } from '../../support/image-storage.ts';
import type { PullSnapshot } from '../../../src/base/pull-snapshot.ts';
import { pullBench } from '../../support/pull-bench.ts';
import type { PullBench } from '../../support/pull-bench.ts';

const NAME = 'registry.example/team/app:1';
const MIB = 1 << 20;
const RANGE_BYTES = MIB;
const signal = AbortSignal.timeout(120_000);

const noise = Buffer.alloc(12 * MIB);
for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
const LAYER = await makeLayer([{ path: 'noise', kind: 'file', data: noise }], 'none');
const IMAGE = { config: {}, layers: [LAYER] };

interface Counted {
  readonly bench: PullBench;
  readonly registry: FaultyRegistry;
  /** Ranges of the layer that were asked for, in order; `-` for the whole. */
  readonly ranges: string[];
  /** Most answers for the layer that were under way at once. */
  readonly most: () => number;
}

/** Before the client can ask again on the same connection. */
function whenOver(response: ServerResponse, tell: () => void): void {
  let isOver = false;
  for (const event of ['finish', 'close']) {
    response.on(event, () => {
      if (!isOver) tell();
      isOver = true;
    });
  }
}

type Fault = (range: string, response: ServerResponse, request: IncomingMessage, count: number) => boolean | Promise<boolean>;

async function start(
  t: TestContext,
  fault: Fault = () => false,
  options: FaultyRegistryOptions & { readonly downloads?: number; readonly ofAll?: number } = {},
): Promise<Counted> {
  const ranges: string[] = [];
  let underWay = 0;
  let most = 0;
  const registry = await FaultyRegistry.start({
    ...options,
    fault: async (request, response) => {
      if (request.url?.includes(LAYER.digest) !== true) return false;
      const range = request.headers.range ?? '-';
      ranges.push(range);
      underWay += 1;
      most = Math.max(most, underWay);
      whenOver(response, () => (underWay -= 1));
      return await fault(range, response, request, ranges.length);
    },
  });
  t.after(async () => registry.stop());
  registry.addImage(IMAGE, 'team/app', '1');
  const bench = await pullBench(t, registry.conf, {
    stallTimeoutMs: () => 20_000,
    idleTimeoutMs: () => 15_000,
    rangeBytes: () => RANGE_BYTES,
    parallelDownloads: () => options.downloads ?? 3,
    parallelDownloadsOfAll: () => options.ofAll ?? 8,
  });
  return { bench, registry, ranges, most: () => most };
}

/** Pulls, and compares what is unpacked and what is kept with what was served. */
async function pullRight({ bench }: Counted): Promise<void> {
  const ended: PullSnapshot[] = [];
  const stop = bench.puller.onEnded((pull) => ended.push(pull));
  const { layers, chain } = await bench.puller.pull(NAME, undefined, signal);
  stop();
  // What is told of it is right, however often parts of it were given up or came again.
  const { receivedBytes = 0, wantedBytes, sources = [] } = ended[0]?.layers[0] ?? {};
  assert.deepEqual([receivedBytes, wantedBytes], [LAYER.blob.length, LAYER.blob.length]);
  assert.equal(ended[0]?.transferredBytes, sources[0]?.bytes);
  assert.ok((sources[0]?.bytes ?? 0) >= receivedBytes);
  const [tree = ''] = bench.stores.layers.lowerDirs(chain);
  assert.ok((await readFile(join(tree, 'noise'))).equals(noise));
  assert.ok((await readFile(bench.stores.blobs.path(layers[0]!.digest))).equals(LAYER.blob));
}

/** Sends a part of a range slowly: `bytesPerTick` every 10 ms. */
async function drip(range: string, response: ServerResponse, bytesPerTick: number, mostBytes = Infinity): Promise<boolean> {
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
  const end = to === '' ? LAYER.blob.length - 1 : Number(to);
  const bytes = LAYER.blob.subarray(Number(from), end + 1);
  response.writeHead(range === '-' ? 200 : 206, {
    'content-length': bytes.length,
    ...(range === '-' ? {} : { 'content-range': `bytes ${from}-${end}/${LAYER.blob.length}` }),
  });
  response.on('error', () => undefined);
  for (let at = 0; at < Math.min(bytes.length, mostBytes) && !response.destroyed; at += bytesPerTick) {
    const piece = bytes.subarray(at, Math.min(at + bytesPerTick, mostBytes));
    // The end goes with the last piece: else the client is done, and asks again, before this answer is over.
    if (at + piece.length === bytes.length) response.end(piece);
    else response.write(piece);
    await sleep(10);
  }
  return true;
}

test('a large layer comes in ranges side by side, each once, and faster where each connection has a limit', async (t) => {
  const slow: Fault = async (range, response) => drip(range, response, 64 * 1024);
  const times: number[] = [];
  for (const downloads of [1, 4]) {
    const lab = await start(t, slow, { downloads });
    const before = performance.now();
    await pullRight(lab);
    times.push(performance.now() - before);
    assert.equal(lab.most(), downloads);
    assert.equal(new Set(lab.ranges).size, lab.ranges.length, lab.ranges.join(' '));
    assert.equal(lab.ranges.length, Math.ceil(LAYER.blob.length / RANGE_BYTES));
  }
  t.diagnostic(`one stream ${Math.round(times[0]!)} ms, four ${Math.round(times[1]!)} ms`);
  assert.ok(times[1]! < times[0]! * 0.6, times.join(' '));
});

test('ranges keep within the downloads of the node', async (t) => {
  const lab = await start(t, async (range, response) => drip(range, response, 256 * 1024), { downloads: 4, ofAll: 2 });
  await pullRight(lab);
  assert.equal(lab.most(), 2);
});

test('a registry that knows no ranges sends the layer once', async (t) => {
  const lab = await start(t, undefined, { ranges: false });
  await pullRight(lab);
  assert.deepEqual(lab.ranges, [`bytes=0-${RANGE_BYTES - 1}`]);
});

for (const status of [400, 416, 501]) {
  test(`a registry that answers ${status} to a range is asked for the whole`, async (t) => {
    const lab = await start(t, (range, response) => {
      if (range === '-') return false;
      response.writeHead(status).end();
      return true;
    });
    await pullRight(lab);
    assert.equal(lab.ranges.at(-1), '-');
  });
}

test('a registry that answers a later range with the whole is taken at its word', async (t) => {
  const lab = await start(t, (range, response) => {
    if (range === `bytes=0-${RANGE_BYTES - 1}`) return false;
    response.writeHead(200, { 'content-length': LAYER.blob.length }).end(LAYER.blob);
    return true;
  });
  await pullRight(lab);
});

test('a registry that answers with another part than was asked for is not believed', async (t) => {
  const lab = await start(t, (range, response) => {
    if (range === '-' || range.startsWith('bytes=0-')) return false;
    if (range.endsWith('-')) return (response.writeHead(200, { 'content-length': LAYER.blob.length }).end(LAYER.blob), true);
    const part = LAYER.blob.subarray(5, RANGE_BYTES + 5);
    response.writeHead(206, { 'content-length': part.length, 'content-range': `bytes 5-${RANGE_BYTES + 4}/${LAYER.blob.length}` });
    response.end(part);
    return true;
  });
  await pullRight(lab);
});

for (const [what, refuse] of Object.entries({
  'answers 429 to': (response: ServerResponse) => response.writeHead(429, { 'retry-after': '60' }).end(),
  'answers 403 to': (response: ServerResponse) => response.writeHead(403).end(),
  resets: (response: ServerResponse) => response.destroy(),
  'never answers': () => undefined,
})) {
  test(`a registry that ${what} a second connection serves the layer by one`, { timeout: 60_000 }, async (t) => {
    let underWay = 0;
    const lab = await start(t, async (range, response) => {
      if (underWay > 0) {
        refuse(response);
        return true;
      }
      underWay += 1;
      whenOver(response, () => (underWay -= 1));
      return await drip(range, response, 128 * 1024);
    });
    await pullRight(lab);
  });
}

test('a range that stands still is taken over by another stream', { timeout: 60_000 }, async (t) => {
  let stalled = 0;
  const lab = await start(t, async (range, response) => {
    if (!range.startsWith(`bytes=${2 * RANGE_BYTES}-`) || stalled > 0) return false;
    stalled += 1;
    return await drip(range, response, 64 * 1024, 768 * 1024);
  });
  await pullRight(lab);
  assert.equal(stalled, 1);
  const asked = lab.ranges.filter((range) => range.endsWith(`-${3 * RANGE_BYTES - 1}`));
  assert.equal(asked.length, 2, asked.join(' '));
  assert.notEqual(asked[0], asked[1], 'what came before is fetched again');
});

test('ranges that break are taken up where they broke', async (t) => {
  let breaks = 0;
  const lab = await start(t, async (range, response) => {
    if (breaks >= 3) return false;
    breaks += 1;
    await drip(range, response, 64 * 1024, 128 * 1024);
    response.destroy();
    return true;
  });
  await pullRight(lab);
});

for (const [what, spoil] of Object.entries({
  'with wrong bytes': (part: Buffer) => Buffer.from(part).fill(0x55, 1000, 1010),
  'that is too short': (part: Buffer) => part.subarray(0, -1000),
})) {
  test(`a range ${what} is the failure of the layer, in words, and leaves nothing`, { timeout: 60_000 }, async (t) => {
    const lab = await start(t, (range, response) => {
      const [, from = ''] = /^bytes=(\d+)-/.exec(range) ?? [];
      if (Number(from) < 4 * RANGE_BYTES || Number(from) >= 5 * RANGE_BYTES) return false;
      const part = spoil(LAYER.blob.subarray(Number(from), 5 * RANGE_BYTES));
      response.writeHead(206, {
        'content-length': part.length,
        'content-range': `bytes ${from}-${5 * RANGE_BYTES - 1}/${LAYER.blob.length}`,
      });
      response.end(part);
      return true;
    });
    const { root, puller } = lab.bench;
    const before = await inventoryOf(root);
    await assert.rejects(puller.pull(NAME, undefined, signal), (error: Error) => {
      t.diagnostic(error.message);
      return error.message.includes(LAYER.digest);
    });
    assert.deepEqual(await inventoryOf(root), before);
  });
}

test('a pull in ranges that is cancelled closes all its connections and leaves nothing', async (t) => {
  const open = new Set<ServerResponse>();
  const lab = await start(t, async (range, response) => {
    open.add(response);
    response.on('close', () => open.delete(response));
    return await drip(range, response, 8 * 1024);
  });
  const { root, puller } = lab.bench;
  const before = await inventoryOf(root);
  const controller = new AbortController();
  const pulling = puller.pull(NAME, undefined, controller.signal);
  pulling.catch(() => undefined);
  while (open.size < 3) await sleep(20);
  controller.abort();
  await assert.rejects(pulling);
  const cancelledAt = Date.now();
  while ((open.size > 0 || (await inventoryOf(root)).length > before.length) && Date.now() - cancelledAt < 5000) await sleep(20);
  assert.equal(open.size, 0);
  assert.deepEqual(await inventoryOf(root), before);
});
