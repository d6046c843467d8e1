import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { matchRows } from '../../../scripts/fields/match.ts';
import { fieldsPage } from '../../../scripts/fields/page.ts';
import { REQUESTS } from '../../../scripts/fields/requests.ts';
import { accepted, honoured, testsOf, whole } from '../../../scripts/fields/row.ts';
import { readProto } from '../../support/proto-facts.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const PROTO = await readProto();
const ROWS = matchRows(REQUESTS, PROTO).rpcs.flatMap(({ rows }) => rows);

async function read(path: string): Promise<string> {
  return readFile(join(REPOSITORY, path), 'utf8').catch(() => '');
}

test('every field of every request has one row, and every row a field', () => {
  assert.deepEqual(matchRows(REQUESTS, PROTO).faults, []);
  assert.ok(ROWS.length > 280, String(ROWS.length));
});

test('docs/fields.md is what npm run generate prints', async () => {
  assert.equal(await read('docs/fields.md'), fieldsPage(REQUESTS, PROTO));
});

test('every test that a row names is there', async () => {
  const missing = new Set<string>();
  const texts = new Map<string, string>();
  for (const { file, title } of ROWS.flatMap(({ row }) => row.tests)) {
    const text = texts.get(file) ?? (await read(file));
    texts.set(file, text);
    // A call with the title as its first argument: test('...', or e2eTest(\n  '...',
    const calls = [`'`, `"`, '`'].map((quote) => quote + title.replaceAll(quote, `\\${quote}`) + quote);
    if (!calls.some((call) => new RegExp(`\\w\\(\\s*${call.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')}`).test(text)))
      missing.add(`${file}: ${title}`);
  }

  assert.deepEqual([...missing], []);
});

test('what a field has no effect for is said, with what the peers do and a test that sees it', () => {
  const idle = ROWS.flatMap(({ field, row }) => (row.is === 'accepted' ? [{ field, row }] : []));
  assert.ok(idle.length > 20, String(idle.length));
  const lacking = idle.filter(({ row }) => row.because === '' || !/\b(neither|both|CRI-O|containerd|peers?)\b/i.test(row.peers) || row.tests.length === 0); // prettier-ignore
  assert.deepEqual(lacking.map(({ field }) => field), []); // prettier-ignore
});

test('the words of every refusal are in the source', async () => {
  const sources = await Array.fromAsync(glob('src/**/*.ts', { cwd: REPOSITORY }));
  const texts = await Promise.all(sources.map(read));
  const words = new Set(ROWS.flatMap(({ row }) => (row.is === 'refused' ? [row.words] : [])));

  assert.deepEqual([...words].filter((each) => !texts.some((text) => text.includes(each))), []); // prettier-ignore
});

test('a field that a new tag of the CRI brings has no row until somebody writes one, at any depth', () => {
  const withField = (message: string, field: string): readonly string[] => {
    const changed = PROTO.replace(`\nmessage ${message} {\n`, `\nmessage ${message} {\n  ${field}\n`);
    assert.notEqual(changed, PROTO);
    assert.throws(() => fieldsPage(REQUESTS, changed), /no row/);
    return matchRows(REQUESTS, changed).faults;
  };

  assert.deepEqual(withField('ExecRequest', 'repeated KeyValue envs = 99;'), ['ExecRequest.envs: no row']);
  assert.deepEqual(withField('Capability', 'bool new_one = 99;'), [
    'CreateContainerRequest.config.linux.security_context.capabilities.new_one: no row',
  ]);
  assert.deepEqual(withField('LinuxPodSandboxConfig', 'NamespaceOption more = 99;'), ['RunPodSandboxRequest.config.linux.more: no row']);
  const request = 'message NewRequest {\n  string id = 1;\n}\n';
  const rpc = PROTO.replace(
    'service ImageService {\n',
    `${request}service ImageService {\n  rpc New(NewRequest) returns (ImageFsInfoResponse);\n`,
  );
  assert.deepEqual(matchRows(REQUESTS, rpc).faults, ['NewRequest: NewRequest has no rows of its fields']);
});

test('a row without a field is told, and so is a message that stands nowhere field by field', () => {
  const less = PROTO.replace(/\n {2}string hostname = 2;/, '');
  assert.notEqual(less, PROTO);
  assert.deepEqual(matchRows(REQUESTS, less).faults, ['RunPodSandboxRequest.config.hostname: a row, but no such field']);

  const proto =
    'syntax = "proto3"; package runtime.v1; message A { B b = 1; } message B { string s = 1; }\nservice S { rpc Do(A) returns (A); }';
  const row = accepted('none', 'none');
  assert.deepEqual(matchRows({ A: { b: whole(row) } }, proto).faults, ['Do: b: B stands as a whole, and nowhere field by field']);
  assert.deepEqual(matchRows({ A: { b: { s: row } }, C: {} }, proto).faults, ['C: rows, but no such request']);
  assert.deepEqual(matchRows({ A: { b: { s: { s: row } } } }, proto).faults, ['A.b.s: must have one row, it is no message']);
});

test('a row that is honoured names a test, and the page has its words', () => {
  const proto = 'syntax = "proto3"; package runtime.v1; message A { string s = 1; }\nservice S { rpc Do(A) returns (A); }';
  const page = fieldsPage({ A: { s: honoured('it is s', testsOf('test/e2e/s.test.ts')('s | is s')) } }, proto);
  assert.match(page, /^\| `s` \| honoured \| it is s \| \[e2e\/s\]\(\.\.\/test\/e2e\/s\.test\.ts\): s \\\| is s \|$/m);
});
