import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { test } from 'node:test';
import { readCrio } from '../../../src/migrate/crio.ts';
import { losesSomething, migrate } from '../../../src/migrate/migrate.ts';
import { fates, MigrateLab } from '../../support/migrate-lab.ts';

const CONF = `[crio]
log_dir = "/var/log/crio/pods"
[crio.api]
stream_address = "10.0.0.1"
stream_port = "10010"
stream_enable_tls = true
stream_tls_cert = "/etc/crio/tls.crt"
stream_tls_key = "/etc/crio/tls.key"
[crio.runtime]
default_runtime = "crun"
cgroup_manager = "cgroupfs"
conmon = "/usr/libexec/conmon"
default_sysctls = ["net.ipv4.ping_group_range=0 0"]
default_ulimits = ["nofile=1024:4096"]
log_level = "trace"
pids_limit = 0
read_only = true
[crio.runtime.runtimes.crun]
runtime_path = "/usr/bin/crun"
allowed_annotations = ["io.containers.trace-syscall"]
monitor_path = "/usr/bin/conmon"
[crio.runtime.runtimes.kata]
runtime_path = "/usr/bin/containerd-shim-kata-v2"
runtime_type = "vm"
[crio.runtime.runtimes.plain]
inherit_default_runtime = true
container_create_timeout = 90
[crio.image]
global_auth_file = "/var/lib/kubelet/config.json"
pinned_images = ["quay.io/team/*"]
short_name_mode = "disabled"
[crio.network]
plugin_dirs = ["/opt/cni/bin", "/usr/libexec/cni"]
[crio.metrics]
enable_metrics = true
metrics_port = 9537
[crio.nri]
nri_plugin_request_timeout = "3s"
[crio.nri.default_validator]
nri_validator_reject_namespace_adjustment = true
[crio.nonsense]
made_up = 1
`;

test('a configuration of CRI-O becomes one that the loader takes, with the same values', async (t) => {
  const lab = await MigrateLab.make(t, { 'crio.conf': CONF });
  const { config, migration } = await lab.load(await readCrio(lab.at('crio.conf'), undefined, true));

  assert.equal(config.cgroupManager, 'cgroupfs');
  assert.deepEqual(config.defaultSysctls, { 'net.ipv4.ping_group_range': '0 0' });
  assert.deepEqual(config.defaultUlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }]);
  assert.equal(config.pidsLimit, -1);
  assert.equal(config.log.level, 'debug');
  assert.equal(config.conmon, '/usr/bin/conmon', 'the monitor of the default runtime comes before the old key');
  assert.equal(config.runtime.default, 'crun');
  assert.deepEqual(Object.keys(config.runtime.handlers).sort(), ['crun', 'plain', 'runc']);
  const [crun, plain] = [config.runtime.handlers['crun'], config.runtime.handlers['plain']];
  assert.deepEqual([crun?.path, crun?.allowedAnnotations], ['/usr/bin/crun', ['io.containers.trace-syscall']]);
  assert.deepEqual([plain?.path, plain?.createTimeoutMs], ['/usr/bin/crun', 90_000]);
  assert.deepEqual(config.image.authFiles, ['/var/lib/kubelet/config.json']);
  assert.deepEqual(config.image.pinned, ['quay.io/team/*']);
  assert.deepEqual(config.cni.binDirs, ['/opt/cni/bin', '/usr/libexec/cni']);
  assert.equal(config.metrics.listen, '127.0.0.1:9537');
  assert.deepEqual([config.stream.address, config.stream.port, config.stream.tlsCert], ['10.0.0.1', 10_010, '/etc/crio/tls.crt']);
  assert.equal(config.nri.requestTimeoutMs, 3000);
  assert.equal(config.nri.defaultValidator.rejectNamespaceAdjustment, true);
  // What CRI-O does without being told.
  assert.deepEqual(config.hooksDir, ['/usr/share/containers/oci/hooks.d']);
  assert.equal(config.image.signaturePolicyDir, '/etc/crio/policies');

  const lost = fates(migration, 'lost');
  assert.deepEqual(Object.keys(lost).sort(), [
    'crio.image.short_name_mode',
    'crio.runtime.read_only',
    'crio.runtime.runtimes.kata.runtime_path',
    'crio.runtime.runtimes.kata.runtime_type',
  ]);
  assert.match(lost['crio.runtime.runtimes.kata.runtime_type'] ?? '', /handler kata: its runtime_type is "vm", must be an OCI runtime/);
  assert.deepEqual(Object.keys(fates(migration, 'unknown')), ['crio.nonsense.made_up']);
  assert.ok(losesSomething(migration));
  const line = migration.lines.find(({ key }) => key === 'crio.runtime.read_only');
  assert.deepEqual([line?.file, line?.line], [lab.at('crio.conf'), 17]);
});

test('a later drop-in wins, and its runtime takes the place of the whole runtime of that name', async (t) => {
  const lab = await MigrateLab.make(t, {
    'crio.conf': '[crio.runtime]\nlog_level = "info"\n',
    'conf.d/10-crun.conf': '[crio.runtime.runtimes.crun]\nruntime_path = "/a/crun"\nallowed_annotations = ["a.test/b"]\n',
    'conf.d/20/deep': '[crio.runtime]\nlog_level = "error"\n[crio.runtime.runtimes.crun]\nruntime_path = "/b/crun"\n',
  });
  const { config, migration } = await lab.load(await readCrio(lab.at('crio.conf'), lab.at('conf.d'), true));
  assert.deepEqual(
    migration.files,
    ['crio.conf', 'conf.d/10-crun.conf', 'conf.d/20/deep'].map((name) => lab.at(name)),
  );
  assert.equal(config.log.level, 'error');
  const crun = config.runtime.handlers['crun'];
  assert.deepEqual([crun?.path, crun?.allowedAnnotations], ['/b/crun', []]);
  assert.ok(!losesSomething(migration));
});

test('without a word of runtimes there is crun, as built into CRI-O', async (t) => {
  const lab = await MigrateLab.make(t, { 'crio.conf': '' });
  const { config } = await lab.load(await readCrio(lab.at('crio.conf'), undefined, true));
  assert.equal(config.runtime.default, 'crun');
  assert.ok(Object.hasOwn(config.runtime.handlers, 'crun'));
  assert.equal(config.cgroupManager, 'systemd');
});

test('crun is a handler of CRI-O wherever it is on the node, whatever the files say', async (t) => {
  const lab = await MigrateLab.make(t, {
    'crio.conf': '[crio.runtime]\ndefault_runtime = "runc"\n[crio.runtime.runtimes.runc]\n',
    'bin/crun': '',
  });
  const handlers = async (directories: readonly string[]): Promise<string[]> => {
    const { config } = await lab.load(await readCrio(lab.at('crio.conf'), undefined, true, directories));
    return Object.keys(config.runtime.handlers).sort();
  };
  assert.deepEqual(await handlers([lab.at('bin')]), ['runc'], 'it is no program');
  await chmod(lab.at('bin/crun'), 0o755);
  assert.deepEqual(await handlers([lab.at('bin')]), ['crun', 'runc']);
});

test('a value that ours does not take is lost in the words of our key', async (t) => {
  const lab = await MigrateLab.make(t, {
    'crio.conf': '[crio.runtime]\ntimezone = "no zone"\ndefault_sysctls = ["bad"]\n[crio.runtime.runtimes."a b"]\nruntime_path = "/x"\n',
  });
  const migration = migrate(await readCrio(lab.at('crio.conf'), undefined, true));
  const lost = fates(migration, 'lost');
  assert.match(lost['crio.runtime.timezone'] ?? '', /^timezone: is "no zone", must be the name of a time zone/);
  assert.match(lost['crio.runtime.default_sysctls'] ?? '', /"bad" is no "name=value"/);
  assert.match(lost['crio.runtime.runtimes."a b".runtime_path'] ?? '', /is no name, must be letters, digits/);
});

test('a file that is no TOML is named with what is wrong in it', async (t) => {
  const lab = await MigrateLab.make(t, { 'crio.conf': '[crio\n' });
  await assert.rejects(readCrio(lab.at('crio.conf'), undefined, true), (error: Error) =>
    error.message.startsWith(`${lab.at('crio.conf')}: Invalid TOML document`),
  );
});
