import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { MigrateLab } from '../../support/migrate-lab.ts';
import { printedBy } from '../../support/run-cli.ts';
import type { Printed } from '../../support/run-cli.ts';

async function migrate(...args: string[]): Promise<Printed> {
  return printedBy(['config', 'migrate', ...args], { serve: async () => Promise.resolve() });
}

const CONF = '[crio.runtime]\nconmon = "/x/conmon"\nread_only = false\n';

test('config migrate prints ours on standard output and the report, key by key, on standard error', async (t) => {
  const lab = await MigrateLab.make(t, { 'crio.conf': CONF });
  const { code, stdout, stderr } = await migrate('--from', 'crio', '--file', lab.at('crio.conf'));
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^# crio\.runtime\.conmon, .*crio\.conf:2\nconmon = "\/x\/conmon"$/m);
  assert.match(stderr, /^carried +.*crio\.conf:2: crio\.runtime\.conmon -> conmon = "\/x\/conmon"$/m);
  assert.match(stderr, /^needless .*crio\.conf:3: crio\.runtime\.read_only: as it is here anyway$/m);
  assert.match(stdout, /^bin_dirs = \["\/opt\/cni\/bin"\]$/m);
  assert.match(stderr, /^0 lost, 0 unknown, \d+ carried, 2 needless$/m);
});

test('config migrate ends with code 5 where something of weight is lost, and has written its file all the same', async (t) => {
  const lab = await MigrateLab.make(t, { 'crio.conf': CONF.replace('false', 'true') });
  const { code, stdout, stderr } = await migrate(
    '--from',
    'crio',
    '--file',
    lab.at('crio.conf'),
    '--output',
    lab.at('new/ours.toml'),
    '--json',
  );
  assert.equal(code, 5);
  assert.match(stderr, /not everything could be carried/);
  const { keys } = JSON.parse(stdout) as { keys: { fate: string; key: string; line: number }[] };
  assert.deepEqual(
    keys.filter(({ fate }) => fate === 'lost').map(({ key, line }) => [key, line]),
    [['crio.runtime.read_only', 3]],
  );
  assert.match(await readFile(lab.at('new/ours.toml'), 'utf8'), /^conmon = /m);
});

test('config migrate replaces no file without --force, and writes none where it may not write all', async (t) => {
  const v2 = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.configs."a.test".auth]\nusername = "u"\npassword = "p"\n';
  const lab = await MigrateLab.make(t, { 'config.toml': v2, 'ours.toml': 'old' });
  const args = ['--from', 'containerd', '--file', lab.at('config.toml'), '--registry-dir', lab.at('reg'), '--output', lab.at('ours.toml')];
  const refused = await migrate(...args);
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /ours\.toml: is there already; --force replaces it/);
  await assert.rejects(stat(lab.at('reg')), { code: 'ENOENT' });
  assert.equal(await readFile(lab.at('ours.toml'), 'utf8'), 'old');

  assert.equal((await migrate(...args, '--force')).code, 0);
  assert.match(await readFile(lab.at('ours.toml'), 'utf8'), /auth_files = \[".*reg\/auth\.json"\]/);
  assert.equal((await stat(lab.at('reg/auth.json'))).mode & 0o777, 0o600);
});

test('config migrate says what is wrong with its flags and files', async (t) => {
  const lab = await MigrateLab.make(t, { 'bad.toml': 'version = ' });
  const cases: [args: string[], code: number, words: RegExp][] = [
    [['--from', 'docker'], 2, /Allowed choices are crio, containerd/],
    [['--file', lab.at('bad.toml')], 2, /--file needs --from/],
    [['--from', 'containerd', '--dir', '/x'], 2, /--dir is for CRI-O/],
    [['--from', 'crio', '--registry-dir', '/x'], 2, /--registry-dir is for containerd/],
    [['--from', 'containerd', '--file', lab.at('bad.toml')], 3, /bad\.toml: Invalid TOML document/],
    [['--from', 'crio', '--file', lab.at('none.conf')], 3, /none\.conf: ENOENT/],
  ];
  for (const [args, code, words] of cases) {
    const outcome = await migrate(...args);
    assert.match(outcome.stderr, words);
    assert.equal(outcome.code, code, args.join(' '));
  }
});
