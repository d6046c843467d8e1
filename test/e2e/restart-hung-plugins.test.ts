/** A start of the daemon while plugins hang: a bound on the whole, not on each pod. */
// alone: it measures the time to a first answer.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PodSandboxState } from '../../api/cri/enums.ts';
import { callsOf, installPlugin } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { removePod, runPod, until } from '../support/pods.ts';

const PODS = 100;
/** More than twice a start without them, milliseconds; a machine that is not busy takes 3 s for the whole. */
const MORE_MS = 2_500;

/** Starts the daemon; how long its first answer took, milliseconds. */
async function startTimed(daemon: TestDaemon): Promise<number> {
  const begun = performance.now();
  await daemon.launch();
  // A gRPC client that was refused once waits for a second before it tries again.
  while (!(await accepts(daemon.socket))) {
    assert.ok(performance.now() - begun < 60_000, 'the daemon does not answer');
    await sleep(20);
  }
  await daemon.runtime.version({});
  return Math.round(performance.now() - begun);
}

async function accepts(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Ends the plugins that hang; those of a daemon that was killed have outlived it. */
async function endPlugins(daemon: TestDaemon): Promise<void> {
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '');
    if (environment.includes(`CNI_PATH=${daemon.cniBinDir}`) && command === 'sleep\x001000\0') process.kill(Number(name), 'SIGKILL');
  }
}

e2eTest(
  `a start with ${PODS} pods whose DEL hangs answers at once, and their stops go on`,
  async (daemon, context) => {
    await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
    await daemon.useCniPlugins([{ type: 'faulty' }]);
    const ids: string[] = [];
    const workers = Array.from({ length: 6 }, async () => {
      while (ids.length < PODS) ids.push((await runPod(daemon)).id);
    });
    await Promise.all(workers);
    await daemon.kill9();
    const plainMs = await startTimed(daemon);

    await installPlugin(daemon.cniBinDir, 'faulty', 'hangs', ['DEL']);
    const stops = ids.map(async (podSandboxId) => daemon.runtime.stopPodSandbox({ podSandboxId }).catch(() => undefined));
    await until('all DELs hang', async () => (await callsOf(daemon.cniBinDir, 'faulty', 'DEL')) >= ids.length, 60_000);
    await daemon.kill9();
    await Promise.all(stops);
    const hungMs = await startTimed(daemon);
    context.diagnostic(`the first answer came after ${hungMs} ms, without hung plugins after ${plainMs} ms`);
    assert.ok(hungMs < 2 * plainMs + MORE_MS, `the first answer came after ${hungMs} ms, without hung plugins after ${plainMs} ms`);

    const { items } = await daemon.runtime.listPodSandbox({});
    assert.deepEqual([items.length, items.filter(({ state }) => state === PodSandboxState.SANDBOX_READY).length], [ids.length, 0]);
    await daemon.kill9();
    await endPlugins(daemon);
    await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
    await daemon.start();
    await Promise.all(ids.map(async (id) => removePod(daemon, id)));
  },
  { images: [], timeoutMs: 240_000 },
);
