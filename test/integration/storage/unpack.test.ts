import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { makeTar } from '../../../scripts/tar-writer.ts';
import { digestOf } from '../../../src/image/oci-types.ts';
import { run } from '../../../src/linux/spawn.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { attributesAt, unpackBytes, unpackFile } from '../../support/unpacking.ts';

async function shell(script: string, ...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await run('/bin/sh', {
    args: ['-ec', script, 'sh', ...args],
    timeoutMs: 60_000,
    outputLimitBytes: 16 << 20,
  });
  assert.equal(exit.code, 0, stderr.toString());
  return stdout.toString('latin1');
}

/** Everything find(1) and stat(1) can say of a tree, one line an entry, without what depends on the time of unpacking. */
async function describeTree(directory: string): Promise<string[]> {
  const lines = await shell(`cd "$1"; find . -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\\n'`, directory);
  const devices = await shell(`cd "$1"; find . \\( -type c -o -type b \\) -exec stat -c '%n %t:%T' {} +`, directory);
  // The size of a directory is the file system's affair.
  return `${lines}${devices}`
    .split('\n')
    .map((line) => (line.includes('|d|') ? line.replace(/^([^|]*\|d(?:\|[^|]*){3}\|)[^|]*/, '$1') : line))
    .filter((line) => line !== '')
    .sort();
}

const RICH_TREE = `
umask 022; mkdir "$1"; cd "$1"
mkdir -p usr/bin usr/lib var/empty deep; ln -s usr/bin bin; ln -s /etc/nowhere dangling; ln -s ../../.. usr/up
echo hello > usr/bin/hello; ln usr/bin/hello usr/lib/hello-again; ln usr/bin/hello zz-third
printf x > usr/bin/setuid; chmod 4755 usr/bin/setuid; printf x > usr/bin/setgid; chown 7:8 usr/bin/setgid; chmod 2750 usr/bin/setgid
chmod 1777 var; chmod 0500 var/empty; chown 1000:1000 var/empty
mknod dev-null c 1 3; mknod dev-big b 259 70000; mkfifo fifo; chmod 0620 fifo; chown 3:4 fifo
chown 70000:4000000 usr/lib; chown -h 12:13 dangling
: > empty; dd if=/dev/urandom of=blob bs=1000 count=1049 status=none
n=$(printf 'n%.0s' $(seq 1 140)); mkdir -p "deep/$n/$n/$n"; echo long > "deep/$n/$n/$n/$n"; ln -s "$n/$n/$n/target" deep/longlink; ln "deep/$n/$n/$n/$n" "deep/$n/hard"
touch "$(printf 'not-utf8-\\377\\376')" 'a b' "$(printf 'new\\nline')" ./-dash 'umläut'
for i in $(seq 1 200); do echo $i > var/f$i; done
find . -exec touch -h -d '2001-02-03 04:05:06.123456789' {} +; touch -d '1969-12-31 12:00:00.5' empty; touch -d '2100-01-01' var/f1
`;

const FORMATS = [
  { format: 'pax', options: ['--format=pax', '--xattrs', '--xattrs-include=*'], nanoseconds: true },
  { format: 'gnu', options: ['--format=gnu'], nanoseconds: false },
  { format: 'ustar', options: ['--format=ustar', '--exclude=./deep', '--exclude=./usr/lib', '--exclude=./empty'], nanoseconds: false },
] as const;

for (const { format, options, nanoseconds } of FORMATS) {
  test(`a ${format} archive unpacks as GNU tar unpacks it`, async (t) => {
    const scratch = await scratchDirectory(t);
    const [tree, archive, theirs, ours] = ['tree', 'layer.tar', 'theirs', 'ours'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
      string,
    ];
    await shell(RICH_TREE, tree);
    if (nanoseconds) await shell(`setcap cap_net_raw+ep "$1/usr/bin/hello"`, tree);
    await shell(`a="$1"; t="$2"; shift 2; tar -C "$t" -cf "$a" "$@" .`, archive, tree, ...options);
    await mkdir(theirs);
    await mkdir(ours);
    await shell(`tar -C "$1" -xpf "$2" --numeric-owner --same-owner --xattrs --xattrs-include='*'`, theirs, archive);

    await unpackFile(archive, (await stat(archive)).size, ours);

    const [mine, expected] = [await describeTree(ours), await describeTree(theirs)];
    assert.ok(expected.length > 200);
    assert.deepEqual(mine, expected);
    if (nanoseconds) {
      const { 'security.capability': capability } = await attributesAt(join(theirs, 'usr/bin/hello'));
      assert.ok(capability !== undefined);
      assert.deepEqual(await attributesAt(join(ours, 'usr/lib/hello-again')), { 'security.capability': capability });
    }
  });
}

test('a layer may be plain, gzip in members, or zstd in frames with skippable ones', async (t) => {
  const scratch = await scratchDirectory(t);
  const layer = makeTar([{ path: 'f', kind: 'file', data: Buffer.alloc(300_000, 'data') }]);
  const halves = [layer.subarray(0, 1000), layer.subarray(1000)];
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const forms = {
    plain: layer,
    gzip: gzipSync(layer),
    'gzip members': Buffer.concat(halves.map((half) => gzipSync(half))),
    'gzip with padding': Buffer.concat([gzipSync(layer), Buffer.alloc(700_000)]),
    zstd: zstdCompressSync(layer),
    'zstd frames': Buffer.concat([skippable, ...halves.map((half) => zstdCompressSync(half)), skippable]),
    'many zstd frames': Buffer.concat(
      Array.from({ length: Math.ceil(layer.length / 3000) }, (_, index) =>
        zstdCompressSync(layer.subarray(index * 3000, (index + 1) * 3000)),
      ),
    ),
  };
  const cases = Object.entries(forms).flatMap(([name, data]) => [
    { name, data },
    { name: `${name}, said to be large`, data, sizeBytes: 2 ** 30 },
  ]);
  for (const { name, data, sizeBytes } of cases) {
    const directory = join(scratch, name);
    await mkdir(directory);
    const { diffId, blobDigest, blobBytes } = await unpackBytes(data, directory, { sizeBytes });
    assert.equal(diffId, digestOf(layer), name);
    assert.equal(blobDigest, digestOf(data), name);
    assert.equal(blobBytes, data.length);
    assert.equal((await readFile(join(directory, 'f'))).length, 300_000, name);
  }
});

test('damaged, truncated and foreign data is refused with a sentence', async (t) => {
  const scratch = await scratchDirectory(t);
  const layer = makeTar([
    { path: 'a', kind: 'file', data: Buffer.alloc(100_000, 'x') },
    { path: 'b', kind: 'file', data: 'b' },
  ]);
  const broken = Buffer.from(layer);
  broken[10] = 0xff;
  const gzip = gzipSync(layer);
  const badGzip = Buffer.from(gzip);
  badGzip.writeUInt32LE(0, badGzip.length - 8);
  const zstd = zstdCompressSync(layer);
  const cases: [string, Buffer, RegExp][] = [
    ['cut in a file', layer.subarray(0, 50_000), /truncated/],
    ['cut in a header', layer.subarray(0, 101_000), /truncated/],
    ['wrong checksum', broken, /checksum/],
    ['text', Buffer.from('<html>no layer here</html>'.repeat(40)), /checksum/],
    ['cut gzip', gzip.subarray(0, gzip.length - 20), /truncated or damaged/],
    ['gzip with a wrong sum', badGzip, /truncated or damaged/],
    ['cut zstd', zstd.subarray(0, zstd.length - 5), /truncated or damaged/],
    ['zstd with garbage', Buffer.concat([zstd, Buffer.from('garbage')]), /damaged|no frame/],
    ['xz', Buffer.from('fd377a585a000004', 'hex'), /xz, must be gzip, zstd or plain/],
    ['bzip2', Buffer.from('BZh91AY&SY'), /bzip2/],
  ];
  for (const [name, data, words] of cases) {
    const directory = join(scratch, name.replaceAll(' ', '-'));
    await mkdir(directory);
    await assert.rejects(unpackBytes(data, directory), { name: 'DaemonError', kind: 'InvalidArgument', message: words }, name);
  }
});

test('a digest that is not the expected one is refused', async (t) => {
  const scratch = await scratchDirectory(t);
  const layer = makeTar([{ path: 'a', kind: 'file', data: 'x' }]);
  const wrong = `sha256:${'0'.repeat(64)}` as Digest;
  for (const expected of [{ blobDigest: wrong }, { diffId: wrong }]) {
    const directory = join(scratch, Object.keys(expected)[0] ?? '');
    await mkdir(directory);
    await assert.rejects(unpackBytes(layer, directory, expected), { kind: 'FailedPrecondition', message: /must be sha256:0000/ });
  }
});

test('whiteouts become what overlayfs takes for them', async (t) => {
  const scratch = await scratchDirectory(t);
  const directory = join(scratch, 'layer');
  await mkdir(directory);
  await unpackBytes(
    makeTar([
      { path: 'd', kind: 'directory' },
      { path: 'd/.wh.gone', kind: 'file' },
      { path: '.wh.implied', kind: 'file' },
      { path: 'o', kind: 'directory' },
      { path: 'o/.wh..wh..opq', kind: 'file' },
      { path: 'o/new', kind: 'file', data: 'new' },
      { path: '.wh..wh.plnk', kind: 'directory' },
      // A whiteout is for the layers below: what this layer has under the name stays, before it or after it.
      { path: 'before', kind: 'directory' },
      { path: 'before/kept', kind: 'file', data: 'kept' },
      { path: '.wh.before', kind: 'file' },
      { path: '.wh.after', kind: 'file' },
      { path: 'after', kind: 'directory' },
      { path: 'after/kept', kind: 'file', data: 'kept' },
      { path: '.wh.file', kind: 'file' },
      { path: 'file', kind: 'file', data: 'kept' },
    ]),
    directory,
  );
  const opaque = { 'trusted.overlay.opaque': Buffer.from('y').toString('base64') };

  assert.equal(
    await shell(`cd "$1"; stat -c '%n %F %t:%T' d/gone implied`, directory),
    'd/gone character special file 0:0\nimplied character special file 0:0\n',
  );
  assert.deepEqual(await attributesAt(join(directory, 'o')), opaque);
  assert.deepEqual(await attributesAt(join(directory, 'before')), opaque);
  assert.deepEqual(await attributesAt(join(directory, 'after')), opaque);
  assert.deepEqual(await attributesAt(join(directory, 'd')), {});
  assert.equal(await readFile(join(directory, 'before/kept'), 'utf8'), 'kept');
  assert.equal(await readFile(join(directory, 'after/kept'), 'utf8'), 'kept');
  assert.equal(await readFile(join(directory, 'file'), 'utf8'), 'kept');
  assert.equal(await shell(`cd "$1"; find . -name '.wh*'`, directory), '');
});

test('attributes of overlayfs and SELinux labels of an archive are left out, others kept', async (t) => {
  const scratch = await scratchDirectory(t);
  const directory = join(scratch, 'layer');
  await mkdir(directory);
  const xattrs = {
    'trusted.overlay.redirect': '/etc',
    'user.overlay.opaque': 'y',
    'trusted.overlay.opaque': 'y',
    'security.selinux': 'label',
    'user.mine': 'v',
    'trusted.x': 'w',
  };
  await unpackBytes(makeTar([{ path: 'd', kind: 'directory', xattrs }]), directory);

  // user.overlay.* is read only by overlays that are mounted with userxattr.
  assert.deepEqual(Object.keys(await attributesAt(join(directory, 'd'))), ['trusted.x', 'user.mine', 'user.overlay.opaque']);
});

test('a later entry of an archive replaces an earlier one of any kind', async (t) => {
  const scratch = await scratchDirectory(t);
  const kinds = ['file', 'directory', 'symlink', 'fifo', 'hardlink'] as const;
  for (const first of kinds) {
    for (const second of kinds) {
      const directory = join(scratch, `${first}-${second}`);
      await mkdir(directory);
      const entry = (kind: (typeof kinds)[number]) => ({
        path: 'd/x',
        kind,
        linkTarget: kind === 'symlink' || kind === 'hardlink' ? 'd/target' : '',
      });
      await unpackBytes(
        makeTar([{ path: 'd', kind: 'directory' }, { path: 'd/target', kind: 'file', data: 't' }, entry(first), entry(second)]),
        directory,
      );
      const expected = {
        file: 'regular empty file',
        directory: 'directory',
        symlink: 'symbolic link',
        fifo: 'fifo',
        hardlink: 'regular file',
      }[second];
      assert.equal((await shell(`stat -c %F "$1/d/x"`, directory)).trim(), expected, `${first} then ${second}`);
      assert.equal(await readFile(join(directory, 'd/target'), 'utf8'), 't');
    }
  }
});

test('a layer that grows while it is read unpacks as a whole', async (t) => {
  const scratch = await scratchDirectory(t);
  const { LayerStore } = await import('../../../src/storage/layers.ts');
  const { StorageWorkers } = await import('../../../src/storage/storage-workers.ts');
  const { silentLog } = await import('../../../src/base/log.ts');
  const workers = new StorageWorkers({ idleMs: 50 });
  t.after(async () => {
    await workers.close();
  });
  const layers = new LayerStore(join(scratch, 'layers'), workers, silentLog);
  await layers.start();
  const data = gzipSync(makeTar([{ path: 'f', kind: 'file', data: Buffer.alloc(2_000_000, 'abc') }]));
  const source = join(scratch, 'growing');
  await writeFile(source, '');
  const staged = layers.newStaged();
  await layers.stage(staged);
  const job = layers.unpack(staged, source, { blobDigest: digestOf(data) });
  for (let at = 0; at < data.length; at += 500) {
    await writeFile(source, data.subarray(at, at + 500), { flag: 'a' });
    job.grown(Math.min(at + 500, data.length), false);
  }
  job.grown(data.length, true);
  const unpacked = await job.result;
  assert.equal(unpacked.blobBytes, data.length);
  assert.equal((await readFile(join(staged.tree, 'f'))).length, 2_000_000);
  await layers.discard(staged);
  // The thread goes when nothing is left to do.
  for (const deadline = Date.now() + 5000; workers.threads > 0 && Date.now() < deadline;)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(workers.threads, 0);
});
