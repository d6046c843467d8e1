/** The scripted NRI plugin as a runtime sees it: what it sends first, and what it says where nobody answers. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { readJson, remove } from 'fs-extra/esm';
import { LaunchedNriPlugin, NriPlugin, noNriPlugin } from '../../support/nri-plugin.ts';
import { until } from '../../support/pods.ts';

const options = { skip: noNriPlugin };

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pw-nri-plugin-'));
  try {
    await work(directory);
  } finally {
    await remove(directory);
  }
}

test('the scripted plugin registers with its name and index, and again where its connection is lost', options, async () => {
  await inDirectory(async (directory) => {
    const heard: string[] = [];
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (bytes) => heard.push(bytes.toString('latin1')));
      socket.on('error', () => undefined);
    });
    const path = join(directory, 'nri.sock');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const plugin = NriPlugin.launch(path, { name: 'registers', idx: '42', reconnect: true });
    try {
      const registrations = (count: number) => async (): Promise<boolean> =>
        Promise.resolve(heard.filter((text) => text.includes('RegisterPlugin')).length >= count);
      await until('it has registered', registrations(1));
      assert.match(heard.join(''), /nri\.pkg\.api\.v1alpha1\.Runtime.*RegisterPlugin.*registers.*42.*v0\.12\.0/s);
      sockets[0]?.destroy();
      await until('it has come back', registrations(2));
    } finally {
      await plugin.stop();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});

test('the scripted plugin ends with a reason where nobody listens', options, async () => {
  await inDirectory(async (directory) => {
    const plugin = NriPlugin.launch(join(directory, 'nobody.sock'));
    await plugin.ended();
    assert.equal(plugin.connections, 0);
    assert.match(await plugin.errors(), /nobody\.sock: connect: no such file/);
  });
});

test('an installed plugin is a program with a configuration, and has told nothing yet', options, async () => {
  await inDirectory(async (directory) => {
    const at = { pluginDir: join(directory, 'plugins'), configDir: join(directory, 'conf.d') };
    const plugin = await LaunchedNriPlugin.install('10-installed', at, { events: ['CreateContainer'] });
    assert.deepEqual(await plugin.events(), []);
    assert.deepEqual(((await readJson(join(at.configDir, '10-installed.conf'))) as { events: string[] }).events, ['CreateContainer']);
    const { exitCode } = await execa(join(at.pluginDir, '10-installed'), [], { env: { NRI_PLUGIN_SOCKET: '99' }, reject: false });
    assert.equal(exitCode, 1, 'descriptor 99 is no socket');
    await assert.rejects(readFile(join(at.configDir, '10-installed.calls')), 'nothing was told');
  });
});
