import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { Field } from '../../../src/base/field.ts';
import { readHostsToml } from '../../../src/registry/hosts-toml.ts';
import type { HostsToml } from '../../../src/registry/hosts-toml.ts';

function read(text: string): HostsToml {
  return readHostsToml(new Field(parse(text), ''), '/d');
}

test('hosts are in the order of the file, and the server comes last', () => {
  const { entries, unknown } = read(
    'server = "s.test"\n[host."http://b.test:5000"]\ncapabilities = ["pull"]\n[host."a.test".header]\nX = ["1", "2"]\n[host."c.test"]\ncapabilities = ["RESOLVE"]\n',
  );
  const shown = entries.map(({ at, pulls, resolves }) => `${at?.scheme ?? ''}://${at?.host ?? ''} ${pulls} ${resolves}`);
  assert.deepEqual(shown, [
    'http://b.test:5000 true false',
    'https://a.test true true',
    'https://c.test false true',
    'https://s.test true true',
  ]);
  assert.deepEqual(entries[1]?.headers, { x: ['1', '2'] });
  assert.deepEqual(unknown, []);
  assert.equal(read('').entries[0]?.at, undefined);
});

test('the root of the API is /v2 below the path, or with override_path the path alone', () => {
  const cases: [string, boolean, string][] = [
    ['https://a.test', false, '/v2'],
    ['https://a.test/', false, '/v2'],
    ['https://a.test/us', false, '/us/v2'],
    ['https://a.test/us/v2/', false, '/us/v2'],
    ['https://a.test/x/../us', false, '/us/v2'],
    ['https://a.test/v2/upstream', true, '/v2/upstream'],
    ['https://a.test', true, ''],
  ];
  for (const [url, isOverridden, root] of cases)
    assert.equal(read(`server = "${url}"\noverride_path = ${isOverridden}\n`).entries[0]?.at?.root, root, url);
});

test('certificates are a path, a list, or pairs, absolute or beside the file; times are those of Go', () => {
  const of = (text: string): unknown => read(text).entries[0]?.tls;
  assert.deepEqual(of('ca = "c.pem"'), { authorities: ['/d/c.pem'], clients: [] });
  assert.deepEqual(of('ca = ["/x/c.pem", "e.pem"]\nclient = "k.pem"'), {
    authorities: ['/x/c.pem', '/d/e.pem'],
    clients: [['/d/k.pem', '']],
  });
  assert.deepEqual(of('client = ["a.pem", "b.pem"]'), {
    authorities: [],
    clients: [
      ['/d/a.pem', ''],
      ['/d/b.pem', ''],
    ],
  });
  assert.deepEqual(of('client = [["a.cert", "a.key"], ["b.pem", ""]]'), {
    authorities: [],
    clients: [
      ['/d/a.cert', '/d/a.key'],
      ['/d/b.pem', ''],
    ],
  });
  assert.equal(of('skip_verify = true'), undefined);
  for (const [text, ms] of Object.entries({ '1s': 1000, '1m30s': 90_000, '250ms': 250, '0': undefined, '1.5s': 1500 }))
    assert.equal(read(`dial_timeout = "${text}"`).entries[0]?.dialTimeoutMs, ms, text);
});

test('what cannot be meant is refused by its place, and a header is never shown', () => {
  const cases: [string, RegExp][] = [
    ['server = "https://"', /^server: must be a URL/],
    ['server = "https://u:p@a.test"', /^server: must be a URL/],
    ['[host."https://a.test"]\ncapabilities = ["fly"]', /capabilities\[0\]: must be one of pull, resolve, push, referrers, is "fly"$/],
    ['skip_verify = "yes"', /^skip_verify: must be true or false/],
    ['client = [["a"]]', /^client\[0\]: must be a path, or a pair/],
    ['ca = 1', /^ca: must be a list, is 1$/],
    ['dial_timeout = "5"', /^dial_timeout: must be a duration/],
    ['[header]\nx = 8675309', /^header\.x: must be text that a header may have$/],
    ['[header]\nx = "8675309\\n"', /^header\.x: must be text that a header may have$/],
    ['[header]\n"x y" = "1"', /must be the name of a header/],
  ];
  for (const [text, words] of cases) assert.throws(() => read(text), { kind: 'InvalidArgument', message: words }, text);
  assert.deepEqual(read('colour = 1\n[host."a.test"]\nserver = "x"\n').unknown.length, 2);
});
