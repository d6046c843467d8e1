import assert from 'node:assert/strict';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import { RegistriesConf } from '../../../src/registry/registries-conf.ts';

async function load(t: TestContext, main: string, dropIns: Readonly<Record<string, string>> = {}): Promise<RegistriesConf> {
  const directory = await mkdtemp(join(tmpdir(), 'podwright-conf-'));
  t.after(async () => remove(directory));
  await mkdir(join(directory, 'd'));
  await writeFile(join(directory, 'registries.conf'), main);
  for (const [name, text] of Object.entries(dropIns)) await writeFile(join(directory, 'd', name), text);
  return await RegistriesConf.load(join(directory, 'registries.conf'), join(directory, 'd'), join(directory, 'd', 'recorded'));
}

function where(conf: RegistriesConf, name: string, suffix = ':1'): string[] {
  const slash = name.indexOf('/');
  return conf
    .endpoints({ domain: name.slice(0, slash), path: name.slice(slash + 1), suffix })
    .map(({ host, path, scheme, isMirror }) => `${host}/${path}${scheme === 'any' ? ' insecure' : ''}${isMirror ? ' mirror' : ''}`);
}

test('without rules a name is its own place, and docker.io has its registry elsewhere', async (t) => {
  const conf = await RegistriesConf.load('/nonexistent', '/nonexistent');
  assert.deepEqual(where(conf, 'quay.io/a/b'), ['quay.io/a/b']);
  assert.deepEqual(where(conf, 'docker.io/library/x'), ['registry-1.docker.io/library/x']);
  assert.deepEqual(conf.shortNames.searchRegistries, []);
  assert.deepEqual((await load(t, '')).shortNames.searchRegistries, []);
});

test('the longest prefix wins, and matches whole parts only', async (t) => {
  const conf = await load(
    t,
    `[[registry]]
     prefix = "example.com"
     location = "one.test:5000"
     insecure = true
     [[registry]]
     prefix = "example.com/team"
     location = "two.test/deep/team"
     [[registry]]
     prefix = "example.com/team/app:1"
     location = "three.test/app:1"
     [[registry]]
     prefix = "*.wild.test"
     insecure = true
     [[registry]]
     location = "plain.test"
     insecure = true`,
  );
  assert.deepEqual(where(conf, 'example.com/x'), ['one.test:5000/x insecure']);
  assert.deepEqual(where(conf, 'example.com/teams/x'), ['one.test:5000/teams/x insecure']);
  assert.deepEqual(where(conf, 'example.com/team/x'), ['two.test/deep/team/x']);
  assert.deepEqual(where(conf, 'example.company/x'), ['example.company/x']);
  assert.deepEqual(where(conf, 'example.com:5000/x'), ['example.com:5000/x']);
  assert.deepEqual(where(conf, 'a.b.wild.test/x'), ['a.b.wild.test/x insecure']);
  assert.deepEqual(where(conf, 'wild.test/x'), ['wild.test/x']);
  assert.deepEqual(where(conf, 'plain.test/x'), ['plain.test/x insecure']);
});

test('mirrors come first, for tags or digests as they say; a blocked registry is refused', async (t) => {
  const conf = await load(
    t,
    `[[registry]]
     prefix = "example.com"
     [[registry.mirror]]
     location = "all.test/x"
     insecure = true
     [[registry.mirror]]
     location = "digests.test"
     pull-from-mirror = "digest-only"
     [[registry.mirror]]
     location = "tags.test"
     pull-from-mirror = "tag-only"
     [[registry]]
     prefix = "blocked.test"
     blocked = true`,
  );
  assert.deepEqual(where(conf, 'example.com/a'), ['all.test/x/a insecure mirror', 'tags.test/a mirror', 'example.com/a']);
  assert.deepEqual(where(conf, 'example.com/a', '@sha256:0'), ['all.test/x/a insecure mirror', 'digests.test/a mirror', 'example.com/a']);
  assert.throws(() => where(conf, 'blocked.test/a'), { kind: 'PermissionDenied', message: /blocked/ });
});

test('drop-ins replace rules of the same prefix, in the order of their names', async (t) => {
  const rule = (location: string): string => `[[registry]]\nprefix = "example.com"\nlocation = "${location}"\n`;
  const conf = await load(t, `unqualified-search-registries = ["a.test"]\n${rule('main.test')}`, {
    '20.conf': rule('twenty.test'),
    '10.conf': `unqualified-search-registries = ["b.test"]\n${rule('ten.test')}`,
    'ignored.txt': 'no toml [',
  });
  assert.deepEqual(where(conf, 'example.com/x'), ['twenty.test/x']);
  assert.deepEqual(conf.shortNames.searchRegistries, ['b.test']);
});

test('a file that cannot be meant is refused by name', async (t) => {
  const cases: [string, RegExp][] = [
    ['not toml [', /registries.conf/],
    ['[registries.search]\nregistries = ["x"]', /version 1/],
    ['[[registry]]\ninsecure = true', /: registry\[0\]: must be a registry with a prefix or a location, is an object$/],
    ['[[registry]]\nprefix = "x"\ninsecure = "yes"', /: registry\[0\]\.insecure: must be true or false, is "yes"$/],
    [
      '[[registry]]\nprefix = "x"\n[[registry.mirror]]\ninsecure = true',
      /: registry\[0\]\.mirror\[0\]\.location: must be a host.*, is missing$/,
    ],
    ['unqualified-search-registries = "x"', /registries\.conf: unqualified-search-registries: must be a list, is "x"$/],
    ['registry = "x"', /: registry: must be a list, is "x"$/],
    ['[[registry]]\nprefix = "x"\n[[registry]]\nprefix = 5', /: registry\[1\]\.prefix: must be text, is 5$/],
    [
      '[[registry]]\nprefix = "x"\n[[registry.mirror]]\nlocation = "y"\npull-from-mirror = "z"',
      /pull-from-mirror: must be one of all, digest-only, tag-only, is "z"$/,
    ],
    ['unqualified-search-registries = ["https://x"]', /unqualified-search-registries\[0\]: must be a host.*, is "https:\/\/x"$/],
    ['[[registry]]\nlocation = "no host"', /: registry\[0\]\.location: must be a host.*, is "no host"$/],
    ['[[registry]]\nlocation = "x:port/y"', /: registry\[0\]\.location: must be a host.*, is "x:port\/y"$/],
    ['short-name-mode = "strict"', /: short-name-mode: must be one of enforcing, permissive, disabled, is "strict"$/],
    ['[aliases]\n"x:1" = "a.test/x"', /: aliases: must be a name without registry, tag and digest on the left, is "x:1"$/],
    ['[aliases]\n"a.test/x" = "a.test/x"', /: aliases: must be a name without registry.*, is "a.test\/x"$/],
    ['[aliases]\n"localhost/x" = "a.test/x"', /: aliases: must be a name without registry.*, is "localhost\/x"$/],
    ['[aliases]\nx = "a.test/x:1"', /: aliases\.x: must be a registry and a repository, .*, is "a.test\/x:1"$/],
    ['[aliases]\nx = "library/x"', /: aliases\.x: must be a registry and a repository, .*, is "library\/x"$/],
    ['[aliases]\nx = "a.test"', /: aliases\.x: must be a registry and a repository, .*, is "a.test"$/],
    ['[aliases]\nx = 1', /: aliases\.x: must be text, is 1$/],
    [
      '[[registry]]\nprefix = "*.x.test/y"\nlocation = "z"',
      /: registry\[0\]\.prefix: must be a name, or a host after "\*\." and nothing more, is/,
    ],
    ['[[registry]]\nprefix = "a.*.test"\nlocation = "z"', /: registry\[0\]\.prefix: must be a name, or a host after/],
    [
      '[[registry]]\nprefix = "x"\n[[registry.mirror]]\nlocation = "/y"',
      /: registry\[0\]\.mirror\[0\]\.location: must be a host.*, is "\/y"$/,
    ],
  ];
  for (const [text, words] of cases) await assert.rejects(load(t, text), { kind: 'InvalidArgument', message: words });
});

test('of one prefix twice in a file the first counts', async (t) => {
  const conf = await load(
    t,
    '[[registry]]\nprefix = "x.test"\nlocation = "a.test"\n[[registry]]\nprefix = "x.test"\nlocation = "b.test"\n',
  );
  assert.deepEqual(where(conf, 'x.test/y'), ['a.test/y']);
});

test('aliases of later files come before those of earlier ones, and recorded ones before all; an empty one takes it away', async (t) => {
  const conf = await load(
    t,
    'short-name-mode = "enforcing"\n[aliases]\n"a" = "main.test/a"\n"b" = "main.test/b"\n"team/c" = "main.test/c"\n"d" = "localhost/d"\n',
    {
      '1.conf': 'short-name-mode = ""\n[aliases]\n"a" = "one.test:5000/x/a"\n"b" = ""\n',
      '2.conf': '[aliases]\n"a" = "two.test/a"\n"d" = ""\n',
      recorded: '[aliases]\n"d" = "recorded.test/d"\n"a" = "recorded.test/a"\n',
    },
  );
  const { mode, aliases } = conf.shortNames;
  assert.equal(mode, 'enforcing');
  const targets = Object.fromEntries([...aliases].map(([name, { target }]) => [name, target]));
  assert.deepEqual(targets, { a: 'recorded.test/a', b: undefined, 'team/c': 'main.test/c', d: 'recorded.test/d' });
  assert.match(aliases.get('b')?.file ?? '', /1\.conf$/);
  assert.deepEqual(conf.warnings, []);
  assert.equal((await load(t, '', { '1.conf': 'short-name-mode = "disabled"' })).shortNames.mode, 'disabled');
  assert.equal((await load(t, '')).shortNames.mode, 'permissive');
});

test('credential helpers are those of the last file that names some', async (t) => {
  assert.deepEqual((await load(t, '')).credentialHelpers, []);
  const conf = await load(t, 'credential-helpers = ["ecr-login", "containers-auth.json"]', {
    '1.conf': '',
    '2.conf': 'credential-helpers = ["gcr"]',
  });
  assert.deepEqual(conf.credentialHelpers, ['gcr']);
});

test('keys that have no effect are named with their file and place', async (t) => {
  const conf = await load(t, 'colour = 1\n[[registry]]\nprefix = "x.test"\nsearch = true\n', {
    '1.conf': '[[registry]]\nlocation = "y.test"\n[[registry.mirror]]\nlocation = "z.test"\nweight = 3\n',
  });
  const ends = ['registries.conf: colour', 'registries.conf: registry[0].search', '1.conf: registry[0].mirror[0].weight'];
  assert.equal(conf.warnings.length, ends.length);
  for (const [index, end] of ends.entries())
    assert.ok(conf.warnings[index]?.endsWith(`${end} is not known here, and has no effect`), conf.warnings[index]);
});
