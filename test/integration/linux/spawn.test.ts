import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { pipe } from '../../../src/linux/libc.ts';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { spawnPosixBeside } from '../../../src/linux/spawn-beside.ts';
import { spawnPosix } from '../../../src/linux/spawn-posix.ts';
import { findProgram, killGroup, runWith, spawn } from '../../../src/linux/spawn.ts';
import { until } from '../../support/pods.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { spawnChildProcess } from '../../support/spawn-child-process.ts';
import type { Child, RunOptions, RunResult, SpawnOptions } from '../../../src/linux/spawn.ts';

const IMPLEMENTATIONS = { spawnPosix, spawnPosixBeside, spawnChildProcess };

function ownZombies(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid)) return false;
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return state === 'Z' && Number(parent) === process.pid;
      } catch {
        return false;
      }
    });
}

function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd');
}

for (const [name, implementation] of Object.entries(IMPLEMENTATIONS)) {
  const start = async (file: string, options: SpawnOptions): Promise<Child> => implementation(findProgram(file), options);
  const runIt = (file: string, options: Partial<RunOptions>): Promise<RunResult> =>
    runWith(start, file, { args: [], timeoutMs: 20_000, ...options });
  const shell = (script: string, options: Partial<RunOptions> = {}): Promise<RunResult> =>
    runIt('sh', { ...options, args: ['-c', script] });

  describe(name, () => {
    test('passes arguments, environment, directory and stdin, and keeps stdout and stderr apart', async (t) => {
      const cwd = await scratchDirectory(t);
      const result = await runWith(async (file, options) => start(file, { ...options, cwd }), 'sh', {
        args: ['-c', 'printf "%s|" "$@"; pwd; env; cat; echo oops >&2; exit 7', 'sh', 'a b', '', '"ü"'],
        env: { ONLY: 'this one\nhas two lines', PATH: '/usr/bin:/bin' },
        input: 'from stdin',
        timeoutMs: 20_000,
      });
      const text = result.stdout.toString();
      assert.ok(text.startsWith(`a b||"ü"|${cwd}\n`), text);
      assert.ok(text.includes('ONLY=this one\nhas two lines\n'));
      assert.ok(!text.includes('HOME='), 'nothing of our environment comes along');
      assert.ok(text.endsWith('from stdin'));
      assert.equal(result.stderr.toString(), 'oops\n');
      assert.deepEqual(result.exit, { code: 7 });
      assert.equal(result.cut, false);
    });

    test('gives our environment where none is given', async () => {
      process.env['PODWRIGHT_TEST_MARK'] = 'x y';
      assert.equal((await shell('printf "$PODWRIGHT_TEST_MARK"')).stdout.toString(), 'x y');
      delete process.env['PODWRIGHT_TEST_MARK'];
    });

    test('carries 30 MB through cat byte by byte', async () => {
      const input = Buffer.alloc(30_000_000, 'podwright');
      const result = await runIt('cat', { input, outputLimitBytes: input.length });
      assert.ok(result.stdout.equals(input));
      assert.equal(result.cut, false);
    });

    test('cuts output at the limit where that is asked for, and the program still ends', async () => {
      const result = await shell('head -c 3000000 /dev/zero; echo end >&2', { outputLimitBytes: 1000, mayBeCut: true });
      assert.equal(result.stdout.length, 1000);
      assert.equal(result.cut, true);
      assert.equal(result.heldOpen, false);
      assert.equal(result.stderr.toString(), 'end\n');
      assert.deepEqual(result.exit, { code: 0 });
    });

    test('output over the limit is an error and not a result', async () => {
      await assert.rejects(shell('head -c 1001 /dev/zero', { outputLimitBytes: 1000 }), {
        kind: 'Internal',
        message: 'run sh -c head -c 1001 /dev/zero: its output is over 1000 bytes, must be less',
      });
      assert.equal((await shell('head -c 1000 /dev/zero', { outputLimitBytes: 1000 })).stdout.length, 1000);
    });

    test('of words over the limit the end is kept', async () => {
      const script = 'for i in $(seq 20000); do echo "line $i"; done >&2; exit 3';
      const { stderr, exit } = await shell(script, { outputLimitBytes: 1000 });
      assert.equal(stderr.length, 1000);
      assert.ok(stderr.toString().endsWith('\nline 19999\nline 20000\n'));
      assert.deepEqual(exit, { code: 3 });
    });

    test('a program that does not read its stdin is no failure', async () => {
      const result = await runIt('true', { input: Buffer.alloc(5_000_000) });
      assert.deepEqual(result.exit, { code: 0 });
    });

    test('stdout and stderr can be reopened by name', async () => {
      const result = await shell('echo out >/dev/stdout; echo err >/dev/stderr; echo too >/proc/self/fd/2');
      assert.equal(result.stdout.toString(), 'out\n');
      assert.equal(result.stderr.toString(), 'err\ntoo\n');
    });

    test('passes descriptors on from 3 upward, whatever their numbers are here', async (t) => {
      const directory = await scratchDirectory(t);
      await writeFile(join(directory, 'one'), 'first ');
      await writeFile(join(directory, 'two'), 'second');
      const fds = [openSync(join(directory, 'two'), 'r'), openSync(join(directory, 'one'), 'r')];
      const withFds: typeof start = async (file, options) => start(file, { ...options, stdio: [...(options.stdio ?? []), ...fds] });
      const result = await runWith(withFds, 'sh', { args: ['-c', 'cat <&4; cat <&3'], timeoutMs: 20_000 });
      fds.forEach((fd) => {
        closeSync(fd);
      });
      assert.equal(result.stdout.toString(), 'first second');
    });

    test('offers pipes at any descriptor in both directions', async () => {
      const child = await start('sh', {
        args: ['-c', 'read line <&4; echo "got $line" >&3'],
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'input'],
      });
      child.pipes[4]?.write('a line\n');
      const [data] = (await once(child.pipes[3] ?? assert.fail(), 'data')) as [Buffer];
      assert.equal(data.toString(), 'got a line\n');
      assert.deepEqual(await child.exit, { code: 0 });
      child.pipes[4]?.destroy();
    });

    test('starts with default signals, an empty mask and /dev/null where nothing is given', async () => {
      const { stdout } = await runIt('cat', { args: ['/proc/self/status'] });
      for (const field of ['SigIgn', 'SigBlk']) {
        assert.match(stdout.toString(), new RegExp(`^${field}:\\s0000000000000000$`, 'm'), field);
      }
      const child = await start('sh', { args: ['-c', 'test /dev/null -ef /proc/self/fd/0 && test /dev/null -ef /proc/self/fd/1'] });
      assert.deepEqual(await child.exit, { code: 0 });
    });

    test('newSession makes it leader of its session and group; without it, it is in ours', async () => {
      for (const newSession of [true, false]) {
        const child = await start('sleep', { args: ['10'], newSession });
        const stat = await statOfProcess(child.pid);
        const own = await statOfProcess(process.pid);
        assert.equal(stat?.session, newSession ? child.pid : own?.session);
        assert.equal(stat?.processGroup, newSession ? child.pid : own?.processGroup);
        process.kill(child.pid, 'SIGTERM');
        assert.deepEqual(await child.exit, { signal: 15 });
      }
    });

    test('throws why a program cannot be started, and leaves no descriptor open', async (t) => {
      const directory = await scratchDirectory(t);
      await writeFile(join(directory, 'bad'), '#!/no/such/interpreter\n', { mode: 0o755 });
      const before = openDescriptors();
      const attempt = async (file: string, options: Partial<SpawnOptions>): Promise<Child> =>
        start(file, { args: [], stdio: ['pipe', 'pipe', 'pipe'], ...options });
      await assert.rejects(attempt('/no/such/program', {}), { code: 'ENOENT' });
      await assert.rejects(attempt('no-such-program', {}), { code: 'ENOENT' });
      await assert.rejects(attempt('/etc/passwd', {}), { code: 'EACCES' });
      await assert.rejects(attempt('/tmp', {}), { code: 'EACCES' });
      await assert.rejects(attempt('/bin/true', { cwd: '/no/such/directory' }), { code: 'ENOENT' });
      await assert.rejects(attempt('/bin/true', { args: ['x'.repeat(200_000)] }), { code: 'E2BIG' });
      await assert.rejects(attempt('/bin/true', { args: ['a\0b'] }), { code: 'ERR_INVALID_ARG_VALUE' });
      // The twin cannot tell which file is missing; that it throws is what counts.
      await assert.rejects(attempt(join(directory, 'bad'), {}));
      assert.deepEqual(openDescriptors(), before);
    });

    test('after the timeout the whole group is dead and the error says what hung', async (t) => {
      const directory = await scratchDirectory(t);
      const pids = join(directory, 'pids');
      const script = `sleep 1000 & echo $! $$ >${pids}; echo busy >&2; trap '' TERM; wait`;
      const began = performance.now();
      await assert.rejects(shell(script, { timeoutMs: 1500 }), (error: Error & { kind?: string }) => {
        assert.equal(error.kind, 'DeadlineExceeded');
        assert.match(error.message, /run sh -c .*not finished after 1.5 s; it said: busy/s);
        return true;
      });
      assert.ok(performance.now() - began < 8000);
      for (const pid of (await readFile(pids, 'utf8')).trim().split(' ').map(Number)) {
        // Only our own child is waited for; the other has its SIGKILL, and dies when a processor is free for it.
        await until(`process ${pid} is dead`, async () => ((await statOfProcess(pid))?.state ?? 'Z') === 'Z', 2000);
      }
    });

    test('an abort ends it with the reason given, also one that came before', async () => {
      const controller = new AbortController();
      const work = shell('sleep 1000', { signal: controller.signal });
      setTimeout(() => {
        controller.abort();
      }, 50);
      await assert.rejects(work, { kind: 'Canceled' });
      await assert.rejects(shell('sleep 1000', { signal: controller.signal }), { kind: 'Canceled' });
    });

    test('a leftover that holds the output open delays the result no longer than drainMs', async () => {
      const began = performance.now();
      const result = await shell('sleep 60 & echo $!; exit 4', { drainMs: 200 });
      assert.ok(performance.now() - began < 10_000);
      process.kill(Number(result.stdout.toString()), 'SIGKILL');
      assert.deepEqual([result.heldOpen, result.cut], [true, false]);
      assert.deepEqual(result.exit, { code: 4 });
    });

    test('300 programs at staggered times all report their own end; no zombie and no descriptor stays', async () => {
      await shell('true');
      const before = openDescriptors();
      const ends = Array.from({ length: 300 }, async (_each, index) => {
        await sleep(index % 20);
        return index % 3 === 0 ? shell(`kill -${1 + (index % 15)} $$; sleep 5`) : shell(`echo ${index}; exit ${index % 200}`);
      });
      for (const [index, result] of (await Promise.all(ends)).entries()) {
        const signal = 1 + (index % 15);
        if (index % 3 === 0) assert.deepEqual(result.exit, { signal }, `program ${index}`);
        else assert.deepEqual({ exit: result.exit, out: result.stdout.toString() }, { exit: { code: index % 200 }, out: `${index}\n` });
      }
      // The kernel lets go of each beside the event loop, a moment after its end is told.
      for (let tries = 0; tries < 250 && ownZombies().length > 0; tries += 1) await sleep(20);
      assert.deepEqual(ownZombies(), []);
      await sleep(20); // handles close in the next turn
      assert.deepEqual(openDescriptors(), before);
    });

    test('an end while the event loop is blocked is not missed', async () => {
      const starting = start('true', { args: [] });
      const until = performance.now() + 100;
      while (performance.now() < until);
      const child = await starting;
      assert.deepEqual(await child.exit, { code: 0 });
    });
  });
}

test('both give the child exactly the descriptors asked for', async () => {
  const { readEnd, writeEnd } = pipe();
  for (const implementation of [spawnPosix, spawnPosixBeside]) {
    const withPipe = async (file: string, options: SpawnOptions): Promise<Child> =>
      implementation(findProgram(file), { ...options, stdio: [...(options.stdio ?? []), readEnd] });
    const result = await runWith(withPipe, 'ls', { args: ['/proc/self/fd'], timeoutMs: 5000 });
    // 4 is the directory that ls reads.
    assert.equal(result.stdout.toString(), '0\n1\n2\n3\n4\n');
  }
  closeSync(readEnd);
  closeSync(writeEnd);
});

test('a socket is both ways, and ends with the child', async () => {
  const { pipes, exit } = spawn('sh', {
    args: ['-c', 'read line <&3; echo "got $line" >&3'],
    stdio: ['ignore', 'ignore', 'ignore', 'socket'],
  });
  const socket = pipes[3]!;
  let said = '';
  socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
  socket.write('hello\n');
  await once(socket, 'end');
  assert.equal(said, 'got hello\n');
  assert.deepEqual(await exit, { code: 0 });
  socket.destroy();
});

test('spawn and child_process do not take each other their children', async () => {
  const ours = Array.from({ length: 100 }, (_each, index) => spawnPosix('/bin/sh', { args: ['-c', `exit ${index}`] }).exit);
  const theirs = Array.from({ length: 20 }, (_each, index) => spawnChildProcess('/bin/sh', { args: ['-c', `exit ${index}`] }).exit);
  assert.deepEqual(
    await Promise.all(ours),
    Array.from({ length: 100 }, (_each, code) => ({ code })),
  );
  assert.deepEqual(
    await Promise.all(theirs),
    Array.from({ length: 20 }, (_each, code) => ({ code })),
  );
});

test('killGroup refuses what could hit everything, and a group that is gone is fine', async () => {
  for (const pid of [0, 1, -5, Number.NaN])
    assert.throws(() => {
      killGroup(pid);
    }, /must be 2 or more/);
  const child = spawn('true', { args: [], newSession: true });
  await child.exit;
  killGroup(child.pid);
});

test('the event loop does not wait for programs that are started beside it', { timeout: 60_000 }, async () => {
  const startedInOneTurn = async (): Promise<number> => {
    let started = 0;
    const all = Array.from({ length: 64 }, async (_each, code) => {
      const child = await spawnPosixBeside('/bin/sh', { args: ['-c', `exit ${code}`], env: {} });
      started += 1;
      return child.exit;
    });
    await nextTurn();
    const soFar = started;
    assert.deepEqual(
      await Promise.all(all),
      all.map((_each, code) => ({ code })),
    );
    return soFar;
  };
  let least = 64;
  // A loop that gets no processor for that long sees all of them at once.
  for (let tries = 0; tries < 10 && least === 64; tries += 1) least = await startedInOneTurn();
  assert.ok(least < 64, 'all are started before the loop goes on');
});

test('the cost of spawnPosix does not grow with our memory', { timeout: 60_000 }, async () => {
  const blockedMs = async (): Promise<number> => {
    const times: number[] = [];
    for (let index = 0; index < 15; index += 1) {
      const began = performance.now();
      const child = spawnPosix('/bin/true', { args: [] });
      times.push(performance.now() - began);
      await child.exit;
    }
    return times.sort((a, b) => a - b)[7] ?? 0;
  };
  await blockedMs();
  const small = await blockedMs();
  const ballast = Buffer.alloc(400 * 1024 * 1024, 1);
  const big = await blockedMs();
  assert.equal(ballast[5], 1);
  assert.ok(big < small * 4 + 8, `${small.toFixed(2)} ms before, ${big.toFixed(2)} ms with 400 MB more`);
});
