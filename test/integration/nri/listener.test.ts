/** The socket that plugins connect to. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { pathExists, remove } from 'fs-extra/esm';
import { NriLab } from '../../support/nri-lab.ts';

test('the directory of the socket is for root alone, and the socket goes with the daemon', async () => {
  const lab = await NriLab.start();
  try {
    assert.equal((await stat(join(lab.directory, 'nri'))).mode & 0o777, 0o700);
    assert.deepEqual([(await stat(lab.socket)).isSocket(), lab.plugins.describe().listenFault], [true, undefined]);
    assert.deepEqual(await readdir(join(lab.directory, 'nri')), ['nri.sock']);
    await lab.plugins.close();
    assert.deepEqual(await readdir(join(lab.directory, 'nri')), []);
  } finally {
    await lab.end();
  }
});

test('a socket on which another runtime answers is left to that one, with a warning', async () => {
  const other = await NriLab.start();
  const lab = await NriLab.prepare({ listenPath: other.socket });
  try {
    await lab.start();
    assert.match(lab.warnings.join(), new RegExp(`NRI plugins cannot connect: ${other.socket}: .*a process listens there already`));
    assert.match(lab.plugins.describe().listenFault ?? '', /a process listens there already/);
    await lab.plugins.close();
    assert.equal(await pathExists(other.socket), true);
  } finally {
    await lab.end();
    await other.end();
  }
});

test('a socket that a killed daemon has left is taken over', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-nri-stale-'));
  const path = join(directory, 'nri.sock');
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await execa(process.execPath, ['-e', program], { reject: false });
  assert.equal(await pathExists(path), true);
  const lab = await NriLab.start({ listenPath: path });
  try {
    assert.deepEqual(lab.warnings, []);
    // Another cannot have it meanwhile.
    const second = createServer();
    await assert.rejects(new Promise((_resolve, reject) => second.once('error', reject).listen(path)), /EADDRINUSE/);
  } finally {
    await lab.end();
    await remove(directory);
  }
});

test('at its end the daemon leaves the socket that another runtime has put in the place of its own', async () => {
  const lab = await NriLab.start();
  const other = createServer();
  try {
    await remove(lab.socket);
    await once(other.listen(lab.socket), 'listening');
    const { ino } = await stat(lab.socket);
    await lab.plugins.close();
    assert.equal((await stat(lab.socket)).ino, ino);
    await once(connect(lab.socket).end(), 'connect');
  } finally {
    other.close();
    await lab.end();
  }
});

test('a path that cannot be listened on leaves the node without plugins from outside, not without its runtime', async () => {
  const lab = await NriLab.start({ listenPath: '/dev/null/nri/nri.sock' });
  try {
    assert.match(lab.warnings.join(), /NRI plugins cannot connect: \/dev\/null\/nri\/nri\.sock: ENOTDIR/);
  } finally {
    await lab.end();
  }
});

test('nothing listens where NRI is off, or has no socket', async () => {
  for (const settings of [{ enable: false }, { listenPath: '' }]) {
    const lab = await NriLab.start(settings);
    try {
      assert.deepEqual([await pathExists(lab.socket), lab.plugins.describe().listenPath, lab.plugins.active], [false, '', false]);
    } finally {
      await lab.end();
    }
  }
});
