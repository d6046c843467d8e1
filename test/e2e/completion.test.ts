/** What completion asks a daemon for, and what it does where that does not answer. */
import assert from 'node:assert/strict';
import { execa } from 'execa';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { runContainer, runPod } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import { viewCommand } from '../support/views.ts';

/** What a shell is told of `command [the daemon's flags] words`. */
async function complete(daemon: TestDaemon, command: readonly string[], word: string): Promise<string[]> {
  const { line, env } = viewCommand(daemon, []);
  const [program = '', , ...own] = line;
  const flags = command[0] === 'image' || command[0] === 'explain' ? [...own.slice(0, 4), '--run-dir', daemon.runDir] : own;
  const { stdout } = await execa(program, ['complete', '--', ...command, ...flags, word], { env, timeout: 60_000 });
  return stdout.split('\n').map((each) => each.split('\t')[0] ?? '');
}

e2eTest(
  'completion offers pods, containers and images, and silently nothing where the daemon hangs or is gone',
  async (daemon) => {
    const pod = await runPod(daemon, { name: 'shown' });
    const id = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'app' });

    assert.deepEqual(await complete(daemon, ['inspect'], ''), ['words', 'e2e/shown', 'e2e/shown/app']);
    assert.deepEqual(await complete(daemon, ['logs'], ''), ['words', 'e2e/shown/app']);
    assert.deepEqual(await complete(daemon, ['exec', '-i'], 'ap'), ['words', 'app']);
    assert.deepEqual(await complete(daemon, ['exec'], id.slice(0, 8)), ['words', id.slice(0, 12)]);
    assert.deepEqual(await complete(daemon, ['exec'], id.slice(0, 20)), ['words', id]);
    const images = await complete(daemon, ['image', 'inspect'], IMAGES.busybox.slice(0, -2));
    assert.ok(images.includes(IMAGES.busybox), images.join(' '));
    // The daemon has its CRI socket by its own flag: no file says where, and the admin socket does.
    const all = await complete(daemon, ['explain'], '');
    assert.ok(all.includes('e2e/shown/app') && all.includes(IMAGES.busybox), all.join(' '));

    process.kill(daemon.pid, 'SIGSTOP');
    try {
      assert.deepEqual(await complete(daemon, ['explain'], ''), ['words']);
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }
    await daemon.stop();
    assert.deepEqual(await complete(daemon, ['explain'], ''), ['words']);
    await daemon.start();
  },
  { isHeldUp: true },
);
