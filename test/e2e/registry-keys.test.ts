/** The keys of the configuration for proxies, ranges and time limits: what a registry and a proxy see of them. */
// long: 20 s
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../support/faulty-registry.ts';
import { HttpProxy } from '../support/http-proxy.ts';
import { failureOf } from '../support/pods.ts';

const MIB = 1024 * 1024;
const LAYER = await makeLayer([{ path: 'noise', kind: 'file', data: randomBytes(3 * MIB) }]);
/** More than the limits that are set here and the tries after them take, and much less than the limits that are the defaults. */
const SOON_MS = 25_000;

async function registryOf(t: TestContext, options: FaultyRegistryOptions = {}): Promise<{ registry: FaultyRegistry; port: string }> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  registry.addImage({ config: {}, layers: [LAYER] }, 'team/app', '1');
  return { registry, port: registry.host.split(':')[1] ?? '' };
}

async function configure(daemon: TestDaemon, keys: string, insecure: readonly string[]): Promise<void> {
  const conf = join(daemon.directory, 'registries.conf');
  await writeFile(conf, insecure.map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`).join('\n'));
  await mkdir(join(daemon.directory, 'conf.d'), { recursive: true });
  await writeFile(join(daemon.directory, 'conf.d/10-registry.toml'), `registries_conf = "${conf}"\n${keys}`);
  await daemon.restart();
}

async function pull(daemon: TestDaemon, image: string): Promise<void> {
  await daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
  await daemon.images.removeImage({ image: { image } });
}

e2eTest(
  'proxy.http is asked for a registry of plain http, and not for whom no_proxy names',
  async (daemon, t) => {
    const proxy = await HttpProxy.start(t);
    const { port } = await registryOf(t);
    const [behind, direct] = [`only-the-proxy-knows.invalid:${port}`, `direct.invalid:${port}`];
    await configure(daemon, `[proxy]\nhttp = "http://${proxy.address}"\nno_proxy = ["direct.invalid"]\n`, [behind, direct]);
    await pull(daemon, `${behind}/team/app:1`);
    assert.equal(proxy.asked[0], `GET http://${behind}/v2/team/app/manifests/1`);
    const { message } = await failureOf(pull(daemon, `${direct}/team/app:1`));
    assert.match(message, /RegistryUnavailable: .*(ENOTFOUND|EAI_AGAIN)/);
    assert.ok(!proxy.asked.some((asked) => asked.includes('direct.invalid')), proxy.asked.join(' '));
  },
  { images: [] },
);

e2eTest(
  'proxy.https is asked by CONNECT, and image.connect_timeout is all that it has to answer',
  async (daemon, t) => {
    const proxy = await HttpProxy.start(t, { connect: 'silent' });
    await configure(daemon, `[proxy]\nhttps = "http://${proxy.address}"\n[image]\nconnect_timeout = "500ms"\n`, []);
    const startedMs = Date.now();
    const { message } = await failureOf(pull(daemon, 'only-the-proxy-knows.invalid/team/app:1'));
    assert.match(message, /RegistryUnavailable: .*[Tt]imeout/);
    assert.ok(Date.now() - startedMs < SOON_MS, `${Date.now() - startedMs} ms`);
    assert.equal(proxy.asked[0], 'CONNECT only-the-proxy-knows.invalid:443');
  },
  { images: [] },
);

e2eTest(
  'image.download_range_mib cuts a large layer, and image.response_header_timeout is all that an answer may take to begin',
  async (daemon, t) => {
    const ranges: string[] = [];
    const { registry } = await registryOf(t, {
      fault: ({ url = '', headers }) => {
        if (url.includes('/blobs/') && headers.range !== undefined) ranges.push(headers.range);
        return url.includes('/manifests/never');
      },
    });
    await configure(daemon, '[image]\ndownload_range_mib = 1\nresponse_header_timeout = "1s"\n', [registry.host]);
    await pull(daemon, `${registry.host}/team/app:1`);
    const starts = ranges.map((range) => /^bytes=(\d+)-\d+$/.exec(range)?.[1]).sort();
    assert.deepEqual(starts, ['0', `${MIB}`, `${2 * MIB}`, `${3 * MIB}`], ranges.join(' '));
    const startedMs = Date.now();
    const { message } = await failureOf(pull(daemon, `${registry.host}/team/app:never`));
    assert.match(message, /RegistryUnavailable: .*[Tt]imeout/);
    assert.ok(Date.now() - startedMs < SOON_MS, `${Date.now() - startedMs} ms`);
  },
  { images: [] },
);
