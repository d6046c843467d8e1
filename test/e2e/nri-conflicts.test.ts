// long: 35 s
/** Several plugins at one container: the order they are asked in, where they contradict each other, and who may refuse it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDaemon } from '../support/daemon.ts';
import { inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { difference } from '../support/inventory.ts';
import { NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import type { NriRule, NriScript } from '../support/nri-plugin.ts';
import { containerConfig, createContainer, execOutput, failureOf, podConfig, runContainer, runPod, shell, until } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
const test = sharedDaemon({ skip: noNriPlugin });

const adjusts = (adjust: object): readonly NriRule[] => [{ call: 'CreateContainer', answer: { adjust } }];
const setsEnv = (...pairs: readonly (readonly [key: string, value: string])[]): readonly NriRule[] =>
  adjusts({ env: pairs.map(([key, value]) => ({ key, value })) });

/** Runs work while these plugins, given by name, are there. */
async function withPlugins<T>(
  daemon: TestDaemon,
  scripts: Readonly<Record<string, NriScript>>,
  work: (plugins: Readonly<Record<string, NriPlugin>>) => Promise<T>,
): Promise<T> {
  const plugins: Record<string, NriPlugin> = {};
  try {
    for (const [name, script] of Object.entries(scripts)) plugins[name] = await NriPlugin.start(daemon.nriSocket, { name, ...script });
    return await work(plugins);
  } finally {
    for (const plugin of Object.values(plugins)) await plugin.stop();
  }
}

/** The refusal of a container; nothing may be left of it, and the next try has its name again. */
async function refusal(daemon: TestDaemon, pod: Pod): Promise<string> {
  const config = await containerConfig(pod, SLEEP);
  const earlier = await inventoryOf(daemon);
  const { message } = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }));
  assert.deepEqual(difference(earlier, await inventoryOf(daemon)), []);
  return message;
}

test('plugins are asked in the order of their indexes, and each sees what those before it have done', async (daemon) => {
  const scripts = {
    last: { idx: '30', rules: setsEnv(['-FIRST', ''], ['LAST', 'yes']) },
    first: { idx: '05', rules: setsEnv(['FIRST', 'yes'], ['SECOND', 'no']) },
    second: { idx: '10', rules: setsEnv(['-SECOND', ''], ['SECOND', 'yes']) },
  };
  await withPlugins(daemon, scripts, async (plugins) => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    assert.equal(await execOutput(daemon, id, shell('echo ${FIRST-none} $SECOND $LAST')), 'none yes yes');
    const seen = async (name: string, call: 'CreateContainer' | 'PostCreateContainer'): Promise<string[]> => {
      const [event] = (await plugins[name]?.events(call)) ?? [];
      const env = (event?.request.container?.['env'] ?? []) as string[];
      return env.filter((pair) => /^(FIRST|SECOND|LAST)=/.test(pair)).toSorted();
    };
    assert.deepEqual(await seen('first', 'CreateContainer'), []);
    assert.deepEqual(await seen('second', 'CreateContainer'), ['FIRST=yes', 'SECOND=no']);
    assert.deepEqual(await seen('last', 'CreateContainer'), ['FIRST=yes', 'SECOND=yes']);
    assert.deepEqual(await seen('first', 'PostCreateContainer'), ['LAST=yes', 'SECOND=yes']);
    const times = await Promise.all(['first', 'second', 'last'].map(async (name) => (await plugins[name]?.events('CreateContainer'))?.[0]));
    assert.ok((times[0]?.answeredAt ?? 0) <= (times[1]?.at ?? 0) && (times[1]?.answeredAt ?? 0) <= (times[2]?.at ?? 0));
  });
});

const CONFLICTS: Readonly<Record<string, readonly [adjust: object, words: RegExp]>> = {
  'an annotation': [{ annotations: { 'e2e/one': 'x' } }, /annotation/i],
  'a variable': [{ env: [{ key: 'ONE', value: 'x' }] }, /env/i],
  'a mount': [{ mounts: [{ destination: '/one', type: 'tmpfs', source: 'tmpfs' }] }, /mount/i],
  'a device': [{ linux: { devices: [{ path: '/dev/one', type: 'c', major: '1', minor: '3' }] } }, /device/i],
  arguments: [{ args: ['sleep', '60'] }, /args/i],
  'a limit': [{ rlimits: [{ type: 'RLIMIT_NOFILE', soft: '100', hard: '100' }] }, /rlimit/i],
  'the memory limit': [{ linux: { resources: { memory: { limit: { value: '100000000' } } } } }, /mem/i],
  'the OOM score': [{ linux: { oomScoreAdj: { value: '5' } } }, /oom/i],
  'a sysctl': [{ linux: { sysctl: { 'net.ipv4.ip_unprivileged_port_start': '81' } } }, /sysctl/i],
  'a namespace': [{ linux: { namespaces: [{ type: 'cgroup' }] } }, /namespace/i],
};

test('two plugins that set the same are refused with both names, and nothing is left', async (daemon) => {
  const pod = await runPod(daemon);
  await withPlugins(daemon, { one: { idx: '10' }, other: { idx: '20' } }, async ({ one, other }) => {
    for (const [what, [adjust, words]] of Object.entries(CONFLICTS)) {
      await one?.setRules(adjusts(adjust));
      await other?.setRules(adjusts(adjust));
      const message = await refusal(daemon, pod);
      assert.match(message, words, what);
      assert.match(message, /\b(10-)?one\b/, `${what}: ${message}`);
      assert.match(message, /\b(20-)?other\b/, `${what}: ${message}`);
      await other?.setRules([]);
    }
    await createContainer(daemon, pod, SLEEP);
  });
});

test('a validator refuses with its reason; it sees the adjustments, their owners and who was asked', async (daemon) => {
  const reject: NriRule = { call: 'ValidateContainerAdjustment', times: 1, answer: { reject: true, reason: 'not on my node' } };
  const scripts = {
    adjuster: { idx: '10', events: ['CreateContainer'], rules: setsEnv(['ADDED', 'yes']) },
    validator: { idx: '90', events: ['ValidateContainerAdjustment'], rules: [reject] },
  } satisfies Record<string, NriScript>;
  await withPlugins(daemon, scripts, async ({ validator }) => {
    const pod = await runPod(daemon);
    const message = await refusal(daemon, pod);
    assert.match(message, /not on my node/);
    assert.match(message, /validator/);
    await createContainer(daemon, pod, SLEEP);
    const [event] = (await validator?.events('ValidateContainerAdjustment')) ?? [];
    const request = event?.request ?? assert.fail('the validator was not asked');
    assert.deepEqual((request['adjust'] as { env: object[] }).env, [{ key: 'ADDED', value: 'yes' }]);
    assert.match(JSON.stringify(request['owners']), /adjuster/);
    assert.match(JSON.stringify(request['plugins']), /adjuster/);
    assert.ok(!JSON.stringify(request.container).includes('ADDED'), 'the container is as it was asked for');
  });
});

test('an error of a plugin fails the create with its name and words, and the next try succeeds', async (daemon) => {
  const rule: NriRule = { call: 'CreateContainer', times: 1, error: 'no room for you' };
  await withPlugins(daemon, { doorkeeper: { rules: [rule] } }, async ({ doorkeeper }) => {
    const pod = await runPod(daemon);
    const message = await refusal(daemon, pod);
    assert.match(message, /doorkeeper/);
    assert.match(message, /no room for you/);
    await createContainer(daemon, pod, SLEEP);
    assert.equal(doorkeeper?.closes, 0, 'a plugin that answers with an error stays');
  });
});

test('the default validator refuses what its settings say, after a reload, and wants the plugins that are required', async (daemon) => {
  const set = async (lines: readonly string[]): Promise<void> => {
    const table = ['[nri.default_validator]', 'enable = true', ...lines].join('\n');
    await writeFile(join(daemon.directory, 'podwright.toml'), lines.length === 0 ? '' : `${table}\n`);
    process.kill(daemon.pid, 'SIGHUP');
  };
  /** What becomes of a create once the settings count: the refusal's words, or nothing. */
  const outcome = async (pod: Pod): Promise<string> => {
    const created = createContainer(daemon, pod, SLEEP);
    return await created.then(
      async (containerId) => {
        await daemon.runtime.removeContainer({ containerId });
        return '';
      },
      (error: unknown) => String(error),
    );
  };
  const becomes = async (pod: Pod, words: RegExp): Promise<void> => {
    await until(`a create gives ${String(words)}`, async () => words.test(await outcome(pod)));
  };
  await withPlugins(daemon, { adjuster: {} }, async ({ adjuster }) => {
    const pod = await runPod(daemon);
    const rows = [
      ['reject_namespace_adjustment', { linux: { namespaces: [{ type: 'cgroup' }] } }, /namespace/i],
      ['reject_sysctl_adjustment', { linux: { sysctl: { 'net.ipv4.ip_unprivileged_port_start': '81' } } }, /sysctl/i],
      ['reject_oci_hook_adjustment', { hooks: { poststop: [{ path: '/bin/true' }] } }, /hook/i],
      ['reject_runtime_default_seccomp_adjustment', { linux: { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW' } } }, /seccomp/i],
    ] as const;
    for (const [key, adjust, words] of rows) {
      await adjuster?.setRules(adjusts(adjust));
      await set([]);
      await becomes(pod, /^$/);
      await set([`${key} = true`]);
      await becomes(pod, words);
      assert.match(await outcome(pod), /adjuster/);
    }
    await adjuster?.setRules([]);
    await set(['required_plugins = ["adjuster", "absent"]', 'tolerate_missing_plugins_annotation = "e2e/tolerate"']);
    await becomes(pod, /absent/);
    const tolerant = await runPod(daemon, { change: { annotations: { ...podConfig(daemon).annotations, 'e2e/tolerate': 'true' } } });
    assert.equal(await outcome(tolerant), '');
    await set(['required_plugins = ["adjuster"]']);
    await becomes(pod, /^$/);
    await set([]);
  });
});
