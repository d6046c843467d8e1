/** `podwright image resolve`: the endpoints of a name in order, and why, with nothing secret. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../support/pods.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';

const SECRET = 'n0-b0dy-sees-this';

async function configure({ directory }: TestDaemon): Promise<(path: string, text: string) => Promise<void>> {
  const at = (name: string): string => join(directory, name);
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(join(at(path), '..'), { recursive: true });
    await writeFile(at(path), text, { mode: 0o600 });
  };
  const conf = `registries_conf = "${at('registries.conf')}"\nregistries_conf_dir = "${at('registries.conf.d')}"\n`;
  const places = `registry_config_path = ["${at('hosts')}"]\nregistry_certs_dirs = ["${at('certs')}"]\n`;
  await write('conf.d/10-registries.toml', `${conf}${places}[image]\nauth_files = ["${at('auth.json')}"]\n`);
  const cache = '[[registry.mirror]]\nlocation = "cache.test:5000/proxy"\ninsecure = true\n';
  await write(
    'registries.conf',
    `[aliases]\napp = "team.test/app"\n[[registry]]\nprefix = "team.test"\nlocation = "real.test/team"\n${cache}` +
      '[[registry]]\nprefix = "bad.test"\nblocked = true\n',
  );
  const auths = { 'cache.test:5000': { auth: btoa(`me:${SECRET}`) }, 'real.test/team': { auth: btoa(`you:${SECRET}`) } };
  await write('auth.json', JSON.stringify({ auths }));
  await write(
    'hosts/here.test/hosts.toml',
    `[host."http://near.test:5000"]\ncapabilities = ["pull"]\ndial_timeout = "2s"\n[host."http://near.test:5000".header]\nx-key = "${SECRET}"\n` +
      '[host."https://far.test/a/b"]\nskip_verify = true\noverride_path = true\n',
  );
  return write;
}

e2eTest(
  'image resolve prints the endpoints in order with file and rule, and the origin of credentials but no secret',
  async (daemon) => {
    const write = await configure(daemon);
    await daemon.restart();
    const { directory } = daemon;
    const resolve = async (...args: string[]): Promise<string> => {
      const text = await daemon.cli('image', 'resolve', ...args);
      assert.ok(!text.includes(SECRET) && !text.includes(btoa(`me:${SECRET}`)), text);
      return text;
    };
    const rule = `[[registry]] "team.test" in ${directory}/registries.conf`;
    assert.deepEqual((await resolve('app:1')).split('\n'), [
      `app:1: alias "app" = "team.test/app" in ${directory}/registries.conf`,
      'team.test/app:1',
      '  1. https://cache.test:5000/v2/proxy/app (mirror)',
      `     why: mirror "cache.test:5000/proxy" of ${rule}`,
      '     tls: not verified, plain http where https fails',
      `     credentials: ${directory}/auth.json: auths["cache.test:5000"]`,
      '  2. https://real.test/v2/team/app',
      `     why: ${rule}`,
      '     tls: verified',
      `     credentials: those of the request, else ${directory}/auth.json: auths["real.test/team"]`,
      '',
    ]);

    const hosts = `${directory}/hosts/here.test/hosts.toml`;
    assert.deepEqual((await resolve('here.test/x/y')).split('\n'), [
      'here.test/x/y: it says its registry',
      'here.test/x/y:latest',
      '  1. http://near.test:5000/v2/x/y (mirror)',
      `     why: host "http://near.test:5000" in ${hosts}`,
      '     tags: not asked what they mean, content alone',
      '     headers: x-key',
      '     dial timeout: 2000 ms',
      '     credentials: none',
      '  2. https://far.test/a/b/x/y (mirror)',
      `     why: host "https://far.test/a/b" in ${hosts}`,
      '     tls: not verified',
      '     credentials: none',
      '  3. https://here.test/v2/x/y',
      `     why: server in ${hosts}`,
      '     tls: verified',
      '     credentials: those of the request, else none',
      '',
    ]);
    assert.match(await resolve('bad.test/x:1'), /^ {2}refused: fetch bad\.test\/x:1: registry bad\.test is blocked in registries\.conf/m);
    await assert.rejects(resolve('Not/A/Name:'), /podwright: read image reference "Not\/A\/Name:"/);

    const report = JSON.parse(await resolve('--json', `here.test/x/y@sha256:${'a'.repeat(64)}`)) as {
      meanings: { endpoints: { host: string; isAskedFirst: boolean }[] }[];
    };
    assert.deepEqual(
      report.meanings[0]?.endpoints.map(({ host, isAskedFirst }) => [host, isAskedFirst]),
      [
        ['near.test:5000', true],
        ['far.test', true],
        ['here.test', true],
      ],
    );

    await write('auth.json', JSON.stringify({ auths: { 'real.test': { auth: SECRET } } }));
    assert.match(await resolve('app:1'), /request, else none, auth file .*auths\["real\.test"\]\.auth: must be base64/);
    await write('hosts/_default/hosts.toml', 'server = "https://all.test"\n');
    await until('_default is read', async () => /1\. https:\/\/all\.test\/v2\/z \(mirror\)/.test(await resolve('else.test/z')));
  },
  { images: [] },
);
