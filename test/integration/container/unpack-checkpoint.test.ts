/** What is unpacked is held to what was measured: the archive may be changed in between. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { measureArchive, unpackArchive } from '../../../src/container/unpack-checkpoint.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { END_OF_TAR, rawHeader, rawMember } from '../../support/tar-blocks.ts';

const MIB = 1024 * 1024;
const NEVER = new AbortController().signal;

async function files(t: TestContext): Promise<{ source: string; archive: string; target: string }> {
  const directory = await scratchDirectory(t);
  const source = join(directory, 'source');
  await mkdir(source);
  return { source, archive: join(directory, 'a:b.tar'), target: join(directory, 'target') };
}

const pack = async (source: string, archive: string, ...options: readonly string[]): Promise<unknown> =>
  execa('tar', ['--force-local', '-cf', archive, ...options, '-C', source, '.']);

test('an archive measures what its files have, sparse ones their length, each entry a block at least', async (t) => {
  const { source, archive } = await files(t);
  await writeFile(join(source, 'with\nline end'), Buffer.alloc(100));
  await writeFile(join(source, 'data'), randomBytes(MIB));
  await execa('truncate', ['-s', '1G', join(source, 'hole')]);
  await execa('mknod', [join(source, 'device'), 'c', '1', '3']);
  await execa('ln', ['-s', 'data', join(source, 'link')]);
  for (const options of [['--sparse'], ['--sparse', '--gzip'], ['--sparse', '--zstd']]) {
    await pack(source, archive, ...options);
    assert.equal(await measureArchive(archive, 2 ** 40, NEVER), 1024 * MIB + MIB + 100 + 6 * 4096);
    await assert.rejects(measureArchive(archive, 512 * MIB, NEVER), { kind: 'ResourceExhausted', message: /unpacks to more than 536870912 bytes/ });
  }
  await assert.rejects(measureArchive(`${archive}.none`, MIB, NEVER), { kind: 'InvalidArgument', message: /No such file/ });
}); // prettier-ignore

test('an entry whose name is of 64 MB is measured as any, and costs the daemon neither time nor memory', async (t) => {
  const { archive } = await files(t);
  const name = Buffer.alloc(64 * MIB, 'a/');
  await writeFile(archive, Buffer.concat([rawMember('L', name, '././@LongLink'), rawHeader(() => undefined), rawMember('0', 'data'), END_OF_TAR])); // prettier-ignore
  const before = process.threadCpuUsage();
  assert.equal(await measureArchive(archive, 2 ** 40, NEVER), 2 * 4096 + 4);
  const { user, system } = process.threadCpuUsage(before);
  assert.ok(user + system < 2_000_000, `${(user + system) / 1e6} s of the main thread`);
});

test('an archive that has grown since, or has a file that is larger, is not unpacked further', async (t) => {
  const { source, archive, target } = await files(t);
  for (let index = 0; index < 8; index += 1) await writeFile(join(source, `file-${index}`), randomBytes(MIB));
  await pack(source, archive);
  await unpackArchive(archive, target, 9 * MIB, NEVER);
  assert.equal((await readdir(target)).length, 8);
  const second = `${target}-2`;
  await assert.rejects(unpackArchive(archive, second, 3 * MIB, NEVER), { kind: 'InvalidArgument', message: /has grown while it was read/ });
  const sizes = await Promise.all((await readdir(second)).map(async (name) => (await stat(join(second, name))).size));
  assert.ok(sizes.reduce((total, size) => total + size, 0) < 5 * MIB, String(sizes));

  await execa('truncate', ['-s', '8T', join(source, 'hole')]);
  await pack(source, archive, '--sparse');
  await assert.rejects(unpackArchive(archive, `${target}-3`, 64 * MIB, NEVER), { kind: 'InvalidArgument', message: /cannot be unpacked/ });
}); // prettier-ignore
