/** Pulls through proxies, with names of registries that only the proxy knows. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { run } from '../../../src/linux/spawn.ts';
import type { ProxySettings } from '../../../src/registry/proxies.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { HttpProxy } from '../../support/http-proxy.ts';
import type { ProxyFaults } from '../../support/http-proxy.ts';
import { inventoryOf } from '../../support/image-storage.ts';
import { authConfig, pullBench } from '../../support/pull-bench.ts';
import type { PullBench } from '../../support/pull-bench.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const NAME = 'registry.example/team/app:1';
const ACCOUNT = 'proxy-user:proxy-secret';
const signal = AbortSignal.timeout(60_000);
const LAYER = await makeLayer([{ path: 'f', kind: 'file', data: 'behind a proxy' }]);
const IMAGE = { config: {}, layers: [LAYER] };

/** Sends `registry.example` to a name on the registry's port, which this machine cannot look up. */
function conf(host: string, insecure: boolean): string {
  return `[[registry]]\nprefix = "registry.example"\nlocation = "only-the-proxy-knows.invalid:${host.split(':')[1]}"\ninsecure = ${insecure}\n`;
}

async function plain(t: TestContext, options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  registry.addImage(IMAGE, 'team/app', '1');
  return registry;
}

async function secure(t: TestContext): Promise<TestRegistry> {
  const scratch = await scratchDirectory(t);
  const [key, certificate] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  const made = await run('/usr/bin/openssl', {
    args: ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate, '-subj', '/CN=registry'],
    timeoutMs: 30_000,
  });
  assert.equal(made.exit.code, 0, made.stderr.toString());
  const registry = await TestRegistry.start({ tls: { certificate, key } });
  t.after(async () => registry.stop());
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // for the push of this test only
  try {
    await registry.push(IMAGE, 'team/app', ['1']);
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  }
  return registry;
}

async function bench(t: TestContext, host: string, proxies: Partial<ProxySettings>, insecure = true): Promise<PullBench> {
  return await pullBench(t, conf(host, insecure), { proxies: { http: '', https: '', noProxy: '', ...proxies } });
}

test('https goes by CONNECT, which has the proxy’s account and nothing of the registry’s', { skip: noRegistry }, async (t) => {
  const proxy = await HttpProxy.start(t, { account: ACCOUNT });
  const registry = await secure(t);
  const { puller } = await bench(t, registry.host, { https: `http://${ACCOUNT}@${proxy.address}` });

  const { names } = await puller.pull(NAME, authConfig({ username: 'someone', password: 'registry-secret' }), signal);
  assert.deepEqual(names, [NAME]);
  assert.ok(proxy.asked.length > 0);
  const port = registry.host.split(':')[1];
  for (const asked of proxy.asked) assert.equal(asked, `CONNECT only-the-proxy-knows.invalid:${port}`);
  const secret = Buffer.from('someone:registry-secret').toString('base64');
  assert.ok(!proxy.headers.join(' ').includes(secret));
});

test('plain http is asked of the proxy by whole URLs', async (t) => {
  const proxy = await HttpProxy.start(t, { account: ACCOUNT });
  const registry = await plain(t);
  const { puller } = await bench(t, registry.host, { http: `http://${ACCOUNT}@${proxy.address}` });

  assert.deepEqual((await puller.pull(NAME, undefined, signal)).names, [NAME]);
  const port = registry.host.split(':')[1];
  assert.equal(proxy.asked[0], `GET http://only-the-proxy-knows.invalid:${port}/v2/team/app/manifests/1`);
});

test('who is named in no_proxy is asked directly', async (t) => {
  const proxy = await HttpProxy.start(t);
  const registry = await plain(t);
  const proxies = { http: `http://${proxy.address}`, https: `http://${proxy.address}` };
  const { puller } = await bench(t, registry.host, { ...proxies, noProxy: '.invalid' });

  await assert.rejects(puller.pull(NAME, undefined, signal), /RegistryUnavailable: .*ENOTFOUND|EAI_AGAIN/);
  assert.deepEqual(proxy.asked, []);
});

const REFUSED: Readonly<Record<string, { readonly faults: ProxyFaults; readonly words: RegExp }>> = {
  'wants an account': { faults: { account: 'other:account' }, words: /407/ },
  'cannot reach the registry': { faults: { connect: 502 }, words: /502/ },
  'says nothing': { faults: { connect: 'silent' }, words: /[Tt]imeout/ },
};
for (const [what, { faults, words }] of Object.entries(REFUSED)) {
  test(`a proxy that ${what} is a registry that is unavailable; no password is shown, and nothing is left`, async (t) => {
    const proxy = await HttpProxy.start(t, faults);
    const registry = await plain(t);
    const { puller, root } = await bench(t, registry.host, { https: `http://${ACCOUNT}@${proxy.address}` }, false);
    const before = await inventoryOf(root);
    const started = Date.now();
    const failure = await puller.pull(NAME, undefined, signal).then(() => assert.fail('it was pulled'), String);

    assert.match(failure, /RegistryUnavailable: pull registry\.example\/team\/app:1/);
    assert.match(failure, words);
    assert.ok(!failure.includes('secret'), failure);
    assert.ok(Date.now() - started < 12_000, `it took ${Date.now() - started} ms`);
    assert.deepEqual(await inventoryOf(root), before);
  });
}

test('a pull that is cancelled leaves no connection through the proxy', async (t) => {
  const proxy = await HttpProxy.start(t);
  let blobAsked: (() => void) | undefined;
  const asked = new Promise<void>((resolve) => {
    blobAsked = resolve;
  });
  const registry = await plain(t, {
    fault: ({ url = '' }, response) => {
      if (!url.includes(LAYER.digest)) return false;
      response.writeHead(200, { 'content-length': LAYER.blob.length }).write('x');
      blobAsked?.();
      return true;
    },
  });
  const { puller } = await bench(t, registry.host, { http: `http://${proxy.address}` });
  const controller = new AbortController();
  const pulling = puller.pull(NAME, undefined, controller.signal);
  pulling.catch(() => undefined);
  await asked;
  const open = proxy.open;
  controller.abort();
  await assert.rejects(pulling);
  await puller.settled();
  for (let tries = 0; proxy.open >= open && tries < 50; tries += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(proxy.open < open, `${proxy.open} of ${open} connections are open`);
});
