import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { LiveConfig } from '../../../src/config/live-config.ts';
import { printedBy } from '../../support/run-cli.ts';
import type { Printed } from '../../support/run-cli.ts';

interface Outcome extends Printed {
  readonly served: LiveConfig | undefined;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwright-cli-'));
  await mkdir(join(folder, 'conf.d'));
});
afterEach(async () => {
  await remove(folder);
});

/** Runs a command with the test's own configuration folder, where `args` does not name another. */
async function cli(...args: string[]): Promise<Outcome> {
  let served: LiveConfig | undefined;
  const host = {
    serve: async (config: LiveConfig) => {
      served = config;
    },
  };
  return { ...(await printedBy(args, host)), served };
}

/** The flags that keep a command away from this machine's own configuration. */
const own = (): string[] => ['--config', '/dev/null', '--config-dir', join(folder, 'conf.d')];

test('serve takes every flag and hands over the configuration', async () => {
  const flags = {
    '--root': '/r',
    '--run-dir': '/q',
    '--listen': 'unix:///s',
    '--cni-conf-dir': '/cc',
    '--default-runtime': 'kata',
    '--conmon': '/c',
    '--cgroup-manager': 'systemd',
    '--registries-conf': '/rc',
    '--stream-address': '::1',
    '--metrics-listen': '127.0.0.1:9090',
    '--nri-listen': 'unix:///n',
    '--log-level': 'debug',
    '--log-format': 'json',
  };
  const lists = ['--cni-bin-dir', '/b1', '--cni-bin-dir', '/b2', '--runtime', 'kata=/k', '--runtime', 'crun=/cr'];

  const { code, served } = await cli('serve', ...own(), ...Object.entries(flags).flat(), ...lists);

  assert.equal(code, 0);
  const { root, runDir, listenPath, cni, runtime, conmon, cgroupManager, registriesConf, stream, metrics, nri, log } = served!.current;
  assert.deepEqual(
    [
      root,
      runDir,
      listenPath,
      cni.confDir,
      runtime.default,
      conmon,
      cgroupManager,
      registriesConf,
      stream.address,
      metrics.listen,
      nri.listenPath,
      log.level,
      log.format,
    ],
    ['/r', '/q', '/s', '/cc', 'kata', '/c', 'systemd', '/rc', '::1', '127.0.0.1:9090', '/n', 'debug', 'json'],
  );
  assert.deepEqual(cni.binDirs, ['/b1', '/b2']);
  assert.deepEqual([runtime.handlers['kata']!.path, runtime.handlers['crun']!.path], ['/k', '/cr']);
});

test('serve refuses a wrong configuration with code 3 and does not start', async () => {
  await writeFile(join(folder, 'conf.d', 'x.toml'), 'rot = "/x"');

  const { code, stderr, served } = await cli(
    'serve',
    '--config',
    '/dev/null',
    '--config-dir',
    join(folder, 'conf.d'),
    '--log-level',
    'loud',
  );

  assert.deepEqual([code, served], [3, undefined]);
  assert.match(stderr, /^podwright: configuration: .*x\.toml: rot: unknown key.*\n--log-level: log\.level: is "loud", must be/);
});

test('a wrong command line ends with code 2 and says what is wrong', async () => {
  const cases: [args: string[], words: RegExp][] = [
    [['serv'], /unknown command 'serv'.*Did you mean serve/s],
    [['serve', '--rot', '/x'], /unknown option '--rot'.*Did you mean --root/s],
    [['serve', '--root'], /option '--root <DIR>' argument missing/],
    [['serve', 'now'], /too many arguments/],
    [['serve', ...own(), '--runtime', 'crun'], /--runtime: is "crun", must be NAME=PATH/],
    [['image'], /Usage: podwright image/],
    [['image', 'load'], /missing required argument 'FILE'/],
    [['image', 'save', 'x', '--format', 'zip'], /Allowed choices are oci, docker/],
    [['check', '--fix', ...own()], /check: --fix is for --leaks/],
    [[], /Usage: podwright/],
  ];
  for (const [args, words] of cases) {
    const { code, stderr } = await cli(...args);
    assert.match(stderr, words);
    assert.equal(code, 2, args.join(' '));
  }
});

test('help and version go to standard output with code 0', async () => {
  const help = await cli('serve', '--help');
  const version = await cli('version');

  assert.deepEqual([help.code, version.code], [0, 0]);
  assert.match(help.stdout, /--cni-bin-dir <DIR> +Where the CNI plugins are.*Repeatable/s);
  assert.match(version.stdout, /^podwright \d+\.\d+\.\d+ \(Node \d+/);
});

test('config prints what is in force, and --default the defaults', async () => {
  await writeFile(join(folder, 'conf.d', 'x.toml'), 'pids_limit = 4');

  const effective = await cli('config', ...own(), '--root', '/r');
  const defaults = await cli('config', '--default', ...own());

  assert.match(effective.stdout, /^root = "\/r"$/m);
  assert.match(effective.stdout, /^pids_limit = 4$/m);
  assert.match(defaults.stdout, /^pids_limit = -1$/m);
  assert.match(defaults.stdout, /^cgroup_manager = "auto"$/m);
});

test('a client command says with code 4 that no daemon answers', async () => {
  for (const command of [['status'], ['check', '--leaks'], ['image', 'list']]) {
    const { code, stderr } = await cli(...command, ...own(), '--run-dir', folder);
    assert.equal(code, 4);
    assert.match(stderr, /no daemon answers on .*admin\.sock/);
  }
});

test('image load of a file that is not there fails with code 1', async () => {
  const { code, stderr } = await cli('image', 'load', join(folder, 'none.tar'), ...own(), '--run-dir', folder);

  assert.equal(code, 1);
  assert.match(stderr, /none\.tar/);
});
