import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { remove } from 'fs-extra/esm';
import { spawn } from '../../../src/linux/spawn.ts';
import { pauseProgram } from '../../../src/podsandbox/pause-program.ts';

test('pauseProgram() is a small static program for x64 and arm64, and nothing for others', () => {
  const programs = ['x64', 'arm64'].map((architecture) => Buffer.from(pauseProgram(architecture)));

  assert.deepStrictEqual(
    programs.map((bytes) => [bytes.length < 512, bytes.toString('latin1', 1, 4), bytes.readUInt16LE(18)]),
    [
      [true, 'ELF', 62],
      [true, 'ELF', 183],
    ],
  );
  assert.throws(() => pauseProgram('ia32'), { kind: 'Unimplemented' });
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`pauseProgram() runs until ${signal}, and then exits with 0`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'podwright-pause-'));
    t.after(async () => remove(directory));
    const program = join(directory, 'pause');
    await writeFile(program, pauseProgram(process.arch), { mode: 0o555 });

    const child = spawn(program, { args: [] });
    await sleep(100);
    // Stopped and continued, its wait ends with EINTR: it must wait again.
    process.kill(child.pid, 'SIGSTOP');
    process.kill(child.pid, 'SIGCONT');
    await sleep(50);
    process.kill(child.pid, signal);

    assert.deepStrictEqual(await child.exit, { code: 0 });
  });
}
