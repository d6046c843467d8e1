// long: 60 s
/** Plugins that hang, die, talk nonsense, come late or come in number: no pod waits longer than its timeout, and nothing is left. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { crictlCommand, noCrictl } from '../support/crictl.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { LaunchedNriPlugin, NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import type { NriRule, NriScript } from '../support/nri-plugin.ts';
import { createContainer, execOutput, failureOf, removePod, runContainer, runPod, shell, until } from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
const REQUEST_MS = 1000;
const REGISTRATION_MS = 2000;
const CONFIG = `[nri]\nrequest_timeout = "${REQUEST_MS}ms"\nregistration_timeout = "${REGISTRATION_MS}ms"\n`;
/** What the machine may add to a timeout. */
const SLACK_MS = 4000;

const test = sharedDaemon({ skip: noNriPlugin, config: CONFIG });

/** Every event but the validation of others' adjustments: without a validator that was there nothing is created. */
const WATCHES = ['RunPodSandbox', 'StopPodSandbox', 'RemovePodSandbox', 'CreateContainer', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'StopContainer', 'RemoveContainer'] as const; // prettier-ignore

async function withPlugin(daemon: TestDaemon, script: NriScript, work: (plugin: NriPlugin) => Promise<void>): Promise<void> {
  const plugin = await NriPlugin.start(daemon.nriSocket, { events: WATCHES, ...script });
  try {
    await work(plugin);
  } finally {
    await plugin.stop();
  }
}

async function tookMs(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

const closed = async (plugin: NriPlugin, count = 1): Promise<boolean> =>
  until(`its connection has ended ${count} times`, async () => Promise.resolve(plugin.closes >= count));

test('a plugin that does not answer is dropped with a line in the log, and the create goes on without it', async (daemon) => {
  const rules: NriRule[] = [{ call: 'CreateContainer', sleepMs: 60_000, answer: { adjust: { env: [{ key: 'LATE', value: 'yes' }] } } }];
  await withPlugin(daemon, { name: 'sleeper', rules }, async (plugin) => {
    const pod = await runPod(daemon);
    let id = '';
    const ms = await tookMs(async () => (id = await createContainer(daemon, pod, SLEEP)));
    assert.ok(ms >= REQUEST_MS - 50 && ms < REQUEST_MS + SLACK_MS, `it took ${ms} ms`);
    await daemon.runtime.startContainer({ containerId: id });
    assert.equal(await execOutput(daemon, id, shell('echo ${LATE-none}')), 'none');
    await closed(plugin);
    assert.match(await readFile(daemon.logFile, 'utf8'), /10-sleeper/);
    assert.ok((await tookMs(async () => createContainer(daemon, pod, SLEEP, { name: 'next' }))) < REQUEST_MS + SLACK_MS);
  });
});

/** What a broken plugin may put on the connection: of its multiplexer, 4 bytes of id and 4 of length; of ttrpc, length, stream, type, flags. */
const NONSENSE: Readonly<Record<string, Omit<NriRule, 'call'>>> = {
  'ends in the middle of a message': { write: '00000001000000ff000000f5000000010200', do: 'close' },
  'closes without an answer': { do: 'close' },
  'ends its process': { do: 'exit' },
  'writes random bytes': { write: 'c0ffee'.repeat(50) },
  'announces a message of 4 GiB': { write: '00000001ffffffff' },
  'answers a call that was never made': { write: '000000010000000c000000020000ffff02000800' },
  'answers with what is no message': { write: '000000010000000c00000002000000010200ffff' },
  'sends frames of a kind that is none': { write: '000000010000000a00000000000000017f00' },
};

test('nonsense on the connection drops the plugin or is passed over, and never the create', async (daemon) => {
  const pod = await runPod(daemon);
  for (const [what, rule] of Object.entries(NONSENSE)) {
    await withPlugin(daemon, { name: 'nonsense', rules: [{ call: 'CreateContainer', times: 1, ...rule }] }, async () => {
      const ms = await tookMs(async () => {
        const containerId = await createContainer(daemon, pod, SLEEP);
        await daemon.runtime.removeContainer({ containerId });
      });
      assert.ok(ms < REQUEST_MS + SLACK_MS, `${what}: the create took ${ms} ms`);
    });
    assert.ok(daemon.isRunning, what);
  }
  // And plugins that come after are served.
  await withPlugin(
    daemon,
    { rules: [{ call: 'CreateContainer', answer: { adjust: { env: [{ key: 'AFTER', value: 'yes' }] } } }] },
    async () => {
      const id = await runContainer(daemon, pod, SLEEP);
      assert.equal(await execOutput(daemon, id, shell('echo $AFTER')), 'yes');
    },
  );
});

test('a plugin that is killed and started again in a loop holds up none of 20 pods', async (daemon) => {
  const over = new AbortController();
  const rules: NriRule[] = [{ call: 'CreateContainer', sleepMs: 20, answer: { adjust: { env: [{ key: 'SEEN', value: 'yes' }] } } }];
  const loop = (async (): Promise<number> => {
    let lives = 0;
    for (; !over.signal.aborted; lives++) {
      const plugin = NriPlugin.launch(daemon.nriSocket, { name: 'mortal', events: WATCHES, rules });
      await sleep(50 + ((lives * 37) % 200));
      await plugin.kill();
    }
    return lives;
  })();
  const one = async (): Promise<void> => {
    const pod = await runPod(daemon);
    await runContainer(daemon, pod, SLEEP);
    await removePod(daemon, pod.id);
  };
  try {
    for (let round = 0; round < 5; round++) await Promise.all([one(), one(), one(), one()]);
  } finally {
    over.abort();
  }
  assert.ok((await loop) > 5);
});

test('20 plugins at once: each is asked, in order, and what each adjusts is so', async (daemon) => {
  const numbers = Array.from({ length: 20 }, (_, number) => String(number + 10));
  const script = (idx: string): NriScript => ({
    idx,
    name: `of-twenty`,
    rules: [{ call: 'CreateContainer', answer: { adjust: { env: [{ key: `PLUGIN_${idx}`, value: 'yes' }] } } }],
  });
  const plugins = await Promise.all(numbers.map(async (idx) => NriPlugin.start(daemon.nriSocket, script(idx))));
  try {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    assert.equal(await execOutput(daemon, id, shell('env | grep -c ^PLUGIN_')), '20');
    const asked = await Promise.all(plugins.map(async (plugin) => (await plugin.events('CreateContainer'))[0]));
    const times = asked.map((event) => event?.at ?? 0);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    await removePod(daemon, pod.id);
    const usual = ['RunPodSandbox', 'CreateContainer', 'ValidateContainerAdjustment', 'PostCreateContainer', 'StartContainer', 'PostStartContainer', 'StopContainer', 'StopPodSandbox', 'RemoveContainer', 'RemovePodSandbox'].toSorted(); // prettier-ignore
    for (const plugin of plugins) {
      const story = await plugin.story(pod.config.metadata?.name);
      assert.deepEqual(story.map((line) => line.split(' ')[0]).toSorted(), usual);
    }
  } finally {
    await Promise.all(plugins.map(async (plugin) => plugin.stop()));
  }
});

test('a plugin that hangs when it is synchronized is dropped, and pods wait no longer than that', async (daemon) => {
  const plugin = NriPlugin.launch(daemon.nriSocket, { name: 'hangs', rules: [{ call: 'Synchronize', sleepMs: 60_000 }] });
  try {
    await plugin.until('Synchronize');
    const ms = await tookMs(async () => runContainer(daemon, await runPod(daemon), SLEEP));
    assert.ok(ms < REGISTRATION_MS + REQUEST_MS + SLACK_MS, `it took ${ms} ms`);
    await closed(plugin);
    assert.match(await readFile(daemon.logFile, 'utf8'), /10-hangs/);
  } finally {
    await plugin.stop();
  }
});

test('a plugin that hangs at an event, is dropped and comes back at once does not cost every pod a timeout', async (daemon) => {
  const rules: NriRule[] = [{ call: 'RunPodSandbox', sleepMs: 60_000 }];
  await withPlugin(daemon, { name: 'returns', reconnect: true, rules }, async (plugin) => {
    const times: number[] = [];
    const begin = performance.now();
    for (let count = 0; count < 10; count++) {
      await until('it is connected', async () => Promise.resolve(plugin.connections > plugin.closes));
      times.push(await tookMs(async () => runPod(daemon)));
    }
    // It may come after 5 s, and then after 10 more.
    const most = performance.now() - begin < 15_000 ? 2 : 3;
    const told = times.map((ms) => Math.round(ms)).join(', ');
    assert.ok((await plugin.events('RunPodSandbox')).length <= most, `pods took ${told} ms`);
    assert.match(await readFile(daemon.logFile, 'utf8'), /and waits for its synchronization plugin=10-returns/);
  });
});

test('a validator that dies while it is asked fails the create: nothing is admitted unseen', async (daemon) => {
  const rules: NriRule[] = [{ call: 'ValidateContainerAdjustment', do: 'close' }];
  await withPlugin(daemon, { name: 'gate', events: ['ValidateContainerAdjustment'], rules }, async () => {
    const pod = await runPod(daemon);
    const { message } = await failureOf(createContainer(daemon, pod, SLEEP));
    assert.match(message, /10-gate/);
    await createContainer(daemon, pod, SLEEP);
  });
});

/** The ids of all containers, by crictl where that is here. */
async function listed(daemon: TestDaemon): Promise<string[]> {
  if (noCrictl !== false) return (await daemon.runtime.listContainers({})).containers.map(({ id }) => id);
  const { stdout } = await execa(...(await crictlCommand(daemon, ['ps', '--all', '--quiet', '--no-trunc'])));
  return stdout.split('\n').filter((id) => id !== '');
}

test('plugins that join under the load of 30 creates miss none and see none twice', async (daemon) => {
  const pods = await Promise.all(Array.from({ length: 6 }, async () => runPod(daemon)));
  const creates = pods.map(async (pod) => {
    for (let number = 0; number < 5; number++) await runContainer(daemon, pod, SLEEP, { name: `c${number}` });
  });
  const joiners: NriPlugin[] = [];
  try {
    for (let number = 0; number < 6; number++) {
      joiners.push(NriPlugin.launch(daemon.nriSocket, { name: `joiner`, idx: String(10 + number) }));
      await sleep(400);
    }
    await Promise.all(creates);
    const ids = (await listed(daemon)).toSorted();
    assert.equal(ids.length, 30);
    let early = 0;
    for (const plugin of joiners) {
      const { containers } = await plugin.synchronized();
      const created = (await plugin.events('CreateContainer')).map(({ request }) => request.container?.id ?? '');
      early += containers.length > 0 && created.length > 0 ? 1 : 0;
      assert.deepEqual([...containers.map(({ id }) => id), ...created].toSorted(), ids);
      const started = (await plugin.events('PostStartContainer')).map(({ request }) => request.container?.id ?? '');
      const running = containers.filter(({ state }) => state === 'CONTAINER_RUNNING').map(({ id }) => id);
      assert.deepEqual([...running, ...started].toSorted(), ids, 'each is told running, or its start is');
    }
    assert.ok(early > 0, 'no plugin joined in the middle');
  } finally {
    await Promise.all(joiners.map(async (plugin) => plugin.stop()));
  }
});

e2eTest(
  'kill -9 while a plugin is asked: nothing is left, and plugins come back to what runs',
  async (daemon) => {
    const rules: NriRule[] = [
      { call: 'CreateContainer', container: 'asked', times: 1, sleepMs: 600 },
      { call: 'RunPodSandbox', pod: 'asked', times: 1, sleepMs: 600 },
    ];
    await withPlugin(daemon, { name: 'back', reconnect: true, rules }, async (plugin) => {
      const pod = await runPod(daemon);
      const runs = await runContainer(daemon, pod, SLEEP, { name: 'runs' });
      const asked = createContainer(daemon, pod, SLEEP, { name: 'asked' }).catch(() => undefined);
      const sandbox = runPod(daemon, { name: 'asked' }).catch(() => undefined);
      await until('the plugin is asked', async () => (await plugin.story()).some((line) => line.endsWith(' asked')));
      await daemon.kill9();
      await Promise.all([asked, sandbox]);
      await daemon.start();
      await until('the plugin is back', async () => (await plugin.events('Synchronize')).length === 2);
      const [, again] = await plugin.events('Synchronize');
      assert.deepEqual(
        again?.request.containers?.map(({ id, state }) => [id, state]),
        [[runs, 'CONTAINER_RUNNING']],
      );
      assert.deepEqual(
        again.request.pods?.map(({ id }) => id),
        [pod.id],
      );
      await createContainer(daemon, pod, SLEEP, { name: 'asked' });
      await removePod(daemon, (await runPod(daemon, { name: 'asked' })).id);
      await daemon.restart();
      await until('the plugin is back again', async () => (await plugin.events('Synchronize')).length === 3);
      const { request } = (await plugin.events('Synchronize'))[2] ?? assert.fail('not synchronized');
      assert.deepEqual(request.containers?.map(({ name, state }) => `${name} ${state ?? ''}`).toSorted(), ['asked CONTAINER_CREATED', 'runs CONTAINER_RUNNING']); // prettier-ignore
    });
  },
  { skip: noNriPlugin, config: CONFIG },
);

const directory = await mkdtemp(join(tmpdir(), 'pw-nri-faults-'));
after(async () => {
  await remove(directory);
});
const at = { pluginDir: join(directory, 'plugins'), configDir: join(directory, 'conf.d') };

e2eTest(
  'plugins of the directory are launched with their configurations, started again when they end, and end with the daemon',
  async (daemon) => {
    const script = (key: string): NriScript => ({
      rules: [{ call: 'CreateContainer', answer: { adjust: { env: [{ key, value: 'yes' }] } } }],
    });
    const one = await LaunchedNriPlugin.install('10-one', at, script('ONE'));
    const two = await LaunchedNriPlugin.install('20-two', at, script('TWO'));
    await daemon.restart();
    const pod = await runPod(daemon);
    const adjusted = async (name: string): Promise<string> =>
      execOutput(daemon, await runContainer(daemon, pod, SLEEP, { name }), shell('echo ${ONE-no} ${TWO-no}'));
    assert.equal(await adjusted('first'), 'yes yes');
    const launched = async (): Promise<number[]> => {
      const { stdout } = await execa('pgrep', ['-P', String(daemon.pid), '-f', 'plugins/[0-9]+-(one|two)'], { reject: false });
      return stdout.split('\n').filter(Boolean).map(Number);
    };
    const before = await launched();
    assert.equal(before.length, 2);
    process.kill(before[0] ?? assert.fail('no plugin'), 'SIGKILL');
    await until(
      'it was started again',
      async () => (await one.events('Synchronize')).length + (await two.events('Synchronize')).length === 3,
    );
    assert.equal(await adjusted('second'), 'yes yes');
    const pids = await launched();
    await daemon.stop();
    for (const pid of [...before, ...pids]) assert.throws(() => process.kill(pid, 0), `plugin ${pid} has ended`);
    await remove(at.pluginDir);
    await daemon.start();
  },
  { skip: noNriPlugin, config: `[nri]\nplugin_dir = "${at.pluginDir}"\nplugin_config_dir = "${at.configDir}"\n` },
);
