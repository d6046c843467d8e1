import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { loadConfig } from '../../../src/config/load.ts';
import { defaultSettings } from '../../../src/config/overlay.ts';
import { printMarkdown } from '../../../src/config/pages.ts';
import { printToml } from '../../../src/config/print.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const HOST = { systemdOnCgroup2: true, cgroup2: true, programDirs: ['/usr/sbin', '/usr/bin'], platform: 'linux/amd64' };

const FULL = `
  root = "/data"
  listen = "/run/other.sock"
  log_size_max = "1KiB"
  default_ulimits = ["nofile=1:2", "core=0:-1"]
  default_sysctls = { "net.core.somaxconn" = "a \\"quoted\\" \\\\ \\u007f" }
  default_capabilities = []
  timeouts.run_pod_sandbox = "1h2m3s4ms"
  image.pinned = ["registry.k8s.io/*"]
  [runtime.handlers.crun]
  [runtime.handlers."kata.qemu"]
  path = "/opt/kata"
`;

test('printToml() prints what loads as the same configuration', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'podwright-config-'));
  t.after(() => remove(folder));
  await mkdir(join(folder, 'conf.d'));
  const load = async (text: string) => {
    await writeFile(join(folder, 'c.toml'), text);
    return (await loadConfig({ file: join(folder, 'c.toml'), directory: join(folder, 'conf.d') }, HOST)).config;
  };
  for (const source of ['', FULL, printToml(defaultSettings())]) {
    const config = await load(source);

    const again = await load(printToml(config));

    assert.deepEqual(again, config);
    assert.equal(printToml(again), printToml(config));
  }
});

test('printToml() documents every key', () => {
  const lines = printToml(defaultSettings()).split('\n');

  const bare = lines.filter((line, index) => / = /.test(line) && !line.startsWith('#') && !lines[index - 1]!.startsWith('# '));
  assert.deepEqual(bare, []);
});

test('docs/config.md and deploy/podwright.toml are what the schema prints (npm run generate)', async () => {
  assert.equal(await readFile(join(REPOSITORY, 'docs/config.md'), 'utf8'), printMarkdown(defaultSettings()));
  assert.equal(await readFile(join(REPOSITORY, 'deploy/podwright.toml'), 'utf8'), printToml(defaultSettings()));
});
