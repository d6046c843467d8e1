/** What a registry, which is whatever an image's name says, can make big: each ten times or more over its limit, in a process whose memory is looked at. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { Logins } from '../../../src/registry/logins.ts';
import { RegistriesConf } from '../../../src/registry/registries-conf.ts';
import { RegistryClient } from '../../../src/registry/registry-client.ts';
import { StallWatch } from '../../../src/registry/stall-watch.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { RecordingServer } from '../../support/recording-server.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { takeImage } from '../../support/take-image.ts';
import { memoryHeld } from '../../support/memory.ts';

const NAME = 'registry.example/team/app:1';
const MEBIBYTE = 1 << 20;
/** A pull of a small image takes some 120 MiB here, most of it Node's own; what comes in passes through buffers that are freed late. */
const MOST_ABOVE_SMALL_MIB = 90;
const SENT_MIB = 400;

/** Sends a start and then the same again and again, as long as it is taken, up to {@link SENT_MIB}. */
async function pour(response: ServerResponse, start: string, again = 'a'.repeat(MEBIBYTE)): Promise<void> {
  response.on('error', () => undefined);
  response.write(start);
  for (let sent = 0; sent < SENT_MIB && !response.destroyed; sent += 1) {
    if (response.write(again)) continue;
    await writable(response);
  }
  response.destroy();
}

/** Resolves when more may be written, or nothing ever will. */
async function writable(stream: Writable): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]).catch(() => undefined);
  done.abort();
}

type Fault = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

async function pullInProcess(
  t: TestContext,
  registry: FaultyRegistry,
): Promise<{ code: number | undefined; words: string; peakMib: number }> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  await writeFile(`${root}.conf`, registry.conf);
  const { exit, stdout, stderr } = await takeImage(root, ['pull', NAME, `${root}.conf`]);
  const peakKib = Number(/peak (\d+)\n$/.exec(stdout.toString())?.[1]);
  assert.ok(peakKib > 0, stdout.toString());
  return { code: exit.code, words: stderr.toString(), peakMib: Math.round(peakKib / 1024) };
}

async function serve(t: TestContext, fault: Fault, options: { auth?: 'bearer'; realm?: string } = {}): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start({ ...options, fault });
  t.after(async () => registry.stop());
  registry.addImage({ config: {}, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] }, 'team/app', '1');
  return registry;
}

let smallMib = 0;
test('what a pull of a small image takes is known', async (t) => {
  const { code, words, peakMib } = await pullInProcess(t, await serve(t, () => false));
  assert.equal(code, 0, words);
  smallMib = peakMib;
  t.diagnostic(`${peakMib} MiB`);
});

interface Case {
  readonly what: string;
  readonly fault: Fault;
  readonly words: RegExp;
  readonly auth?: 'bearer';
}

const CASES: readonly Case[] = [
  {
    what: 'a token',
    auth: 'bearer',
    fault: async (_, response) => {
      await pour(response.writeHead(200), '{"token":"');
      return true;
    },
    words: /token service http:.* more than \d+ bytes/,
  },
  {
    what: 'the answer of a token service that refuses',
    auth: 'bearer',
    fault: async (_, response) => {
      await pour(response.writeHead(403), '{"errors":[{"message":"');
      return true;
    },
    words: /token service http:.* answered 403/,
  },
  {
    what: 'a manifest',
    fault: async (request, response) => {
      if (request.url?.includes('/manifests/') !== true) return false;
      await pour(response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }), '{"schemaVersion":2,"x":"');
      return true;
    },
    words: /manifests\/1: more than \d+ bytes/,
  },
  {
    what: 'the body of an error',
    fault: async (_, response) => {
      await pour(response.writeHead(404), '{"errors":[{"message":"');
      return true;
    },
    words: /answered 404/,
  },
  {
    what: 'the body of a redirect',
    fault: async (request, response) => {
      await pour(response.writeHead(307, { location: request.url }), '');
      return true;
    },
    words: /more than 10 redirects/,
  },
  {
    what: 'a header',
    fault: (_, response) => {
      response.writeHead(200, { 'x-much': 'a'.repeat(160 * 1024) }).end();
      return true;
    },
    words: /Headers Overflow/,
  },
  {
    what: 'the number of answers that come before the answer',
    fault: async (_, response) => {
      response.on('error', () => undefined);
      const early = 'HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n'.repeat(10_000);
      for (let sent = 0; sent < 100 && response.socket?.destroyed === false; sent += 1) {
        if (response.socket.write(early)) await new Promise(setImmediate);
        else await writable(response.socket);
      }
      response.writeHead(404).end();
      return true;
    },
    words: /answered 404/,
  },
];

for (const { what, fault, words, auth } of CASES) {
  test(`${what} without end costs no memory, and the pull fails in words`, async (t) => {
    // The token service is a registry of the kind that answers all with the fault.
    const service = await serve(t, fault);
    const registry = auth === undefined ? service : await serve(t, () => false, { auth, realm: `http://${service.host}/tokens` });
    const result = await pullInProcess(t, registry);

    t.diagnostic(`${result.peakMib} MiB, a small image ${smallMib} MiB`);
    assert.ok(result.peakMib < smallMib + MOST_ABOVE_SMALL_MIB, `it took ${result.peakMib} MiB, a pull of a small image ${smallMib} MiB`);
    assert.equal(result.code, 1);
    assert.match(result.words, words);
  });
}

test('a manifest full of empty values is refused before it takes forty times its size', async (t) => {
  const filler = '{},'.repeat((4 * MEBIBYTE - 1000) / 3).slice(0, -1);
  const registry = await serve(t, (request, response) => {
    if (request.url?.includes('/manifests/') !== true) return false;
    const type = 'application/vnd.oci.image.index.v1+json';
    response.writeHead(200, { 'content-type': type }).end(`{"schemaVersion":2,"manifests":[${filler}]}`);
    return true;
  });
  const result = await pullInProcess(t, registry);

  t.diagnostic(`${result.peakMib} MiB, a small image ${smallMib} MiB`);
  assert.equal(result.code, 1);
  assert.match(result.words, /manifest registry\.example\/team\/app: it has some \d+ values, must have at most/);
  assert.ok(result.peakMib < smallMib + MOST_ABOVE_SMALL_MIB, `it took ${result.peakMib} MiB, a pull of a small image ${smallMib} MiB`);
});

test('what is remembered of repositories has a limit', async (t) => {
  const padding = 'a'.repeat(12_000);
  const registry = await RecordingServer.start(({ url }, response) => {
    if (url.startsWith('/token')) response.end('{"token":"t"}');
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",padding="${padding}"` }).end();
  });
  t.after(async () => registry.stop());
  const scratch = await scratchDirectory(t);
  await writeFile(join(scratch, 'conf'), `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`);
  const conf = await RegistriesConf.load(join(scratch, 'conf'), '/nonexistent');
  const client = new RegistryClient(() => conf);
  t.after(async () => client.close());
  const logins = new Logins(undefined);
  const ask = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const asked = { domain: 'registry.example', path: `r${index}`, suffix: ':1' };
      await assert.rejects(client.repository(asked, logins, new StallWatch(10_000)).manifest('1', AbortSignal.timeout(10_000)));
      registry.received.length = 0;
    }
  };
  const heapMib = (): number => memoryHeld().heapUsed / MEBIBYTE;

  await ask(200);
  const before = heapMib();
  await ask(2000);
  const grown = heapMib() - before;
  t.diagnostic(`${grown.toFixed(1)} MiB after ten times as many`);
  assert.ok(grown < 6, `it has grown by ${grown.toFixed(1)} MiB`);
});
