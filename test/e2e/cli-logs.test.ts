/** `podwright logs`: both streams, pieces of lines, the last of them, rotation while it follows, earlier attempts, what is missing. */
import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, createContainer, runContainer, runPod, shell, until, waitForExit, waitForOutput } from '../support/pods.ts';
import { view, viewCommand } from '../support/views.ts';

const test = sharedDaemon();

test('each stream comes out on its own, lines put together, with their times, from the end, and of earlier attempts', async (daemon) => {
  const pod = await runPod(daemon, { name: 'talks' });
  const first = await runContainer(daemon, pod, shell('echo of the first; exit 1'));
  await waitForExit(daemon, first);
  const long = 50_000; // conmon writes it in several pieces
  const script = `echo out 1; echo err 1 >&2; head -c ${long} /dev/zero | tr '\\0' x; echo; echo out 3; echo err 2 >&2`;
  const id = await runContainer(daemon, pod, shell(script), { attempt: 1 });
  await waitForExit(daemon, id);

  const all = await view(daemon, ['logs', 'e2e/talks']);
  assert.deepEqual([all.exitCode, all.stdout, all.stderr], [0, `out 1\n${'x'.repeat(long)}\nout 3\n`, 'err 1\nerr 2\n']);
  const { startedAt, finishedAt } = await containerStatus(daemon, id);
  const timed = await view(daemon, ['logs', '-t', '--since', '1h', id.slice(0, 12)]);
  const lines = timed.stdout.split('\n').map((line) => line.split(' '));
  assert.deepEqual(lines.map(([, ...text]) => text.join(' ').slice(0, 5)), ['out 1', 'xxxxx', 'out 3', '']); // prettier-ignore
  for (const [time = ''] of lines.slice(0, -1)) {
    assert.ok(Date.parse(time) >= Number(startedAt / 1_000_000n) - 100 && Date.parse(time) <= Number(finishedAt / 1_000_000n) + 100, time);
  }
  assert.equal((await view(daemon, ['logs', '--tail', '1', '--since', '2999-01-01T00:00:00Z', 'main'])).stdout, '');
  const last = await view(daemon, ['logs', '--tail', '2', 'main']);
  assert.equal(last.stdout.split('\n').length + last.stderr.split('\n').length, 4);
  assert.equal((await view(daemon, ['logs', '--previous', 'e2e/talks/main'])).stdout, 'of the first\n');
  const { line, env } = viewCommand(daemon, ['logs', 'main']);
  const piped = await execa('bash', ['-c', `set -o pipefail; ${line.map((word) => `'${word}'`).join(' ')} | head -c 3`], {
    env,
    reject: false,
  });
  assert.deepEqual([piped.stdout, piped.stderr.includes('Error')], ['out', false]); // nobody reads the rest
  const none = await view(daemon, ['logs', '--previous', first]);
  assert.deepEqual([none.exitCode, none.stdout], [1, '']);
  assert.match(none.stderr, /there is no earlier attempt/);
});

test('a log is followed through its rotations until the container ends', async (daemon) => {
  const pod = await runPod(daemon, { name: 'rotated' });
  const id = await runContainer(daemon, pod, shell('n=0; trap "echo bye; exit 0" TERM; while :; do n=$((n + 1)); echo "out $n"; echo "err $n" >&2; sleep 0.02; done')); // prettier-ignore
  await waitForOutput(daemon, id, 'out 3');
  const { line: [program = '', ...rest], env } = viewCommand(daemon, ['logs', '-f', 'rotated']); // prettier-ignore
  const following = execa(program, rest, { env, reject: false, timeout: 60_000 });
  const { logPath } = await containerStatus(daemon, id);
  let heard = '';
  following.stdout.on('data', (text: Buffer) => {
    heard += text.toString();
  });
  const grows = async (): Promise<void> => {
    const before = heard.length;
    await until('more is followed', async () => heard.length > before);
  };
  await grows();
  for (const round of [1, 2, 3]) {
    await rename(logPath, `${logPath}.20260101-00000${round}`);
    await grows(); // what is written under the old name is followed too
    await daemon.runtime.reopenContainerLog({ containerId: id });
    await grows();
  }
  await daemon.runtime.stopContainer({ containerId: id, timeout: 5n });
  const { exitCode, stdout, stderr } = await following;
  assert.equal(exitCode, 0);
  const out = stdout.split('\n');
  assert.equal(out.pop(), 'bye');
  assert.deepEqual(out, out.map((_, index) => `out ${index + 1}`)); // prettier-ignore
  const err = stderr.split('\n');
  assert.deepEqual(err, err.map((_, index) => `err ${index + 1}`)); // prettier-ignore
  assert.ok(Math.abs(out.length - err.length) <= 1, `${out.length} lines of stdout, ${err.length} of stderr`);
});

test('a log that is missing is said', async (daemon) => {
  const pod = await runPod(daemon, { name: 'quiet' });
  const id = await runContainer(daemon, pod, shell('exit 0'));
  await waitForExit(daemon, id);
  const { logPath } = await containerStatus(daemon, id);
  await rm(logPath);
  const gone = await view(daemon, ['logs', 'main']);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /container \w{12} \(e2e\/quiet\/main\): its log \S+0\.log is not there/);
  await createContainer(daemon, pod, ['true'], { name: 'mute', change: { logPath: '' } });
  assert.match((await view(daemon, ['logs', 'mute'])).stderr, /has no log: it was made without a log path/);
});
