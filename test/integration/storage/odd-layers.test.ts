import assert from 'node:assert/strict';
import { mkdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { run } from '../../../src/linux/spawn.ts';
import type { UnpackResult } from '../../../src/storage/unpack.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { END_OF_TAR, paxHeader, rawHeader, rawMember } from '../../support/tar-blocks.ts';
import { attributesAt, unpackBytes, unpackFile } from '../../support/unpacking.ts';

async function shell(script: string, ...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await run('/bin/sh', { args: ['-ec', script, 'sh', ...args], timeoutMs: 60_000 });
  assert.equal(exit.code, 0, stderr.toString());
  return stdout.toString();
}

async function unpacked(t: TestContext, archive: readonly TarEntry[] | Buffer): Promise<UnpackResult & { readonly directory: string }> {
  const directory = join(await scratchDirectory(t), 'layer');
  await mkdir(directory);
  return { directory, ...(await unpackBytes(Buffer.isBuffer(archive) ? archive : makeTar(archive), directory)) };
}

/** Name, kind, mode, owner and target of everything below a directory. */
async function list(directory: string): Promise<string[]> {
  const text = await shell(`cd "$1"; find . -mindepth 1 -printf '%P %y %m %U:%G %l\\n' | sed 's/ *$//' | sort`, directory);
  return text.split('\n').filter((line) => line !== '');
}

const file = (path: string, extra: Partial<TarEntry> = {}): TarEntry => ({ path, kind: 'file', data: path, ...extra });
const symlink = (path: string, linkTarget: string): TarEntry => ({ path, kind: 'symlink', linkTarget });

test('a symlink whose target is in no directory of the layer is followed, and the target made inside the root', async (t) => {
  const { directory, impliedDirectories } = await unpacked(t, [
    symlink('relative', 'usr/lib'),
    file('relative/a'),
    file('relative/deep/b'),
    symlink('absolute', '/opt/../srv/./data'),
    file('absolute/c'),
    symlink('up', '../../../var'),
    symlink('chain', 'up/log'),
    file('chain/d'),
    symlink('to-root', '/'),
    file('to-root/e'),
    { path: 'relative/described', kind: 'directory', mode: 0o700, uid: 7 },
  ]);

  assert.deepEqual(await list(directory), [
    'absolute l 777 0:0 /opt/../srv/./data',
    'chain l 777 0:0 up/log',
    'e f 644 0:0',
    'relative l 777 0:0 usr/lib',
    'srv d 755 0:0',
    'srv/data d 755 0:0',
    'srv/data/c f 644 0:0',
    'to-root l 777 0:0 /',
    'up l 777 0:0 ../../../var',
    'usr d 755 0:0',
    'usr/lib d 755 0:0',
    'usr/lib/a f 644 0:0',
    'usr/lib/deep d 755 0:0',
    'usr/lib/deep/b f 644 0:0',
    'usr/lib/described d 700 7:0',
    'var d 755 0:0',
    'var/log d 755 0:0',
    'var/log/d f 644 0:0',
  ]);
  // By their own names, so that they can take what they are in the layers below.
  assert.deepEqual([...impliedDirectories].sort(), ['', 'srv', 'srv/data', 'usr', 'usr/lib', 'usr/lib/deep', 'var', 'var/log']);
});

test('a directory that takes the place of something else of its layer hides the one below', async (t) => {
  const { directory } = await unpacked(t, [
    file('was-file'),
    { path: 'was-file', kind: 'directory' },
    { path: 'again', kind: 'directory' },
    file('again/old'),
    file('again'),
    file('again/new'),
    symlink('was-link', 'x'),
    { path: 'was-link', kind: 'directory' },
    { path: 'plain', kind: 'directory' },
  ]);
  const opaque = { 'trusted.overlay.opaque': Buffer.from('y').toString('base64') };
  for (const name of ['was-file', 'again', 'was-link']) assert.deepEqual(await attributesAt(join(directory, name)), opaque, name);
  assert.deepEqual(await attributesAt(join(directory, 'plain')), {});
});

const SPARSE_FORMATS = {
  'type S': '--format=gnu',
  'pax 0.0': '--format=pax --sparse-version=0.0',
  'pax 0.1': '--format=pax --sparse-version=0.1',
  'pax 1.0': '--format=pax --sparse-version=1.0',
};

for (const [name, options] of Object.entries(SPARSE_FORMATS)) {
  test(`sparse files of GNU tar unpack as they were: ${name}`, async (t) => {
    const scratch = await scratchDirectory(t);
    const [tree, archive, layer] = [join(scratch, 'tree'), join(scratch, 'sparse.tar'), join(scratch, 'layer')] as const;
    await mkdir(tree);
    await mkdir(layer);
    // 60 parts need blocks of a map after the header; also all hole, hole at the end, at the start, and none.
    await shell(
      `cd "$1"; for i in $(seq 1 60); do printf "part $i" | dd of=many bs=1 seek=$((i * 100000)) conv=notrunc status=none; done
       truncate -s 10M hole; { echo start; } > end; truncate -s 5M end; truncate -s 5M start; echo end >> start; echo plain > none
       truncate -s 5G huge; echo x >> huge; chown 5:6 many; chmod 0640 many; touch -d '2001-02-03 04:05:06' *
       tar $3 --sparse -cf "$2" --numeric-owner *`,
      tree,
      archive,
      options,
    );
    const { sizeBytes } = await unpackFile(archive, (await stat(archive)).size, layer);

    const sums = `cd "$1"; for f in *; do stat -c '%n %s %a %u:%g %Y' $f; [ $f = huge ] || sha256sum $f; done; tail -c 2 huge | head -c 1`;
    assert.equal(await shell(sums, layer), await shell(sums, tree));
    assert.ok((await stat(join(layer, 'huge'))).blocks * 512 < 1 << 20, 'the holes take no space');
    assert.ok(sizeBytes < 4 << 20, `counted as ${sizeBytes} bytes`);
  });
}

test('an extended attribute without a namespace is left out with a note, and notes have a limit', async (t) => {
  const entries = Array.from({ length: 30 }, (_, index) =>
    file(`f${index}`, { xattrs: { lonely: 'x', 'user.kept': 'y', 'user.overlay.opaque': 'y' } }),
  );
  const { directory, notes } = await unpacked(t, entries);

  assert.deepEqual(Object.keys(await attributesAt(join(directory, 'f0'))), ['user.kept', 'user.overlay.opaque']);
  assert.equal(
    notes[0],
    "entry 'f0': the extended attribute 'lonely', which is in none of the namespaces user. trusted. security. system.",
  );
  assert.deepEqual([notes.length, notes.at(-1)], [6, 'and 25 more']);
});

test('a pax header for all entries says nothing of any of them', async (t) => {
  const { directory } = await unpacked(
    t,
    Buffer.concat([
      paxHeader('g', [
        ['path', 'everything'],
        ['uid', '77'],
        ['gid', '78'],
        ['mtime', '99'],
        ['size', '5'],
        ['linkpath', 'nowhere'],
        ['SCHILY.xattr.user.all', 'x'],
        ['comment', 'a commit'],
      ]),
      rawMember('0', 'one', 'a'),
      rawMember('0', 'second', 'b'),
      END_OF_TAR,
    ]),
  );
  assert.deepEqual(await list(directory), ['a f 644 0:0', 'b f 644 0:0']);
  assert.equal(await readFile(join(directory, 'b'), 'utf8'), 'second');
  assert.equal((await stat(join(directory, 'a'))).mtimeMs, 0);
  assert.deepEqual(await attributesAt(join(directory, 'a')), {});
});

test('an entry for the root gives it owner, mode and time, and takes from nobody the way in', async (t) => {
  for (const path of ['.', './', '/']) {
    const { directory } = await unpacked(t, [{ path, kind: 'directory', mode: 0o1700, uid: 5, gid: 6, mtime: 1000 }, file('/f')]);
    const { mode, uid, gid, mtimeMs } = await stat(directory);
    assert.deepEqual([(mode & 0o7777).toString(8), uid, gid, mtimeMs], ['1755', 5, 6, 1_000_000], path);
    assert.deepEqual(await list(directory), ['f f 644 0:0']);
  }
});

test('a hard link to a symlink is the symlink, with its owner', async (t) => {
  const { directory } = await unpacked(t, [
    { path: 's', kind: 'symlink', linkTarget: 'target', uid: 12, gid: 13, mtime: 50 },
    { path: 'h', kind: 'hardlink', linkTarget: 's', uid: 99, gid: 99 },
    { path: 'h', kind: 'hardlink', linkTarget: './s' },
  ]);
  assert.deepEqual(await list(directory), ['h l 777 12:13 target', 's l 777 12:13 target']);
  assert.equal(await readlink(join(directory, 'h')), 'target');
  assert.equal(await shell(`cd "$1"; stat -c %h-%Y h`, directory), '2-50\n');
});

test('times before 1970 are kept on files, directories and symlinks', async (t) => {
  const before = (name: string, type: string): Buffer =>
    rawHeader((block) => {
      Buffer.from('ffffffffffffffffffffff9c', 'hex').copy(block, 136); // -100 in base 256
      block.write(type, 156, 'latin1');
      if (type === '2') block.write('target', 157, 'latin1');
    }, name);
  const { directory } = await unpacked(
    t,
    Buffer.concat([
      ...[before('file', '0'), before('dir/', '5'), before('link', '2'), before('fifo', '6')],
      paxHeader('x', [['mtime', '-1.5']]),
      rawMember('0', '', 'fraction'),
      END_OF_TAR,
    ]),
  );
  assert.equal(
    await shell(`cd "$1"; for f in dir fifo file link fraction; do stat -c '%n %.Y' $f; done`, directory),
    'dir -100.000000000\nfifo -100.000000000\nfile -100.000000000\nlink -100.000000000\nfraction -1.500000000\n',
  );
});

test('a name with .. that stays inside the root is the name it comes to', async (t) => {
  const { directory } = await unpacked(t, [
    file('a/../b'),
    file('x/y/../../c/d'),
    { path: 'e', kind: 'hardlink', linkTarget: 'no/../b' },
    { path: 'f/../g/', kind: 'directory' },
  ]);
  assert.deepEqual(await list(directory), ['b f 644 0:0', 'c d 755 0:0', 'c/d f 644 0:0', 'e f 644 0:0', 'g d 755 0:0']);
  await assert.rejects(unpacked(t, [file('a/../../b')]), { kind: 'InvalidArgument', message: /'\.\.' in its name that leads out/ });
});
