import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectoryInRoot } from '../../../src/linux/make-in-root.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const MADE = { mode: 0o755, uid: 1000, gid: 2000 };

test('makeDirectoryInRoot makes what is missing, follows links inside the root and makes what they lead to', async (t) => {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  mkdirSync(join(root, 'there'), { recursive: true, mode: 0o700 });
  const links = {
    absolute: '/made/by/absolute',
    relative: 'chain/one',
    up: '../../../../made/by/up',
    toThere: 'there',
    out: '../../../outside',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  mkdirSync(join(root, 'chain'));
  symlinkSync('two', join(root, 'chain/one'));
  symlinkSync('../made/by/chain/./x', join(root, 'chain/two'));
  const expected: Readonly<Record<string, string>> = {
    '/plain/deep/er': 'plain/deep/er',
    'no/slash': 'no/slash',
    '/absolute/below': 'made/by/absolute/below',
    '/relative': 'made/by/chain/x',
    '/up': 'made/by/up',
    '/toThere/new': 'there/new',
    '/out/new': 'outside/new',
    '/there/../../../other//./z/': 'other/z',
    '/': '',
  };
  for (const [path, place] of Object.entries(expected)) {
    await makeDirectoryInRoot(root, path, MADE);
    const status = lstatSync(join(root, place));
    assert.ok(status.isDirectory(), path);
    if (place !== '') assert.deepEqual([status.uid, status.gid, status.mode & 0o7777], [1000, 2000, 0o755], path);
  }
  assert.deepEqual(readdirSync(scratch), ['root']);
  assert.deepEqual([statSync(join(root, 'there')).uid, statSync(join(root, 'there')).mode & 0o7777], [0, 0o700]);
  assert.equal(readlinkSync(join(root, 'up')), links.up);
  const before = readdirSync('/proc/self/fd').length;
  await makeDirectoryInRoot(root, '/plain/deep/er', MADE);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('makeDirectoryInRoot says what is in the way', async (t) => {
  const root = await scratchDirectory(t);
  writeFileSync(join(root, 'file'), '');
  symlinkSync('file', join(root, 'toFile'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync(`${'a/'.repeat(1500)}bomb`, join(root, 'bomb'));
  symlinkSync('/proc/self/root/etc', join(root, 'magic'));
  const refused = {
    '/file': 'ENOTDIR',
    '/file/x': 'ENOTDIR',
    '/toFile': 'ENOTDIR',
    '/loop': 'ELOOP',
    '/loop/x': 'ELOOP',
    'a\0b': 'EINVAL',
  };
  for (const [path, code] of Object.entries(refused)) await assert.rejects(makeDirectoryInRoot(root, path, MADE), { code }, path);
  await assert.rejects(makeDirectoryInRoot(root, `/${'n'.repeat(300)}`, MADE), { code: 'ENAMETOOLONG' });
  await assert.rejects(makeDirectoryInRoot(root, '/x'.repeat(5000), MADE), { code: 'ENAMETOOLONG' });
  await makeDirectoryInRoot(root, '/magic', MADE);
  assert.ok(existsSync(join(root, 'proc/self/root/etc')), 'a path of /proc is one of the root');
});
