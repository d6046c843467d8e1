import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { EventLoopWatch } from '../../../src/linux/event-loop-watch.ts';
import { askedUser, resolveUser } from '../../../src/ocispec/user.ts';
import { securityContext } from '../../support/spec-inputs.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const MIB = 1024 * 1024;
/** Ten times what is looked at. */
const LARGE_BYTES = 20 * MIB;
/** Longest that the event loop may stand still by itself, milliseconds. */
const STANDSTILL_MS = 100;

/** A root file system with these user files. */
async function rootWith(t: TestContext, files: { readonly passwd?: string; readonly group?: string }): Promise<string> {
  const root = await scratchDirectory(t);
  await mkdir(join(root, 'etc'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'etc', name), text);
  return root;
}

const lines = (line: string, bytes = LARGE_BYTES): string => line.repeat(Math.ceil(bytes / line.length));

/** What the work gives or throws, the longest standstill of the event loop in it (0 under 50 ms), and how much its memory grew. */
async function watched<T>(work: () => Promise<T>): Promise<{ result: T | Error; standstillMs: number; grownBytes: number }> {
  let standstillMs = 0;
  const watch = EventLoopWatch.start(({ ownMs }) => (standstillMs = Math.max(standstillMs, ownMs)));
  const before = process.memoryUsage().rss;
  let most = before;
  const sampler = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 10);
  const result = await work().catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  // A standstill is told a moment after it.
  await new Promise((resolve) => setTimeout(resolve, 60));
  watch.stop();
  clearInterval(sampler);
  return { result, standstillMs, grownBytes: Math.max(most, process.memoryUsage().rss) - before };
}

const byName = securityContext({ runAsUsername: 'web' });
const byNumber = securityContext({ runAsUser: { value: 4242n } });

test('user files of any size neither stop the event loop nor fill the memory', async (t) => {
  const odd = {
    'short users': { passwd: lines('a::1:1:\n'), group: lines('a::1:\n') },
    'lines without anything': { passwd: lines('\n'), group: lines('\n') },
    'one long line': { passwd: `web:x:1:1:${lines('a')}`, group: `web:x:1:${lines('a,')}` },
    'no line end': { passwd: lines(':'), group: lines(':') },
  };
  for (const [name, files] of Object.entries(odd)) {
    const root = await rootWith(t, files);
    for (const request of [byName, byNumber]) {
      const { result, standstillMs, grownBytes } = await watched(async () => resolveUser(root, askedUser(request, {})));
      t.diagnostic(`${name}: standstill ${standstillMs.toFixed(1)} ms, memory ${(grownBytes / MIB).toFixed(1)} MiB`);
      assert.ok(result instanceof Error, `${name}: ${JSON.stringify(result)}`);
      assert.match(result.message, /\/etc\/passwd is longer than 2097152 bytes, must be shorter/, name);
      assert.ok(standstillMs < STANDSTILL_MS, `${name}: the event loop stood still for ${standstillMs} ms`);
      assert.ok(grownBytes < 32 * MIB, `${name}: ${grownBytes} bytes more memory`);
    }
  }
});

test('a user is found at the start of a long file, and its groups are wanted whole', async (t) => {
  const passwd = `web:x:1000:2000::/home/web:/bin/sh\n${lines('a::1:1:\n')}`;
  const small = await rootWith(t, { passwd, group: 'web:x:2000:\nvideo:x:44:web\n' });
  assert.deepEqual(await resolveUser(small, askedUser(byName, {})), {
    uid: 1000,
    gid: 2000,
    additionalGids: [44, 2000],
    home: '/home/web',
  });

  const large = await rootWith(t, { passwd, group: `video:x:44:web\n${lines('a:x:1:\n')}` });
  await assert.rejects(resolveUser(large, askedUser(byName, {})), {
    kind: 'FailedPrecondition',
    message: /all groups of user "web": the image's \/etc\/group is longer/,
  });
  const strict = securityContext({ runAsUsername: 'web', supplementalGroupsPolicy: 1 });
  assert.deepEqual((await resolveUser(large, askedUser(strict, {}))).additionalGids, [2000]);
  await assert.rejects(resolveUser(large, askedUser(undefined, { User: '0:none' })), {
    kind: 'FailedPrecondition',
    message: /user 0: .*\/etc\/passwd is longer/,
  });
});

test('a user whose line the limit cuts is not taken for another', async (t) => {
  const filler = 'filler:x:7:7::/:\n';
  const line = 'web:x:1000:2000::/home/web:/bin/sh\n';
  const before = lines(filler, 2 * MIB - 40 * filler.length).slice(0, -filler.length);
  const padding = `${'p'.repeat(2 * MIB - before.length - 'web:x:1000:2'.length - 1)}\n`;
  const root = await rootWith(t, { passwd: before + padding + line, group: '' });
  await assert.rejects(resolveUser(root, askedUser(byName, {})), { kind: 'FailedPrecondition', message: /\/etc\/passwd is longer/ });
});

test('up to 2 MB are searched to their end, with the event loop running', async (t) => {
  const passwd = `${lines('a::1:1:\n', 2 * MIB - 64)}web:x:1000:2000::/home/web:\n`;
  const group = `${lines('a:x:1:web\n', 2 * MIB - 64)}b:x:5:not,web\n`;
  const root = await rootWith(t, { passwd, group });
  const { result, standstillMs } = await watched(async () => resolveUser(root, askedUser(byName, {})));
  t.diagnostic(`standstill ${standstillMs.toFixed(1)} ms`);
  assert.deepEqual(result, { uid: 1000, gid: 2000, additionalGids: [1, 5, 2000], home: '/home/web' });
  assert.ok(standstillMs < STANDSTILL_MS, `the event loop stood still for ${standstillMs} ms`);
});

test('more groups than a process can have are refused in words', async (t) => {
  const group = Array.from({ length: 70_000 }, (_, index) => `g:x:${index}:web`).join('\n');
  const root = await rootWith(t, { passwd: 'web:x:1000:2000::/:\n', group });
  await assert.rejects(resolveUser(root, askedUser(byName, {})), { kind: 'FailedPrecondition', message: /must be in 65536 at most/ });
});
