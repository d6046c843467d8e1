import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from 'fs-extra/esm';
import { peerPid } from '../../../src/linux/peer.ts';
import { spawn } from '../../../src/linux/spawn.ts';

test('peerPid() names the process that has connected, and none of a socket that is closed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-peer-'));
  const path = join(directory, 'socket');
  const server = createServer();
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { pid, exit } = spawn(process.execPath, { args: ['-e', `require('node:net').connect(${JSON.stringify(path)}).resume()`] });
    const [other] = (await once(server, 'connection')) as [Socket];
    assert.equal(peerPid(other), pid);
    other.end();
    await exit;
    const own = connect(path);
    const [mine] = (await once(server, 'connection')) as [Socket];
    assert.equal(peerPid(mine), process.pid);
    for (const socket of [own, mine, other]) socket.destroy();
    assert.equal(peerPid(mine), undefined);
  } finally {
    server.close();
    await remove(directory);
  }
});
