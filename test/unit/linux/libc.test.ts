import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { test } from 'node:test';
import * as libc from '../../../src/linux/libc.ts';

test('the flags of open() are those of this machine, as Node was built with them: arm64 has other ones than x86-64', () => {
  const names = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_CREAT', 'O_EXCL', 'O_NONBLOCK', 'O_DIRECTORY', 'O_NOFOLLOW'] as const;
  const of = (flags: Readonly<Record<string, unknown>>): unknown[] => names.map((name) => flags[name]);
  assert.deepEqual(of(libc), of(constants));
});

test('open() with O_NOFOLLOW and O_DIRECTORY refuses what the kernel refuses by these flags', () => {
  assert.throws(() => libc.open('/proc/self/exe', libc.O_RDONLY | libc.O_NOFOLLOW), { code: 'ELOOP' });
  assert.throws(() => libc.open('/proc/self/status', libc.O_RDONLY | libc.O_DIRECTORY), { code: 'ENOTDIR' });
});
