/** What a server gets to see that a registry, or its token service, redirects to: nothing of the caller's credentials. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { authConfig, pullBench } from '../../support/pull-bench.ts';
import { RecordingServer } from '../../support/recording-server.ts';
import type { Recorded } from '../../support/recording-server.ts';

const NAME = 'registry.example/team/app:1';
const USER = authConfig({ username: 'user', password: 'secret' });
const BASIC = Buffer.from('user:secret').toString('base64');
const signal = AbortSignal.timeout(120_000);

async function image() {
  return { config: { Cmd: ['/app'] }, layers: [await makeLayer([{ path: 'f', kind: 'file', data: 'f' }])] };
}

async function serve(t: TestContext, options: FaultyRegistryOptions): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  registry.addImage(await image(), 'team/app', '1');
  return registry;
}

async function record(t: TestContext, answer: (request: Recorded, response: ServerResponse) => void): Promise<RecordingServer> {
  const server = await RecordingServer.start(answer);
  t.after(async () => server.stop());
  return server;
}

function assertSawNoSecret(server: RecordingServer): void {
  for (const secret of [BASIC, 'secret', 'refresh', 'good-token', 'Bearer', 'Basic']) {
    assert.ok(!server.text.includes(secret), `it was sent ${secret}: ${server.text}`);
  }
}

test('a challenge from where a redirect leads gets no credentials, and is not taken for the registry’s by the next pull', async (t) => {
  const tokens = await record(t, (_, response) => response.end('{"token":"stolen"}'));
  const thief = await record(t, (_, response) => {
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens.host}/token",service="storage",scope="steal"` }).end();
  });
  const registry = await serve(t, {
    auth: 'basic',
    fault: (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `http://${thief.host}${request.url}` }).end();
      return true;
    },
  });
  const { puller } = await pullBench(t, registry.conf);

  await assert.rejects(puller.pull(NAME, USER, signal), {
    kind: 'PermissionDenied',
    message: /pull registry\.example\/team\/app:1: .* 401 .*redirect/,
  });
  await assert.rejects(puller.pull(NAME, USER, signal), { kind: 'PermissionDenied' });
  assert.ok(thief.received.length > 0);
  assert.deepEqual(tokens.received, []);
  assertSawNoSecret(thief);
  assert.ok(!registry.authorizations.includes('Bearer stolen'));
});

test('a redirect that leads back to the registry does not bring the credentials back', async (t) => {
  const thief = await record(t, ({ url }, response) => {
    response.writeHead(307, { location: `http://${registry.host}${url}?private` }).end();
  });
  const registry: FaultyRegistry = await serve(t, {
    auth: 'basic',
    fault: (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `http://${thief.host}${request.url}` }).end();
      return true;
    },
  });
  const { puller } = await pullBench(t, registry.conf);

  await assert.rejects(puller.pull(NAME, USER, signal), { kind: 'PermissionDenied', message: /redirect/ });
  assertSawNoSecret(thief);
  assert.equal(registry.authorizations.at(-1), '-');
});

for (const status of [301, 302, 303, 307, 308]) {
  test(`a token service's redirect (${status}) to another host gets neither the refresh token nor the password`, async (t) => {
    for (const credentials of [USER, authConfig({ identityToken: 'refresh' })]) {
      const thief = await record(t, (_, response) => response.end('{"token":"good-token"}'));
      const service = await record(t, (_, response) => {
        response.writeHead(status, { location: `http://${thief.host}/token` }).end();
      });
      const registry = await serve(t, { auth: 'bearer', realm: `http://${service.host}/token` });
      const { puller } = await pullBench(t, registry.conf);

      const pull = puller.pull(NAME, credentials, signal);
      if (credentials.identityToken === '') await pull;
      else await assert.rejects(pull, { kind: 'FailedPrecondition', message: /POST http.*\/token: redirected to another host/ });
      assert.ok(service.received.length > 0);
      assertSawNoSecret(thief);
    }
  });
}

test('a token service’s redirect within its own host is followed with what was sent', async (t) => {
  const service = await record(t, ({ url, body }, response) => {
    if (url === '/token') response.writeHead(307, { location: '/v2/token' }).end();
    else if (new URLSearchParams(body).get('refresh_token') === 'refresh') response.end('{"access_token":"good-token"}');
    else response.writeHead(401).end();
  });
  const registry = await serve(t, { auth: 'bearer', realm: `http://${service.host}/token` });
  const { puller } = await pullBench(t, registry.conf);

  assert.deepEqual((await puller.pull(NAME, authConfig({ identityToken: 'refresh' }), signal)).names, [NAME]);
});

test('a redirect takes along no token, no cookie and no referrer, from manifests and blobs alike', async (t) => {
  const storage = await serve(t, {});
  const thief = await record(t, ({ url }, response) => {
    response.writeHead(307, { location: `http://${storage.host}${url}`, 'set-cookie': 'thief=1; Path=/' }).end();
  });
  for (const credentials of [USER, authConfig({ identityToken: 'refresh' }), authConfig({ registryToken: 'good-token' })]) {
    const registry = await serve(t, {
      auth: 'bearer',
      fault: (request, response) => {
        response.writeHead(307, { location: `http://${thief.host}${request.url ?? ''}`, 'set-cookie': 'session=1; Path=/' }).end();
        return true;
      },
    });
    const { puller } = await pullBench(t, registry.conf);
    await puller.pull(NAME, credentials, signal);
    assert.ok(thief.received.some(({ url }) => url.includes('/manifests/')));
    assert.ok(thief.received.some(({ url }) => url.includes('/blobs/')));
  }
  assertSawNoSecret(thief);
  for (const { headers } of thief.received)
    assert.deepEqual([headers.cookie, headers.referer, headers.authorization], [undefined, undefined, undefined]);
  assert.deepEqual(new Set(storage.authorizations), new Set(['-']));
});

test('a redirect to what is no URL fails the pull in words', async (t) => {
  for (const [location, words] of [
    ['http://[bad', /redirected to what is no URL/],
    ['ftp://127.0.0.1/x', /redirected to ftp:\/\/127\.0\.0\.1\/x, must be https/],
  ] as const) {
    const registry = await serve(t, {
      fault: (_, response) => {
        response.writeHead(302, { location }).end();
        return true;
      },
    });
    const { puller } = await pullBench(t, registry.conf);
    await assert.rejects(puller.pull(NAME, undefined, signal), { kind: 'FailedPrecondition', message: words });
  }
});
