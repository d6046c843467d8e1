import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { killGroup, spawn } from '../../../src/linux/spawn.ts';
import { sdNotify, sliceToCgroupPath, startScope, stopUnit } from '../../../src/linux/systemd.ts';
import { scratchDirectory } from '../../support/scratch.ts';

// sd_booted(3)
const noSystemd = existsSync('/run/systemd/system') ? false : 'systemd is not process 1 here';

test(
  'startScope moves a process into a scope of its slice, again under the same name, and stopUnit ends it',
  { skip: noSystemd },
  async () => {
    const slice = 'podwrighttest-pod1.slice';
    const name = `podwright-test-${randomBytes(4).toString('hex')}.scope`;
    for (let round = 0; round < 3; round += 1) {
      const child = spawn('sleep', { args: ['1000'] });
      await startScope({ name, slice, pid: child.pid, description: 'a test' });
      const cgroup = await readFile(`/proc/${child.pid}/cgroup`, 'utf8');
      assert.ok(cgroup.includes(`${sliceToCgroupPath(slice)}/${name}`), cgroup);
      await stopUnit(name);
      assert.equal((await child.exit).signal, 15);
    }
    await stopUnit(name);
    await stopUnit('podwright-test-never-was.scope');
  },
);

test('startScope fails with words where systemd is not there or refuses', async () => {
  const request = { name: 'not a unit name', slice: 'x.slice', pid: process.pid, description: '' };
  await assert.rejects(startScope(request), (error: Error & { kind?: string }) => {
    assert.ok(error.kind === 'Internal' || error.kind === 'FailedPrecondition', error.message);
    return true;
  });
});

test('sdNotify sends its lines to the socket that the environment names', async (t) => {
  const directory = await scratchDirectory(t);
  t.after(() => {
    delete process.env['NOTIFY_SOCKET'];
  });
  assert.equal(sdNotify('READY=1'), false, 'not started by systemd');
  const abstract = `podwright-test-${randomBytes(4).toString('hex')}`;
  for (const [address, socket] of [
    [`UNIX-RECV:${join(directory, 'notify')}`, join(directory, 'notify')],
    [`ABSTRACT-RECV:${abstract}`, `@${abstract}`],
  ] as const) {
    const server = spawn('socat', { args: ['-u', '-d', '-d', address, 'STDOUT'], stdio: ['ignore', 'pipe', 'pipe'], newSession: true });
    t.after(() => {
      killGroup(server.pid);
    });
    await once(server.pipes[2] ?? assert.fail(), 'data');
    process.env['NOTIFY_SOCKET'] = socket;
    let sent = false;
    for (let tries = 0; tries < 200 && !sent; tries += 1) {
      sent = sdNotify('READY=1\nSTATUS=serving');
      if (!sent) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const [data] = (await once(server.pipes[1] ?? assert.fail(), 'data')) as [Buffer];
    assert.equal(data.toString(), 'READY=1\nSTATUS=serving');
    killGroup(server.pid);
    await server.exit;
    assert.equal(sdNotify('READY=1'), false, 'nobody listens any more');
  }
});
