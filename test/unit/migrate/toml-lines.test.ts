import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { parsePeerFile } from '../../../src/migrate/peer-tree.ts';
import { linesOfKeys, pathKey } from '../../../src/migrate/toml-lines.ts';

const TEXT = `# a comment with [brackets] = "and quotes
top = 1
"quoted key".'literal [key]' = "a # no comment" # one
text = """
not = a key
[nor a table] \\"""
"""
raw = '''
it's = [raw]''''
list = [ # of things
  "a", # first
  { inner = 1, "x.y" = 2 },
]

[table . "dotted.name"]
at = 1979-05-27T07:32:00Z
inline = { one = 1,
  two = [1, 2] }
[[many]]
name = "first"
[many.sub]
deep = true
[[many]]
name = "second"
  [many.sub]
  deep = "\\u00e9"
`;

test('each key has the line on which it begins', () => {
  const lines = linesOfKeys(TEXT);
  const of = (...path: string[]): number | undefined => lines.get(pathKey(path));
  assert.equal(of('top'), 2);
  assert.equal(of('quoted key', 'literal [key]'), 3);
  assert.equal(of('text'), 4);
  assert.equal(of('raw'), 8);
  assert.equal(of('list'), 10);
  assert.equal(of('list', '1', 'x.y'), 12);
  assert.equal(of('table', 'dotted.name'), 15);
  assert.equal(of('table', 'dotted.name', 'inline', 'two'), 18);
  assert.equal(of('many', '0', 'sub', 'deep'), 22);
  assert.equal(of('many', '1', 'name'), 24);
  assert.equal(of('many', '1', 'sub', 'deep'), 26);
  assert.ok(parse(TEXT)['top'] === 1, 'it is TOML');
});

test('every key of a real file has its own line', async () => {
  const path = join(import.meta.dirname, 'fixtures/containerd-2.1.9.toml');
  const text = await readFile(path, 'utf8');
  const rows = text.split('\n');
  const { settings } = parsePeerFile(path, text);
  assert.ok(settings.length > 150);
  for (const { path: key, line } of settings) {
    const row = rows[(line ?? 0) - 1] ?? '';
    assert.ok(row.includes(key.at(-1) ?? '?'), `${key.join('.')} is on line ${line}: ${row}`);
  }
});
