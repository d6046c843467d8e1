/** What a registry can make slow: a pull ends when it has received hardly anything for the time that is set, whatever drips in meanwhile. */
// long: 23 s
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf } from '../../support/image-storage.ts';
import { authConfig, pullBench } from '../../support/pull-bench.ts';

const NAME = 'registry.example/team/app:1';
const STALL_MS = 2000;
/** A busy machine, and a timer of undici that counts in half seconds. */
const LATE_MS = 2500;
const DRIP_MS = 100;
const TEST_MS = 60_000;

/** Sends the text a character at a time until the other side has enough. */
async function drip(response: ServerResponse, text: string): Promise<void> {
  response.on('error', () => undefined);
  for (const letter of text) {
    if (response.destroyed) return;
    response.write(letter);
    await sleep(DRIP_MS);
  }
  response.end();
}

async function dripHeaders(response: ServerResponse): Promise<void> {
  const { socket } = response;
  socket?.on('error', () => undefined);
  socket?.write('HTTP/1.1 200 OK\r\nx-slow: ');
  while (socket?.destroyed === false) {
    socket.write('a');
    await sleep(DRIP_MS);
  }
}

const LAYER = await makeLayer([{ path: 'f', kind: 'file', data: Buffer.alloc(20_000, 'a') }], 'none');
const MUCH = ' '.repeat(600);

interface Case {
  readonly what: string;
  readonly options: (registry: () => FaultyRegistry) => FaultyRegistryOptions;
}

const STALLED: readonly Case[] = [
  {
    what: 'the headers of a manifest',
    options: () => ({ fault: async (_, response) => (await dripHeaders(response), true) }),
  },
  {
    what: 'a manifest',
    options: () => ({ fault: async (_, response) => (await drip(response, `{"schemaVersion":2,${MUCH}`), true) }),
  },
  {
    what: 'a layer',
    options: () => ({
      fault: async ({ url = '' }, response) => {
        if (!url.includes(LAYER.digest)) return false;
        await drip(response.writeHead(200, { 'content-length': LAYER.blob.length }), MUCH);
        return true;
      },
    }),
  },
  {
    what: 'a token',
    options: () => ({ auth: 'bearer', token: async (response) => drip(response, `{"token":"good-token"${MUCH}}`) }),
  },
  {
    what: 'the body of an error',
    options: () => ({ fault: async (_, response) => (await drip(response.writeHead(404), `{"errors":[${MUCH}]}`), true) }),
  },
  {
    what: 'a layer that breaks after each byte and is taken up again',
    options: () => {
      let at = 0;
      return {
        fault: async ({ url = '' }, response) => {
          if (!url.includes(LAYER.digest)) return false;
          response.writeHead(at === 0 ? 200 : 206, {
            'content-length': LAYER.blob.length - at,
            'content-range': `bytes ${at}-${LAYER.blob.length - 1}/${LAYER.blob.length}`,
          });
          response.write('a', () => setTimeout(() => response.destroy(), 20));
          at += 1;
          return true;
        },
      };
    },
  },
  {
    what: 'the time after which to ask again',
    options: () => ({
      fault: (_, response) => {
        response.writeHead(503, { 'retry-after': '999999' }).end();
        return true;
      },
    }),
  },
];

async function serve(t: TestContext, options: FaultyRegistryOptions): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  registry.addImage({ config: { Cmd: ['/app'] }, layers: [LAYER] }, 'team/app', '1');
  return registry;
}

for (const { what, options } of STALLED) {
  test(`${what}, a drop at a time, does not keep a pull longer than the time set`, async (t) => {
    const registry: FaultyRegistry = await serve(
      t,
      options(() => registry),
    );
    const { puller, root } = await pullBench(t, registry.conf, { stallTimeoutMs: () => STALL_MS, idleTimeoutMs: () => STALL_MS / 2 });
    const started = Date.now();
    await assert.rejects(puller.pull(NAME, authConfig({ username: 'user', password: 'secret' }), AbortSignal.timeout(TEST_MS)), {
      kind: 'RegistryUnavailable',
    });
    const tookMs = Date.now() - started;

    t.diagnostic(`${tookMs} ms`);
    assert.ok(tookMs < STALL_MS + LATE_MS, `it took ${tookMs} ms, the time set is ${STALL_MS} ms`);
    assert.deepEqual(await inventoryOf(root), []);
  });
}

test('the body of a redirect, a drop at a time, holds nothing up', async (t) => {
  const registry = await serve(t, {
    fault: async ({ url = '' }, response) => {
      if (!url.includes('/manifests/1') || url.includes('?')) return false;
      await drip(response.writeHead(307, { location: `${url}?again` }), MUCH);
      return true;
    },
  });
  const { puller } = await pullBench(t, registry.conf, { stallTimeoutMs: () => 20_000 });
  const started = Date.now();
  await puller.pull(NAME, undefined, AbortSignal.timeout(TEST_MS));
  assert.ok(Date.now() - started < 10_000, `it took ${Date.now() - started} ms`);
});

test('a mirror that takes connections and says nothing leaves time for the registry', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  t.after(() => silent.close());
  const registry = await serve(t, {});
  const mirror = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const conf = `${registry.conf}[[registry.mirror]]\nlocation = "${mirror}"\ninsecure = true\n`;
  const { puller } = await pullBench(t, conf, { stallTimeoutMs: () => 8000, connectTimeoutMs: 1000 });

  assert.deepEqual((await puller.pull(NAME, undefined, AbortSignal.timeout(TEST_MS))).names, [NAME]);
});

test('a layer that comes slowly, but comes, is not taken for one that does not', async (t) => {
  const registry = await serve(t, {
    fault: async ({ url = '' }) => {
      if (!url.includes('/manifests/1')) return false;
      await sleep(STALL_MS * 0.7);
      return false;
    },
  });
  const { puller } = await pullBench(t, registry.conf, { stallTimeoutMs: () => STALL_MS, idleTimeoutMs: () => STALL_MS });
  await puller.pull(NAME, undefined, AbortSignal.timeout(TEST_MS));
});
