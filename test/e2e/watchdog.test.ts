/** The signs of life that systemd waits for, sd_watchdog_enabled(3), from a daemon that is told to give them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { killGroup, spawn } from '../../src/linux/spawn.ts';
import { watchdogMs } from '../../src/daemon/watchdog.ts';
import { TestDaemon } from '../support/daemon.ts';
import { until } from '../support/pods.ts';
import { scratchDirectory } from '../support/scratch.ts';

const LIMIT_MS = 2000;

test('a daemon tells systemd that it works only while its own CRI answers Status over its socket', async (t) => {
  const notify = join(await scratchDirectory(t), 'notify');
  const receiver = spawn('socat', {
    args: ['-u', '-d', '-d', `UNIX-RECV:${notify}`, 'STDOUT'],
    stdio: ['ignore', 'pipe', 'pipe'],
    newSession: true,
  });
  t.after(async () => {
    killGroup(receiver.pid);
    await receiver.exit;
  });
  let heard = '';
  receiver.pipes[1]?.on('data', (bytes: Buffer) => (heard += bytes.toString()));
  await once(receiver.pipes[2] ?? assert.fail(), 'data');
  const signs = (): number => heard.split('WATCHDOG=1').length - 1;

  const daemon = await TestDaemon.start({ env: { NOTIFY_SOCKET: notify, WATCHDOG_USEC: String(LIMIT_MS * 1000) }, images: [] });
  try {
    await until('the daemon gives signs', async () => signs() >= 3);
    assert.ok(heard.startsWith('READY=1'), heard);

    await rename(daemon.socket, `${daemon.socket}.away`);
    const complaint = 'our own CRI does not answer';
    await until('it sees that its socket is gone', async () => (await daemon.logTail()).includes(complaint));
    const before = signs();
    await sleep(LIMIT_MS);
    // One may still have been on its way; four would have been given.
    assert.ok(signs() <= before + 1, `${signs() - before} signs of a daemon that nobody gets through to`);

    await rename(`${daemon.socket}.away`, daemon.socket);
    const after = signs();
    await until('it gives signs again', async () => signs() > after + 1);
    assert.equal((await daemon.logTail(1000)).split(complaint).length - 1, 1, 'it is told once');
    await daemon.stop();
    await until('it says that it stops', async () => heard.endsWith('STOPPING=1'));
  } finally {
    await daemon.destroy();
  }
});

test('watchdogMs() is for the process alone that systemd has started', () => {
  assert.equal(watchdogMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, 7), 60_000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '60000000' }, 7), 60_000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, 7), undefined);
  assert.equal(watchdogMs({}, 7), undefined);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '0' }, 7), undefined);
});
