import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { makeDirectory, namesIn, readSmallFile, removeSmallFile, useMemoryFiles, writeSmallFile } from '../../../src/linux/memory-files.ts';
import { scratchDirectory } from '../../support/scratch.ts';

for (const place of ['memory', 'disk'] as const) {
  test(`small files in a directory on ${place}`, async (t) => {
    const directory = join(await scratchDirectory(t), place);
    await mkdir(directory);
    if (place === 'memory') await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'podwright-test', directory]);
    assert.equal(await useMemoryFiles(directory), place === 'memory');
    const below = join(directory, 'a/b');
    await makeDirectory(below, 0o710);
    await makeDirectory(below, 0o710);
    assert.equal((await stat(below)).mode & 0o777, 0o710);
    const file = join(below, 'f');
    const writing = writeSmallFile(file, 'first, and long', 0o600);
    // Before anything is waited for; on a disk it may be there by now, too.
    if (place === 'memory') assert.equal(existsSync(file), true);
    await writing;
    await writeSmallFile(file, 'second', 0o600);
    assert.equal(await readFile(file, 'utf8'), 'second');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await readSmallFile(file), 'second');
    assert.deepEqual(await namesIn(below), ['f']);
    await removeSmallFile(file);
    await removeSmallFile(file);
    assert.deepEqual(await namesIn(below), []);
    await assert.rejects(readSmallFile(file), { code: 'ENOENT', path: file });
    await assert.rejects(writeSmallFile(join(file, 'x'), '', 0o600), { code: 'ENOENT' });
    await assert.rejects(removeSmallFile(below), { code: /EISDIR|EPERM/ });
    if (place === 'memory') await assert.rejects(writeSmallFile(file, 'x'.repeat(100_000), 0o600), { code: 'ENOSPC' });
  });
}
