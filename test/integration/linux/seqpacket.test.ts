import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomeSubreaper } from '../../../src/linux/children.ts';
import { connectPackets } from '../../../src/linux/seqpacket.ts';
import { spawn } from '../../../src/linux/spawn.ts';
import type { Child } from '../../../src/linux/spawn.ts';
import { makeBundle } from '../../support/runc-container.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Echoes until its peer is done; then sends 20,000 numbered packets of all lengths, and last what it has seen. */
const SERVER = `
import os, socket, sys
os.chdir(sys.argv[1])
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind('attach')
listener.listen(1)
print('up', flush=True)
peer, _ = listener.accept()
total = biggest = 0
while True:
    packet = peer.recv(65536)
    if not packet: break
    total += len(packet)
    biggest = max(biggest, len(packet))
    peer.send(b'\\x02' + packet)
for number in range(20000):
    peer.send(bytes([3]) + bytes([number % 256]) * (1 + number % 8192))
peer.send(b'%d %d' % (total, biggest))
peer.close()
`;

async function serve(t: TestContext, directory: string, program = SERVER): Promise<Child> {
  const child = spawn('python3', { args: ['-c', program, directory], stdio: ['ignore', 'pipe', 2], newSession: true });
  t.after(async () => {
    try {
      process.kill(child.pid, 'SIGKILL');
    } catch {
      // it has ended by itself
    }
    await child.exit;
  });
  await once(child.pipes[1] ?? assert.fail(), 'data');
  return child;
}

test('packets stay apart both ways, at a path longer than a socket address', { timeout: 60_000 }, async (t) => {
  const directory = join(await scratchDirectory(t), 'z'.repeat(200));
  await mkdir(directory);
  await serve(t, directory);
  let echoed = 0;
  let numbered = 0;
  let wrong = 0;
  let last = '';
  const connection = await connectPackets(join(directory, 'attach'), {
    onPacket: (packet) => {
      if (packet[0] === 2) echoed += packet.length - 1;
      else if (packet[0] === 3) {
        const expected = Buffer.concat([Buffer.from([3]), Buffer.alloc(1 + (numbered % 8192), numbered % 256)]);
        if (!packet.equals(expected)) wrong += 1;
        numbered += 1;
      } else last = packet.toString();
    },
  });
  // Asked for all at once; sent one by one.
  const writes = Array.from({ length: 200 }, (_each, index) => connection.write(Buffer.alloc(1 + index * 61, 'x')));
  await Promise.all([...writes, connection.end()]);
  await connection.closed;
  const bytes = Array.from({ length: 200 }, (_each, index) => 1 + index * 61).reduce((sum, each) => sum + each, 0);
  assert.deepEqual({ echoed, numbered, wrong, last }, { echoed: bytes, numbered: 20_000, wrong: 0, last: `${bytes} 8192` });
  await assert.rejects(connection.write(Buffer.from('late')), { kind: 'Unavailable' });
});

test('connectPackets says why it cannot, and leaves no descriptor', async (t) => {
  const directory = await scratchDirectory(t);
  const before = readdirSync('/proc/self/fd').length;
  const nobody = { onPacket: () => undefined };
  await assert.rejects(connectPackets(join(directory, 'attach'), nobody), { code: 'ENOENT' });
  await assert.rejects(connectPackets(join(directory, 'x'.repeat(200), 'attach'), nobody), { code: 'ENOENT' });
  await assert.rejects(connectPackets(join(directory, 'attach'), { ...nobody, signal: AbortSignal.abort() }), { kind: 'Canceled' });
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('a write to a peer that has gone fails, and destroy ends the connection', async (t) => {
  const directory = await scratchDirectory(t);
  const closeAtOnce = SERVER.replace('total = biggest = 0', 'peer.close(); sys.exit()');
  const server = await serve(t, directory, closeAtOnce);
  const connection = await connectPackets(join(directory, 'attach'), { onPacket: () => undefined });
  await server.exit;
  await assert.rejects(
    async () => {
      for (let index = 0; index < 100; index += 1) await connection.write(Buffer.alloc(8192));
    },
    { kind: 'Unavailable' },
  );
  connection.destroy();
  await connection.closed;
});

test('attaches to a real conmon: 512 KiB in and back, the stream id first, its end seen', { timeout: 60_000 }, async (t) => {
  becomeSubreaper();
  const bundle = await makeBundle(t, ['cat']);
  const at = (name: string): string => join(bundle.directory, name);
  for (const name of ['exits', 'sockets', 'persist']) await mkdir(at(name));
  // conmon keeps its sockets' directory behind a short symlink, as it must.
  const short = join(await scratchDirectory(t, 's'), 'd');
  await symlink(at('sockets'), short);
  const paths = ['-b', bundle.directory, '-p', at('pidfile'), '-P', at('conmon-pidfile'), '-l', at('log'), '--exit-dir', at('exits')];
  const rest = [
    '-r',
    '/usr/sbin/runc',
    '--runtime-arg',
    `--root=${bundle.runtimeRoot}`,
    '--socket-dir-path',
    short,
    '--persist-dir',
    at('persist'),
  ];
  const child = spawn('conmon', {
    args: ['-c', bundle.id, '-u', bundle.id, '-n', 'test', '-i', ...paths, ...rest],
    env: { PATH: process.env['PATH'] ?? '', _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'input'],
    newSession: true,
  });
  child.pipes[4]?.end('1');
  const [answer] = (await once(child.pipes[3] ?? assert.fail(), 'data')) as [Buffer];
  assert.match(answer.toString(), /"pid": ?[1-9]/);
  assert.deepEqual(await child.exit, { code: 0 });

  const received: Buffer[] = [];
  const streams = new Set<number | undefined>();
  const connection = await connectPackets(join(short, bundle.id, 'attach'), {
    onPacket: (packet) => {
      streams.add(packet[0]);
      received.push(Buffer.from(packet.subarray(1)));
    },
  });
  assert.deepEqual((await bundle.runc(['start', bundle.id])).exit, { code: 0 });
  const sent = Buffer.alloc(512 * 1024, 'podwright and conmon ');
  await connection.write(sent);
  await connection.end();
  await connection.closed;
  assert.ok(Buffer.concat(received).equals(sent), `${Buffer.concat(received).length} bytes came back`);
  assert.deepEqual([...streams], [2]);
  let exitCode: string | undefined;
  for (let tries = 0; tries < 200 && exitCode === undefined; tries += 1) {
    exitCode = await readFile(join(at('exits'), bundle.id), 'utf8').catch(() => undefined);
    await sleep(10);
  }
  assert.equal(exitCode, '0');
});
