import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adopt, becomeSubreaper } from '../../../src/linux/children.ts';
import { listenForTerminal, openTerminal } from '../../../src/linux/console.ts';
import { close } from '../../../src/linux/libc.ts';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { killGroup } from '../../../src/linux/spawn.ts';
import type { ExitStatus } from '../../../src/linux/spawn.ts';
import type { Terminal } from '../../../src/linux/console.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { startContainer } from '../../support/runc-container.ts';
import type { TestBundle } from '../../support/runc-container.ts';

interface Session {
  readonly terminal: Terminal;
  readonly pid: number;
  readonly exit: Promise<ExitStatus>;
}

let sessions = 0;

/** `runc exec --tty --detach`, as the daemon's exec does it: the terminal comes over the console socket. */
async function execTty(t: TestContext, bundle: TestBundle, script: string, screen: Screen): Promise<Session> {
  becomeSubreaper();
  sessions += 1;
  const pidFile = join(bundle.directory, `pid-${sessions}`);
  const listener = listenForTerminal(join(bundle.directory, `console-${sessions}`));
  try {
    const args = ['--tty', '--detach', '--console-socket', listener.path, '--pid-file', pidFile, bundle.id, 'sh', '-c', script];
    const { exit, stderr } = await bundle.runc(['exec', ...args]);
    assert.deepEqual(exit, { code: 0 }, stderr.toString());
    const terminal = openTerminal(listener.receive(), screen.take);
    screen.terminal = terminal;
    t.after(() => terminal.socket.destroy());
    const pid = Number(await readFile(pidFile, 'utf8'));
    return { terminal, pid, exit: adopt(pid) };
  } finally {
    listener.close();
    listener.close();
    assert.equal(existsSync(listener.path), false);
  }
}

/** Collects a terminal's output; pauses the first times, to see that nothing is lost by it. */
class Screen {
  text = '';
  terminal: Terminal | undefined;
  #pauses: number;

  constructor(pauses = 0) {
    this.#pauses = pauses;
  }

  readonly take = (bytes: Buffer): boolean => {
    this.text += bytes.toString('latin1');
    if (this.#pauses === 0) return true;
    this.#pauses -= 1;
    setTimeout(() => this.terminal?.socket.resume(), 3);
    return false;
  };

  async until(words: string): Promise<void> {
    for (let tries = 0; tries < 400 && !this.text.includes(words); tries += 1) await sleep(10);
    assert.ok(this.text.includes(words), `"${this.text.slice(-200)}" must have "${words}"`);
  }
}

test('a terminal of runc exec carries every byte both ways, through pauses, and its end and exit code', async (t) => {
  const bundle = await startContainer(t);
  const screen = new Screen(50);
  const session = await execTty(t, bundle, 'stty raw -echo; echo ready; head -c 1000000 | cksum; seq 200000; echo tail; exit 6', screen);
  await screen.until('ready');
  session.terminal.socket.write(Buffer.alloc(1_000_000, 'q'));
  assert.deepEqual(await session.exit, { code: 6 });
  await session.terminal.closed;
  assert.ok(screen.text.includes('939264816 1000000\n'), screen.text.slice(0, 100)); // cksum of a million q
  assert.ok(screen.text.includes(Array.from({ length: 200_000 }, (_each, index) => index + 1).join('\n')));
  assert.ok(screen.text.endsWith('200000\ntail\n'));
});

test('resize reaches the program, and does nothing after the end', async (t) => {
  const bundle = await startContainer(t);
  const screen = new Screen();
  const { terminal, exit } = await execTty(
    t,
    bundle,
    `trap 'stty size; exit 0' WINCH; echo ready; while true; do sleep 0.05; done`,
    screen,
  );
  await screen.until('ready');
  terminal.resize({ width: 99, height: 33 });
  assert.deepEqual(await exit, { code: 0 });
  await terminal.closed;
  assert.match(screen.text, /33 99/);
  terminal.resize({ width: 1, height: 1 });
});

test('Ctrl-C ends the program by its signal', async (t) => {
  const bundle = await startContainer(t);
  const screen = new Screen();
  const { terminal, exit } = await execTty(t, bundle, 'echo ready; exec sleep 1000', screen);
  await screen.until('ready');
  await sleep(50); // exec of sleep
  terminal.socket.write('\x03');
  assert.deepEqual(await exit, { signal: 2 });
  await terminal.closed;
});

test('closing the terminal hangs up', async (t) => {
  const bundle = await startContainer(t);
  const screen = new Screen();
  const { terminal, exit } = await execTty(t, bundle, 'echo ready; exec sleep 1000', screen);
  await screen.until('ready');
  terminal.socket.destroy();
  await terminal.closed;
  assert.deepEqual(await exit, { signal: 1 });
});

test('the group of a tty exec dies by killGroup', async (t) => {
  const bundle = await startContainer(t);
  const screen = new Screen();
  const { terminal, pid, exit } = await execTty(t, bundle, "trap '' HUP INT TERM; sleep 1000 & echo ready; wait", screen);
  await screen.until('ready');
  const stat = await statOfProcess(pid);
  assert.deepEqual([stat?.processGroup, stat?.session], [pid, pid]);
  killGroup(pid);
  assert.deepEqual(await exit, { signal: 9 });
  await terminal.closed;
});

test('ten sessions at once keep their output apart', async (t) => {
  const bundle = await startContainer(t);
  await Promise.all(
    Array.from({ length: 10 }, async (_each, index) => {
      const screen = new Screen(5);
      const session = await execTty(t, bundle, `stty raw; seq ${index * 10_000} ${index * 10_000 + 5000}; exit ${index}`, screen);
      await session.terminal.closed;
      assert.deepEqual(await session.exit, { code: index });
      const lines = screen.text.trim().split(/\s+/).map(Number);
      assert.equal(lines.length, 5001);
      assert.equal(lines.at(-1), index * 10_000 + 5000);
    }),
  );
});

test('receive says that nothing came; the socket has the length limit of the kernel', async (t: TestContext) => {
  const directory = await scratchDirectory(t);
  const before = readdirSync('/proc/self/fd').length;
  const listener = listenForTerminal(join(directory, 's'));
  assert.throws(() => listener.receive(), { kind: 'Internal', message: /the runtime sent none/ });
  listener.close();
  assert.throws(() => listenForTerminal(join(directory, 'x'.repeat(120))), { code: 'ENAMETOOLONG' });
  assert.throws(() => listenForTerminal(join(directory, 'none', 's')), { code: 'ENOENT' });
  assert.equal(readdirSync('/proc/self/fd').length, before);
  close(-1); // of a bad descriptor is no failure
});
