import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { run } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { unpackBytes } from '../../support/unpacking.ts';

const file = (path: string, data = 'evil'): TarEntry => ({ path, kind: 'file', data, mode: 0o4777, uid: 1, gid: 1 });
const directory = (path: string): TarEntry => ({ path, kind: 'directory', mode: 0o777, uid: 1, gid: 1, mtime: 5 });
const symlink = (path: string, linkTarget: string): TarEntry => ({ path, kind: 'symlink', linkTarget });
const hardlink = (path: string, linkTarget: string): TarEntry => ({ path, kind: 'hardlink', linkTarget });

/** Archives that try to reach `outside` (absolute) or `../outside` from the layer's directory. */
function attacks(outside: string): Record<string, TarEntry[]> {
  const evil = `${outside}/secret`;
  return {
    'absolute name': [file(evil), directory(outside)],
    'dot-dot name': [file('../outside/secret')],
    'dot-dot inside a name': [directory('a'), file('a/../../outside/secret')],
    'dot-dot after a symlink': [symlink('a', '/usr'), file('a/../../outside/secret')],
    'dot-dot directory': [directory('..')],
    'dot-dot hard link': [hardlink('x', '../outside/secret'), file('x')],
    'absolute hard link': [hardlink('x', evil), file('x')],
    'file through an absolute symlink': [symlink('d', outside), file('d/secret')],
    'file through a relative symlink': [symlink('d', '../outside'), file('d/secret')],
    'file through a chain of symlinks': [
      symlink('a', 'b'),
      symlink('b', 'c'),
      symlink('c', '../../../../../../../../../../..' + outside),
      file('a/secret'),
    ],
    'symlink as the file': [symlink('x', evil), file('x')],
    'symlink as the directory': [symlink('x', outside), directory('x')],
    'directory through a symlink': [symlink('d', outside), directory('d/fresh')],
    'times of a directory that became a symlink': [directory('d'), symlink('d', outside)],
    'parent swapped for a symlink': [directory('d'), file('d/one'), symlink('d', outside), file('d/secret')],
    'deep parent swapped for a symlink': [
      directory('a'),
      directory('a/b'),
      file('a/b/one'),
      symlink('a', '..'),
      file('a/outside/secret'),
      file('a/b/secret'),
    ],
    'parent swapped and swapped back': [
      directory('d'),
      file('d/a'),
      symlink('d', outside),
      directory('d'),
      file('d/secret'),
      symlink('d', outside),
      file('d/fresh'),
    ],
    'cached parent reached by two names': [
      directory('r'),
      symlink('l', 'r'),
      file('l/a'),
      symlink('r', outside),
      file('l/secret'),
      file('l/fresh'),
    ],
    'hard link through a symlink': [symlink('d', outside), hardlink('x', 'd/secret'), file('x')],
    'hard link to a symlink': [symlink('s', evil), hardlink('x', 's'), file('x'), directory('x')],
    'hard link to a symlink, then through it': [symlink('s', outside), hardlink('x', 's'), file('x/secret')],
    'hard link to a directory symlink swapped later': [
      directory('d'),
      file('d/f'),
      hardlink('x', 'd/f'),
      symlink('d', outside),
      hardlink('y', 'd/secret'),
    ],
    'directory made through a dangling symlink': [symlink('d', `${outside}/fresh`), file('d/secret'), directory('d/deep')],
    'directory made through a dangling symlink and dot-dot': [symlink('d', 'missing/../../outside/fresh'), file('d/secret')],
    'directory made where a symlink leads up': [symlink('d', '../'.repeat(300) + outside.slice(1) + '/fresh'), file('d/secret')],
    'directory made through two symlinks': [symlink('a', 'fresh/b'), symlink('fresh', outside), file('a/secret')],
    'target of a followed symlink swapped': [
      symlink('d', 'e/f'),
      file('d/one'),
      symlink('e', outside),
      file('d/secret'),
      symlink('e/f', '..'),
      file('d/secret'),
    ],
    'followed symlink to the root and up': [
      symlink('d', '/..'),
      file('d/outside/secret'),
      symlink('r', '.'),
      file('r/../../outside/secret'),
    ],
    'dot-dot out of a directory made through a symlink': [symlink('d', 'x/y/z'), file('d/one'), file('d/../../../../outside/secret')],
    'whiteout through a dangling symlink': [symlink('d', `${outside}/fresh`), file('d/.wh.secret'), file('d/.wh..wh..opq')],
    'hard link through a dangling symlink': [symlink('d', '../outside'), file('d/own'), hardlink('x', 'd/secret'), file('x')],
    'file in the place of a directory on the way': [
      file('f'),
      symlink('l', 'f/g'),
      file('l/secret'),
      symlink('f', outside),
      file('l/secret'),
    ],
    'circle of followed symlinks': [symlink('a', 'b/c'), symlink('b', 'a/d'), file('a/secret')],
    'dot-dot that stays inside': [file('a/../secret'), directory('a/b/../../outside'), hardlink('x', 'a/../secret'), file('a/./../x')],
    'magic link of proc': [
      symlink('p', '/proc/self/root'),
      file(`p${evil}`),
      symlink('c', '/proc/self/cwd/../../outside'),
      file('c/secret'),
    ],
    'descriptor link of proc': [symlink('p', '/proc/self/fd/3'), file('p/../outside/secret'), file('p/fresh')],
    'whiteout outside': [file('../outside/.wh.secret')],
    'whiteout through a symlink': [symlink('d', outside), file('d/.wh.secret')],
    'whiteout with a path in it': [file('.wh.../outside')],
    'whiteout of dot-dot': [file('.wh...')],
    'opaque mark through a symlink': [symlink('d', outside), file('d/.wh..wh..opq')],
    'device through a symlink': [symlink('d', outside), { path: 'd/node', kind: 'character', device: [1, 3] }],
    'fifo over a symlink': [symlink('x', evil), { path: 'x', kind: 'fifo' }],
    'extended attributes through a symlink': [
      symlink('x', outside),
      { path: 'x', kind: 'symlink', linkTarget: outside, xattrs: { 'trusted.evil': 'x' } },
    ],
    'removing a directory that holds a symlink': [directory('d'), symlink('d/out', outside), file('d')],
    'removing a directory swapped in': [symlink('d', outside), directory('e'), symlink('e/d', outside), file('e'), file('d')],
    'the root as a symlink': [symlink('.', outside), file('secret')],
    'the root as a file': [file('/'), file('./')],
    'empty name': [file('')],
    'name with a zero byte by pax': [{ ...file('x'), path: `a\0${'b'.repeat(120)}` }],
    'symlink circle': [symlink('a', 'b'), symlink('b', 'a'), file('a/secret')],
    'hard link to itself': [file('x'), hardlink('x', 'x'), hardlink('y', 'y')],
    'very long name': [file('n'.repeat(5000)), file(`${'d/'.repeat(3000)}x`)],
  };
}

async function snapshot(path: string): Promise<string> {
  const script = `cd "$1"; find . -printf '%P|%y|%m|%U|%G|%s|%T@|%C@|%l|%n|%i\\n' | sort; cat secret`;
  const { exit, stdout, stderr } = await run('/bin/sh', { args: ['-ec', script, 'sh', path], timeoutMs: 10_000 });
  assert.equal(exit.code, 0, stderr.toString());
  return stdout.toString();
}

test('no archive reaches anything outside its layer', async (t) => {
  const scratch = await scratchDirectory(t);
  const outside = join(scratch, 'outside');
  await ensureDir(join(outside, 'directory'));
  await writeFile(join(outside, 'secret'), 'secret');
  const before = await snapshot(outside);
  const results: Record<string, string> = {};
  for (const [name, entries] of Object.entries(attacks(outside))) {
    const layer = join(scratch, name.replaceAll(/\W/g, '-'));
    await mkdir(layer);
    try {
      await unpackBytes(makeTar(entries), layer);
      results[name] = 'kept inside';
    } catch (error) {
      assert.ok(error instanceof Error && error.name === 'DaemonError', `${name}: ${String(error)}`);
      results[name] = error.message;
    }
    assert.equal(await snapshot(outside), before, name);
  }
  assert.ok(Object.keys(results).length >= 52);
  // A hard link to what is outside must not even exist inside.
  assert.match(results['dot-dot hard link'] ?? '', /\.\./);
  assert.match(results['dot-dot name'] ?? '', /\.\./);
  assert.equal(results['dot-dot that stays inside'], 'kept inside');
  assert.equal(results['directory made through a dangling symlink'], 'kept inside');
  if (process.env['SHOW'] !== undefined) t.diagnostic(JSON.stringify(results, null, 1));
});
