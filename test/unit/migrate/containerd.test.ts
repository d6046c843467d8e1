import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { readContainerd } from '../../../src/migrate/containerd.ts';
import { losesSomething, migrate } from '../../../src/migrate/migrate.ts';
import { RegistrySources } from '../../../src/registry/registry-sources.ts';
import { fates, MigrateLab } from '../../support/migrate-lab.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');

for (const version of ['1.6.20', '1.7.24', '2.1.9', '2.3.4'])
  test(`of what containerd ${version} has by default nothing is lost, and the loader takes what comes of it`, async (t) => {
    const lab = await MigrateLab.make(t, {});
    await copyFile(join(FIXTURES, `containerd-${version}.toml`), lab.at('config.toml'));
    const { config, migration } = await lab.load(await readContainerd(lab.at('config.toml'), undefined));
    assert.deepEqual([fates(migration, 'lost'), fates(migration, 'unknown')], [{}, {}]);
    assert.equal(config.runtime.default, 'runc');
    assert.deepEqual(Object.keys(config.runtime.handlers), ['runc']);
    assert.equal(config.cgroupManager, 'cgroupfs');
    assert.equal(config.cni.ipPreference, 'ipv4');
    assert.equal(config.imageVolumes, 'bind');
    assert.equal(config.nri.enable, version !== '1.7.24');
    assert.ok(config.defaultCapabilities.includes('CAP_NET_RAW'));
  });

const V2 = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.test/pause:3.9"
  enable_unprivileged_icmp = false
  systemd_cgroup = false
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "fast"
    snapshotter = "stargz"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.fast]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = ["run.oci.*"]
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.fast.options]
        BinaryName = "/usr/bin/crun"
        SystemdCgroup = true
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]
      runtime_type = "io.containerd.kata.v2"
      privileged_without_host_devices = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
      endpoint = ["http://mirror.test:5000", "https://cache.test/v2/hub"]
    [plugins."io.containerd.grpc.v1.cri".registry.mirrors."*"]
      endpoint = ["https://all.test"]
    [plugins."io.containerd.grpc.v1.cri".registry.configs."cache.test".tls]
      insecure_skip_verify = true
    [plugins."io.containerd.grpc.v1.cri".registry.configs."own.test:5000".auth]
      username = "tester"
      password = "let-me-in"
    [plugins."io.containerd.grpc.v1.cri".registry.auths."https://registry-1.docker.io"]
      identitytoken = "refresh"
[metrics]
  address = "127.0.0.1:1338"
[debug]
  level = "trace"
`;

test('tables of mirrors and credentials become hosts.toml and auth.json, which our own readers take', async (t) => {
  const lab = await MigrateLab.make(t, { 'config.toml': V2 });
  const { config, migration } = await lab.load(await readContainerd(lab.at('config.toml'), lab.at('registries')));

  assert.equal(config.runtime.default, 'fast');
  assert.equal(config.runtime.handlers['fast']?.path, '/usr/bin/crun');
  assert.equal(config.cgroupManager, 'systemd');
  assert.deepEqual(config.defaultSysctls, { 'net.ipv4.ip_unprivileged_port_start': '0' });
  assert.equal(config.metrics.listen, '127.0.0.1:1338');
  assert.equal(config.log.level, 'debug');
  assert.deepEqual(config.registryConfigPath, [lab.at('registries/certs.d')]);
  assert.deepEqual(config.image.authFiles, [lab.at('registries/auth.json')]);
  assert.deepEqual(Object.keys(fates(migration, 'lost')), [
    'plugins."io.containerd.grpc.v1.cri".containerd.snapshotter',
    'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata.runtime_type',
    'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata.privileged_without_host_devices',
  ]);

  for (const { path, text } of migration.sideFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const none = lab.at('no-such-place');
  const sources = await RegistrySources.load({
    registriesConf: none,
    registriesConfDir: none,
    shortNameAliases: none,
    certificateDirectories: [],
    hostDirectories: config.registryConfigPath,
  });
  assert.deepEqual(sources.trace.warnings, []);
  const asked = (domain: string): string[] =>
    sources
      .endpoints({ domain, path: 'library/busybox', suffix: ':1' })
      .map(({ scheme, host, root, tls }) => `${scheme}://${host}${root}${tls.verifies ? '' : ' unverified'}`);
  assert.deepEqual(asked('docker.io'), [
    'http://mirror.test:5000/v2',
    'https://cache.test/v2/hub unverified',
    'https://registry-1.docker.io/v2',
  ]);
  assert.deepEqual(asked('any.test'), ['https://all.test/v2', 'https://any.test/v2']);
  assert.deepEqual(JSON.parse(await readFile(lab.at('registries/auth.json'), 'utf8')), {
    auths: { 'own.test:5000': { auth: Buffer.from('tester:let-me-in').toString('base64') }, 'docker.io': { identitytoken: 'refresh' } },
  });
  assert.ok(!JSON.stringify(migration.lines).includes('let-me-in'), 'the report tells no secret');
  assert.ok(!migration.toml.includes('let-me-in'));
});

test('without a directory for them, mirrors and credentials are lost, and the words say what to do', async (t) => {
  const lab = await MigrateLab.make(t, { 'config.toml': V2 });
  const lost = fates(migrate(await readContainerd(lab.at('config.toml'), undefined)), 'lost');
  const words = lost['plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io".endpoint'];
  assert.equal(words, 'it needs a file: name a directory for it by --registry-dir');
});

test('imports are laid over the file key by key; of version 2 the report says that containerd 1.x does otherwise', async (t) => {
  const table = (version: number): string => (version === 2 ? 'io.containerd.grpc.v1.cri' : 'io.containerd.cri.v1.runtime');
  for (const version of [2, 3]) {
    const text = (more: string): string => `version = ${version}\n${more}`;
    const lab = await MigrateLab.make(t, {
      'config.toml': text(`imports = ["conf.d/*.toml"]\n[plugins."${table(version)}"]\nenable_selinux = true\ncdi_spec_dirs = ["/x"]\n`),
      'conf.d/10.toml': text(`[plugins."${table(version)}"]\ncdi_spec_dirs = ["/y"]\n`),
    });
    const { config, migration } = await lab.load(await readContainerd(lab.at('config.toml'), undefined));
    assert.deepEqual([config.selinux, config.cdiSpecDirs], [true, ['/y']]);
    assert.equal(losesSomething(migration), version === 2);
  }
});

test('a key in a table that containerd does not read in this version is unknown', async (t) => {
  const lab = await MigrateLab.make(t, {
    'config.toml':
      'version = 3\n[plugins."io.containerd.grpc.v1.cri"]\nenable_selinux = true\n[plugins."io.containerd.snapshotter.v1.soci"]\nroot = "/x"\n',
  });
  const migration = migrate(await readContainerd(lab.at('config.toml'), undefined));
  assert.deepEqual(Object.keys(fates(migration, 'unknown')), [
    'plugins."io.containerd.grpc.v1.cri".enable_selinux',
    'plugins."io.containerd.snapshotter.v1.soci".root',
  ]);
});

test('the tables of servers that version 4 has as plugins are carried as those of version 3', async (t) => {
  const lab = await MigrateLab.make(t, {
    'config.toml': `version = 4
[plugins."io.containerd.server.v1.grpc"]
gid = 999
[plugins."io.containerd.server.v1.metrics"]
address = "127.0.0.1:1338"
[plugins."io.containerd.server.v1.grpc-tcp"]
address = "127.0.0.1:9"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "registry.test/pause:1"
base = "registry.test/base:1"
[plugins."io.containerd.transfer.v1.local"]
max_concurrent_downloads = 5
[plugins."io.containerd.tracing.processor.v1.otlp"]
endpoint = "collector:4317"
`,
  });
  const { config, migration } = await lab.load(await readContainerd(lab.at('config.toml'), undefined));
  assert.deepEqual([config.socketGid, config.metrics.listen, config.image.maxParallelDownloads], [999, '127.0.0.1:1338', 5]);
  assert.deepEqual(config.image.pinned, ['registry.test/base:1']);
  assert.deepEqual(Object.keys(fates(migration, 'lost')), [
    'plugins."io.containerd.server.v1.grpc-tcp".address',
    'plugins."io.containerd.tracing.processor.v1.otlp".endpoint',
  ]);
});

test('versions that are not known, or not the same, are refused with what to do', async (t) => {
  const lab = await MigrateLab.make(t, {
    'old.toml': 'root = "/r"\n',
    'config.toml': 'version = 3\nimports = ["two.toml"]\n',
    'two.toml': 'version = 2\n',
  });
  await assert.rejects(readContainerd(lab.at('old.toml'), undefined), /version is 1, must be 2, 3 or 4: containerd config migrate/);
  await assert.rejects(readContainerd(lab.at('config.toml'), undefined), /two\.toml: version is 2, must be 3 as in .*config\.toml/);
  await assert.rejects(readContainerd(lab.at('absent.toml'), undefined), /absent\.toml: ENOENT/);
});
