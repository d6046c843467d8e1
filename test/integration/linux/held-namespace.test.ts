import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { holdNamespace } from '../../../src/linux/held-namespace.ts';
import { identify, type ProcessIdentity } from '../../../src/linux/process.ts';
import { killGroup, run, spawn, type Child } from '../../../src/linux/spawn.ts';

async function sleeper(t: TestContext): Promise<{ child: Child; identity: ProcessIdentity }> {
  const child = spawn('sleep', { args: ['100'], newSession: true });
  t.after(async () => {
    killGroup(child.pid);
    await child.exit;
  });
  return { child, identity: (await identify(child.pid)) ?? assert.fail('it has ended') };
}

test('a held namespace is that of the process, for other programs too, until it is closed', async (t) => {
  const { child, identity } = await sleeper(t);
  const before = (await readdir('/proc/self/fd')).length;
  const held = await holdNamespace(identity, 'pid');
  const { stdout } = await run('readlink', { args: [held.path], timeoutMs: 5000 });
  assert.equal(stdout.toString().trim(), await readlink(`/proc/${child.pid}/ns/pid`));
  await held.close();
  assert.equal((await readdir('/proc/self/fd')).length, before);
});

test('the namespace of a later process of the same pid is refused, and so is that of none', async (t) => {
  const { child, identity } = await sleeper(t);
  const before = (await readdir('/proc/self/fd')).length;
  const earlier = { ...identity, startTime: String(Number(identity.startTime) - 1) };
  const expected = { kind: 'FailedPrecondition', message: `join the pid namespace of process ${child.pid}: it has ended, must run` };
  await assert.rejects(holdNamespace(earlier, 'pid'), expected);
  killGroup(child.pid);
  await child.exit;
  await assert.rejects(holdNamespace(identity, 'pid'), expected);
  assert.equal((await readdir('/proc/self/fd')).length, before);
});
