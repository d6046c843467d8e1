import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { configFlags } from '../../../src/config/flags.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { ConfigSources, LoadedConfig } from '../../../src/config/load.ts';

const HOST = { systemdOnCgroup2: false, cgroup2: false, programDirs: [], platform: 'linux/amd64' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwright-config-'));
  await mkdir(join(folder, 'conf.d'));
});
afterEach(async () => {
  await remove(folder);
});

async function load(main: string, dropIns: Record<string, string> = {}, flags: ConfigSources['flags'] = []): Promise<LoadedConfig> {
  await writeFile(join(folder, 'main.toml'), main);
  for (const [name, text] of Object.entries(dropIns)) await writeFile(join(folder, 'conf.d', name), text);
  return loadConfig({ file: join(folder, 'main.toml'), directory: join(folder, 'conf.d'), flags }, HOST);
}

function flag(name: string, ...values: string[]): NonNullable<ConfigSources['flags']>[number] {
  return configFlags()
    .find((each) => each.name === name)!
    .setting(values);
}

/** What the loading of a main file is refused with, without the folder's name. */
async function problemsOf(main: string, ...flags: NonNullable<ConfigSources['flags']>): Promise<string> {
  const error: unknown = await load(main, {}, flags).then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  return (error as Error).message.replaceAll(`${folder}/`, '');
}

test('loadConfig() has defaults for everything when nothing is configured', async () => {
  const { config, files } = await loadConfig({ directory: join(folder, 'conf.d'), file: '/dev/null' }, HOST);

  assert.deepEqual(files, ['/dev/null']);
  assert.equal(config.root, '/var/lib/podwright');
  assert.equal(config.listenPath, '/run/podwright/podwright.sock');
  assert.equal(config.socketMode, 0o660);
  assert.equal(config.cgroupManager, 'cgroupfs');
  assert.equal(config.timeouts.containerCreateMs, 240_000);
  const { path, root } = config.runtime.handlers['runc']!;
  assert.deepEqual([Object.keys(config.runtime.handlers), path, root], [['runc'], 'runc', '/run/podwright/runtime/runc']);
});

test('loadConfig() lets drop-ins win in name order, and flags over them', async () => {
  const { config, files } = await load(
    'conmon = "/main"\npids_limit = 1\nlog.level = "warn"\n',
    {
      '20-b.conf': 'conmon = "/b"\npids_limit = 3',
      '10-a.toml': 'conmon = "/a"\npids_limit = 2',
      'README.md': 'not read',
      '.hidden.toml': 'nor this',
    },
    [flag('--conmon', '/flag')],
  );

  assert.deepEqual(
    files.map((file) => file.replace(`${folder}/`, '')),
    ['main.toml', 'conf.d/10-a.toml', 'conf.d/20-b.conf'],
  );
  assert.deepEqual([config.conmon, config.pidsLimit, config.log.level], ['/flag', 3, 'warn']);
});

test('loadConfig() replaces lists as a whole and merges runtime handlers by name and key', async () => {
  const { config } = await load(
    '[cni]\nbin_dirs = ["/x"]\n[runtime.handlers.crun]\npath = "/usr/bin/crun"',
    { 'a.toml': 'runtime.handlers.crun.root = "/run/crun"\ncni.bin_dirs = ["/y", "/z/"]' },
    [flag('--runtime', 'kata=/opt/kata', 'runc=/opt/runc')],
  );

  assert.deepEqual(config.cni.binDirs, ['/y', '/z']);
  const places = Object.entries(config.runtime.handlers).map(([name, { path, root }]) => [name, path, root]);
  assert.deepEqual(places, [
    ['runc', '/opt/runc', '/run/podwright/runtime/runc'],
    ['crun', '/usr/bin/crun', '/run/crun'],
    ['kata', '/opt/kata', '/run/podwright/runtime/kata'],
  ]);
});

test('loadConfig() reads durations, sizes, modes, capabilities, sysctls and ulimits', async () => {
  const { config } = await load(`
    socket_mode = 0o600
    log_size_max = "16MiB"
    default_capabilities = ["kill", "CAP_CHOWN"]
    default_ulimits = ["nofile=1024:-1"]
    default_sysctls = { "net.core.somaxconn" = 1024 }
    timeouts.park = "1m30s"
  `);

  assert.equal(config.socketMode, 0o600);
  assert.equal(config.logSizeMaxBytes, 16 * 1024 * 1024);
  assert.deepEqual(config.defaultCapabilities, ['CAP_KILL', 'CAP_CHOWN']);
  assert.deepEqual(config.defaultUlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: -1 }]);
  assert.deepEqual(config.defaultSysctls, { 'net.core.somaxconn': '1024' });
  assert.equal(config.timeouts.parkMs, 90_000);
});

test('loadConfig() finds programs in the given directories and leaves the name where there is none', async () => {
  await writeFile(join(folder, 'crun'), '', { mode: 0o755 });
  await writeFile(join(folder, 'conmon'), '', { mode: 0o644 });

  const { config } = await loadConfig(
    { file: '/dev/null', directory: join(folder, 'conf.d'), flags: [flag('--runtime', 'crun=crun')] },
    { ...HOST, programDirs: ['/nowhere', folder] },
  );

  assert.equal(config.runtime.handlers['crun']!.path, join(folder, 'crun'));
  assert.equal(config.conmon, 'conmon');
});

test('loadConfig() makes crun a handler for "auto" where the node has it', async () => {
  await writeFile(join(folder, 'crun'), '', { mode: 0o755 });
  const handlersWith = async (main: string): Promise<unknown> => {
    await writeFile(join(folder, 'main.toml'), main);
    const sources = { file: join(folder, 'main.toml'), directory: join(folder, 'conf.d') };
    const { config } = await loadConfig(sources, { ...HOST, programDirs: [folder] });
    return Object.entries(config.runtime.handlers).map(([name, { path }]) => [name, path]);
  };

  assert.deepEqual(await handlersWith('runtime.default = "auto"'), [
    ['runc', 'runc'],
    ['crun', join(folder, 'crun')],
  ]);
  assert.deepEqual(await handlersWith('runtime.default = "auto"\nruntime.handlers.crun.path = "/mine"'), [
    ['runc', 'runc'],
    ['crun', '/mine'],
  ]);
  assert.deepEqual(await handlersWith(''), [['runc', 'runc']]);
});

test('loadConfig() takes systemd for the cgroups where it runs on cgroup v2', async () => {
  const { config } = await loadConfig({ file: '/dev/null', directory: folder }, { ...HOST, systemdOnCgroup2: true });

  assert.equal(config.cgroupManager, 'systemd');
});

test('loadConfig() freezes what it returns', async () => {
  const { config } = await load('');

  assert.throws(() => (config.cni.binDirs as string[]).push('/x'), TypeError);
  assert.throws(() => Object.assign(config.log, { level: 'debug' }), TypeError);
});

test('loadConfig() names file and key of what is wrong', async () => {
  const cases: [source: string, words: string][] = [
    ['rooot = "/x"', 'main.toml: rooot: unknown key, must be one of root, run_dir, listen,'],
    [
      '[cni]\nbin_dir = []',
      'main.toml: cni.bin_dir: unknown key, must be one of conf_dir, bin_dirs, default_network, ip_preference, status_grace_period',
    ],
    ['[runtime.handlers.crun]\npaht = "/x"', 'main.toml: runtime.handlers.crun.paht: unknown key, must be one of path, root'],
    ['root = "var"', 'main.toml: root: is "var", must be an absolute path'],
    ['cni = 7', 'main.toml: cni: is 7, must be a table'],
    ['[cni]\nbin_dirs = "/x"', 'main.toml: cni.bin_dirs: is "/x", must be a list of absolute paths'],
    ['[cni]\nbin_dirs = ["/x", "y"]', 'main.toml: cni.bin_dirs: entry 2 is "y", must be an absolute path'],
    ['cgroup_manager = "cgroup"', 'main.toml: cgroup_manager: is "cgroup", must be "auto" or "cgroupfs" or "systemd"'],
    ['pids_limit = -2', 'main.toml: pids_limit: is -2, must be a whole number from -1'],
    ['tolerate_missing_hugetlb = "no"', 'main.toml: tolerate_missing_hugetlb: is "no", must be true or false'],
    [
      'proxy.https = "ftp://p"',
      'main.toml: proxy.https: is "ftp://p", must be a URL http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT',
    ],
    ['proxy.http = "http://u:hush@p"', 'main.toml: proxy.http: has a user or password, must have none'],
    ['stream.port = 65536', 'main.toml: stream.port: is 65536, must be a whole number from 0 to 65535'],
    ['timeouts.park = 120', 'main.toml: timeouts.park: is 120, must be a time such as "4m" or "90s", at least 0s'],
    ['timeouts.cni_add = "0s"', 'main.toml: timeouts.cni_add: is "0s", must be a time such as "4m" or "90s", at least 1s'],
    ['socket_mode = "777x"', 'main.toml: socket_mode: is "777x", must be file permissions such as "0660"'],
    [`listen = "unix:///${'x'.repeat(101)}"`, 'must be unix:// and an absolute path of at most 101 bytes, or empty'],
    ['listen = "tcp://1.2.3.4:5"', 'main.toml: listen: is "tcp://1.2.3.4:5", must be unix:// and an absolute path'],
    ['default_capabilities = ["chown!"]', 'main.toml: default_capabilities: entry 1 is "chown!", must be the name of a capability'],
    [
      'default_ulimits = ["nofile=9:1"]',
      'main.toml: default_ulimits: entry 1 is "nofile=9:1", must be a limit such as "nofile=1024:4096" (-1: none), the soft half not above the hard one',
    ],
    [
      'default_ulimits = ["files=1:1"]',
      'main.toml: default_ulimits: entry 1 is "files=1:1", must be a limit such as "nofile=1024:4096" (-1: none)',
    ],
    ['default_sysctls = { hostname = "x" }', 'main.toml: default_sysctls: is "hostname", must be the name of a sysctl'],
    [
      'runtime.handlers.runc.options = ["--root=/x"]',
      'main.toml: runtime.handlers.runc.options: entry 1 is "--root=/x", must be given by the key root',
    ],
    ['runtime.handlers.runc.options = ["--no-pivot"]', 'must be given by the key no_pivot'],
    ['runtime.handlers.runc.pod_annotations = ["a b"]', 'pod_annotations: entry 1 is "a b", must be the name of an annotation'],
    [
      'runtime.handlers.runc.create_timeout = "10ms"',
      'create_timeout: is "10ms", must be a time such as "4m" or "90s", at least 1s, or "0s"',
    ],
    [
      'runtime.handlers.runc.cgroup_writable = true',
      'runtime.handlers.runc.cgroup_writable: is true, must be false on this node: its cgroups are v1',
    ],
    [
      'runtime.handlers.runc.privileged_without_host_devices_all_devices_allowed = true',
      'must be with runtime.handlers.runc.privileged_without_host_devices only',
    ],
    ['runtime.default = "kata"', 'runtime.default: is "kata", must be "auto" or one of the handlers runc'],
    [
      'run_dir = "/var/lib/podwright/run"',
      'run_dir: is /var/lib/podwright/run, must be neither root (/var/lib/podwright) nor above or below it',
    ],
    ['stream.tls_cert = "/c"', 'stream.tls_cert, stream.tls_key: one of them is empty, must be both or none'],
    ['metrics.tls_key = "/k"', 'metrics.tls_cert, metrics.tls_key: one of them is empty, must be both or none'],
    ['metrics.tls_client_ca = "/ca"', 'metrics.tls_client_ca: is set, must be with metrics.tls_cert only'],
    [
      'metrics.listen = "9090"',
      'main.toml: metrics.listen: is "9090", must be HOST:PORT, or unix:// and an absolute path of at most 107 bytes, or empty for none',
    ],
    ['a = ', 'main.toml: Invalid TOML document'],
    ['[runtime.handlers.__proto__]\npath = "/x"', 'main.toml: runtime.handlers.__proto__: is no name'],
  ];
  for (const [source, words] of cases) {
    const problems = await problemsOf(source);
    assert.ok(problems.includes(words), `${source}\n  expected: ${words}\n  got: ${problems}`);
  }
});

test('loadConfig() names every problem at once', async () => {
  assert.deepEqual((await problemsOf('x = 1\nselinux = "no"', flag('--log-level', 'loud'))).split('\n').slice(1), [
    'main.toml: selinux: is "no", must be true or false',
    '--log-level: log.level: is "loud", must be "debug" or "info" or "warn" or "error"',
  ]);
});

test('loadConfig() refuses a named file or directory that is missing', async () => {
  await assert.rejects(loadConfig({ file: join(folder, 'none.toml'), directory: folder }, HOST), /none\.toml: ENOENT/);
  await assert.rejects(loadConfig({ file: '/dev/null', directory: join(folder, 'none') }, HOST), /none: ENOENT/);
});

test('a size has a least and a most', async () => {
  assert.equal((await load('[history]\nmax_size = "2MiB"')).config.history.maxSizeBytes, 2 * 1024 * 1024);
  for (const wrong of ['"1KiB"', '"65MiB"', '-1', '"some"', '1.5'])
    assert.match(
      await problemsOf(`[history]\nmax_size = ${wrong}`),
      /history\.max_size: .*must be a size such as "16MiB" or whole bytes, from 1MiB to 64MiB/,
    );
});
