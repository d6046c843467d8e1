import assert from 'node:assert/strict';
import { spawn as detached } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { effectiveCapabilities } from '../../../src/linux/capabilities.ts';
import { bootId, exitOf, findProcessesByEnvironment, identify, isAlive, signalProcess } from '../../../src/linux/process.ts';
import { run, spawn } from '../../../src/linux/spawn.ts';

test('a process is alive until it ends, and another start time or boot is another process', async () => {
  const child = spawn('sleep', { args: ['100'] });
  const identity = (await identify(child.pid)) ?? assert.fail('it runs');
  assert.equal(identity.bootId, await bootId());
  assert.equal(await isAlive(identity), true);
  assert.equal(await isAlive({ ...identity, startTime: '1' }), false);
  assert.equal(await isAlive({ ...identity, bootId: 'another' }), false);
  assert.equal(await signalProcess({ ...identity, startTime: '1' }, 9), false, 'a later process of that pid is not hit');
  assert.equal(await isAlive(identity), true);

  const gone = exitOf(identity);
  assert.equal(await signalProcess(identity, 15), true);
  assert.deepEqual(await child.exit, { signal: 15 });
  await gone;
  assert.equal(await isAlive(identity), false);
  assert.equal(await signalProcess(identity, 15), false);
  assert.equal(await identify(child.pid), undefined);
});

test('a process of which nothing but its session is left is gone for a signal, whatever the kernel says of its pid', async () => {
  const leader = detached('sh', ['-c', 'sleep 60 >/dev/null & echo $!; read line'], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
  const identity = (await identify(leader.pid ?? 0)) ?? assert.fail('it runs');
  const [member] = (await once(leader.stdout, 'data')) as [Buffer];
  leader.stdin.end();
  await once(leader, 'exit');
  try {
    while (await isAlive(identity)) await sleep(5);
    assert.equal(await signalProcess(identity, 0), false);
  } finally {
    process.kill(Number(member.toString()), 'SIGKILL');
  }
});

test('exitOf ends with its signal', async () => {
  const self = (await identify(process.pid)) ?? assert.fail();
  await assert.rejects(exitOf(self, AbortSignal.timeout(150)), { kind: 'Canceled' });
});

test('findProcessesByEnvironment finds whole values only', async () => {
  const [one, longer] = ['mark-1', 'mark-12'].map((mark) => spawn('sleep', { args: ['100'], env: { A: '1', PODWRIGHT_TEST_MARK: mark } }));
  assert.ok(one !== undefined && longer !== undefined);
  const found = await findProcessesByEnvironment('PODWRIGHT_TEST_MARK', 'mark-1');
  assert.deepEqual(
    found.map(({ pid }) => pid),
    [one.pid],
  );
  assert.deepEqual(await findProcessesByEnvironment('PODWRIGHT_TEST_MARK', 'mark-3'), []);
  for (const child of [one, longer]) {
    process.kill(child.pid, 'SIGKILL');
    await child.exit;
  }
});

test('effectiveCapabilities are what capsh says of us', async () => {
  const names = effectiveCapabilities();
  assert.ok(names.includes('CAP_SYS_ADMIN') && names.includes('CAP_CHOWN'), 'these tests run as root');
  const { stdout } = await run('sh', { args: ['-c', 'grep CapEff /proc/self/status'], timeoutMs: 5000 });
  const mask = BigInt(`0x${stdout.toString().split('\t')[1]?.trim() ?? ''}`);
  assert.equal(names.length, mask.toString(2).replaceAll('0', '').length);
});
