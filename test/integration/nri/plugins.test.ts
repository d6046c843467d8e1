/** The plugins' side of the daemon with real plugins over upstream's stub: registration, events, and plugins that misbehave. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Event } from '../../../api/nri/enums.ts';
import { ALL_EVENTS } from '../../../src/nri/events.ts';
import type { NriSettings } from '../../../src/nri/settings.ts';
import { containerOf, creation, NriLab, podOf } from '../../support/nri-lab.ts';
import { NriPlugin, noNriPlugin, type NriScript } from '../../support/nri-plugin.ts';
import { until } from '../../support/pods.ts';

const POD = podOf({ id: 'pod1', name: 'web', namespace: 'shop' });

/** Runs a test with plugins that have registered, in the order of their scripts. */
function nriTest(
  name: string,
  scripts: readonly NriScript[],
  work: (lab: NriLab, plugins: NriPlugin[]) => Promise<void>,
  settings: Partial<NriSettings> = {},
): void {
  test(name, { skip: noNriPlugin }, async () => {
    const lab = await NriLab.start(settings);
    const plugins: NriPlugin[] = [];
    try {
      for (const script of scripts) plugins.push(await NriPlugin.start(lab.socket, script));
      await lab.untilReady(scripts.length);
      await work(lab, plugins);
    } catch (error) {
      for (const line of lab.lines) process.stdout.write(`# ${JSON.stringify(line)}\n`);
      throw error;
    } finally {
      for (const plugin of plugins) await plugin.stop();
      await lab.end();
    }
  });
}

nriTest('a plugin registers, is configured, and is told what there is', [], async (lab) => {
  lab.snapshot = { pods: [POD], containers: [containerOf({ id: 'c1', podSandboxId: 'pod1', name: 'app' })] };
  assert.equal(lab.plugins.active, false);
  const plugin = await NriPlugin.start(lab.socket, { name: 'logger', idx: '42', events: ['RunPodSandbox', 'CreateContainer'] });
  try {
    await lab.untilReady(1);
    const { pods, containers } = await plugin.synchronized();
    assert.deepEqual([pods.map(({ name }) => name), containers.map(({ name }) => name)], [['web'], ['app']]);
    const [configure] = await plugin.events('Configure');
    assert.deepEqual(configure?.request, {
      runtimeName: 'podwright',
      runtimeVersion: configure?.request['runtimeVersion'],
      registrationTimeout: '5000',
      requestTimeout: '2000',
      NRIVersion: 'v0.12.0',
    });
    const [report] = lab.plugins.describe().plugins;
    const { name, kind, state, pid, version, events, calls, failures } = report!;
    assert.deepEqual(
      { name, kind, state, pid, version, events, calls, failures },
      {
        name: '42-logger',
        kind: 'external',
        state: 'ready',
        pid: plugin.pid,
        version: 'v0.12.0',
        events: ['RunPodSandbox', 'CreateContainer'],
        calls: 2,
        failures: 0,
      },
    );
    assert.deepEqual(
      [lab.plugins.active, lab.plugins.wants(Event.RUN_POD_SANDBOX), lab.plugins.wants(Event.STOP_CONTAINER)],
      [true, true, false],
    );
    assert.deepEqual(lab.counts, [1]);
  } finally {
    await plugin.stop();
  }
  await until('nobody is there', async () => Promise.resolve(!lab.plugins.active));
  assert.deepEqual(lab.warnings, []);
});

nriTest(
  'events come to plugins in the order of their indexes, one at a time',
  [
    { name: 'last', idx: '90' },
    { name: 'first', idx: '10' },
    { name: 'b', idx: '50' },
    { name: 'a', idx: '50' },
  ],
  async (lab, plugins) => {
    assert.deepEqual(
      lab.reports('ready').map(({ name }) => name),
      ['10-first', '50-a', '50-b', '90-last'],
    );
    const [last, first, b, a] = plugins as [NriPlugin, NriPlugin, NriPlugin, NriPlugin];
    for (const plugin of plugins) await plugin.setRules([{ call: 'RunPodSandbox', sleepMs: 20 }]);
    const names = ['one', 'two', 'three'];
    await Promise.all(names.map(async (name) => lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: podOf({ id: name, name }) })));
    const seen: { name: string; from: number; to: number; order: number }[] = [];
    for (const [order, plugin] of [first, a, b, last].entries())
      for (const event of await plugin.events('RunPodSandbox'))
        seen.push({ name: event.request.pod!.name, from: event.at, to: event.answeredAt!, order });
    seen.sort((one, other) => one.from - other.from);
    assert.deepEqual(
      seen.map(({ name, order }) => `${name} ${order}`),
      names.flatMap((name) => [0, 1, 2, 3].map((order) => `${name} ${order}`)),
    );
    for (const [index, { from }] of seen.entries()) if (index > 0) assert.ok(from >= seen[index - 1]!.to - 5, 'no two at a time');
  },
);

nriTest(
  'what plugins want at a creation comes together, each sees what those before it want, and a contradiction fails the call',
  [
    { name: 'env', idx: '10', rules: [{ call: 'CreateContainer', answer: { adjust: { env: [{ key: 'A', value: '1' }] } } }] },
    { name: 'see', idx: '20', events: ['CreateContainer', 'PostCreateContainer'] },
  ],
  async (lab, [env, see]) => {
    const { adjust } = await lab.plugins.createContainer(creation('app'));
    assert.deepEqual(adjust.env, [{ key: 'A', value: '1' }]);
    const [seen] = await see!.events('CreateContainer');
    assert.deepEqual(seen?.request.container?.['env'], ['A=1']);
    assert.deepEqual(lab.wishes, [{ plugin: '10-env', call: 'CreateContainer', adjusts: true, updates: 0, evictions: 0 }]);

    await see!.setRules([{ call: 'CreateContainer', answer: { adjust: { env: [{ key: 'A', value: '2' }] } } }]);
    await assert.rejects(lab.plugins.createContainer(creation('other')), /10-env.*20-see|20-see.*10-env/s);
    assert.equal(env!.closes, 0);
    assert.equal(lab.reports('ready').length, 2);
  },
);

nriTest(
  'an error of a plugin fails the call with its name and words, and the plugin stays',
  [
    {
      name: 'strict',
      idx: '10',
      rules: [
        { call: 'RunPodSandbox', pod: 'bad', error: 'not on my node' },
        { call: 'StopPodSandbox', error: 'stay' },
      ],
    },
    { name: 'after', idx: '20' },
  ],
  async (lab, [, after]) => {
    await assert.rejects(lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: podOf({ id: 'b', name: 'bad' }) }), {
      name: 'DaemonError',
      kind: 'Internal',
      message: 'NRI plugin 10-strict: RunPodSandbox: not on my node',
    });
    await lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: POD });
    // What cannot be stopped is told to the others all the same.
    await assert.rejects(lab.plugins.relay(Event.STOP_POD_SANDBOX, { pod: POD }), /10-strict: StopPodSandbox: stay/);
    assert.deepEqual(await after!.story(), ['RunPodSandbox web', 'StopPodSandbox web']);
    const [report] = lab.reports('ready');
    assert.deepEqual([report?.failures, report?.lastError], [2, 'StopPodSandbox: stay']);
    assert.deepEqual(
      lab.calls.filter(({ failed }) => failed).map(({ plugin, call }) => `${plugin} ${call}`),
      ['10-strict RunPodSandbox', '10-strict StopPodSandbox'],
    );
  },
);

for (const [what, rule, reason] of [
  ['sleeps', { sleepMs: 60_000 }, /no answer after 0\.3 s/],
  ['closes the connection', { do: 'close' }, /closed/],
  ['ends', { do: 'exit' }, /closed/],
  ['sends garbage', { write: 'ffffffffffffffff00112233' }, /this is not NRI/],
] as const)
  nriTest(
    `a plugin that ${what} in the middle of a call is dropped, and the call goes on without it`,
    [
      // Not a validator: one of those that falls silent has not allowed the container.
      { name: 'bad', idx: '10', events: ['CreateContainer'], rules: [{ call: 'CreateContainer', ...rule }] },
      { name: 'good', idx: '20', rules: [{ call: 'CreateContainer', answer: { adjust: { annotations: { here: 'yes' } } } }] },
    ],
    async (lab, [bad]) => {
      const started = performance.now();
      const { adjust } = await lab.plugins.createContainer(creation('app'));
      assert.ok(performance.now() - started < 1500);
      assert.deepEqual(adjust.annotations, { here: 'yes' });
      assert.deepEqual(
        lab.reports('ready').map(({ name }) => name),
        ['20-good'],
      );
      assert.equal(lab.warnings.length, 1, lab.warnings.join('\n'));
      assert.match(lab.warnings[0]!, /^an NRI plugin is dropped: 10-bad: CreateContainer: /);
      assert.match(lab.warnings[0]!, reason);
      const [gone] = lab.reports('gone');
      assert.equal(gone?.name, '10-bad');
      assert.match(gone.lastError ?? '', reason);
      if (what !== 'sleeps')
        await until('its connection is closed', async () =>
          Promise.resolve(bad!.closes > 0 || what === 'ends' || what === 'sends garbage'),
        );
      await lab.plugins.createContainer(creation('next'));
    },
    { requestTimeoutMs: 300 },
  );

nriTest('a plugin that sends garbage between calls is dropped at once', [{ name: 'noise' }], async (lab, [noise]) => {
  await noise!.act({ write: 'ffffffffffffffffff' });
  await until('it is dropped', async () => Promise.resolve(!lab.plugins.active));
  assert.match(lab.warnings.join(), /an NRI plugin is dropped: 10-noise: .*this is not NRI/);
});

for (const [what, script, reason] of [
  ['index', { register: { pluginIdx: '7' } }, /its index is "7", must be two digits/],
  ['name', { register: { pluginName: 'two words' } }, /its name is "two words", must be/],
  ['set of events', { rules: [{ call: 'Configure', answer: { events: 1 << 14 } }] }, /it subscribes to events 0x4000, must be of 0x3fff/],
  ['answer to Configure', { rules: [{ call: 'Configure', error: 'my file is wrong' }] }, /Configure: my file is wrong/],
  ['way to synchronize', { rules: [{ call: 'Synchronize', error: 'too much' }] }, /Synchronize: too much/],
  ['pace', { rules: [{ call: 'Configure', sleepMs: 60_000 }] }, /Configure: no answer after 0\.3 s/],
] as const)
  nriTest(
    `a plugin with a wrong ${what} is refused in words`,
    [],
    async (lab) => {
      const plugin = NriPlugin.launch(lab.socket, script);
      try {
        await until('it is refused', async () => Promise.resolve(lab.warnings.length > 0));
        assert.match(lab.warnings.join('\n'), reason);
        assert.deepEqual([lab.plugins.active, lab.warnings.length], [false, 1]);
      } finally {
        await plugin.stop();
      }
    },
    { requestTimeoutMs: 300 },
  );

nriTest('a plugin hears why it may not register', [], async (lab) => {
  const plugin = NriPlugin.launch(lab.socket, { register: { pluginIdx: '7' } });
  await plugin.ended();
  assert.match(await plugin.errors(), /its index is "7", must be two digits/);
});

nriTest(
  'who connects and does not register is dropped in time, and nobody waits for that',
  [],
  async (lab) => {
    const silent = connect(lab.socket);
    try {
      await until('it has connected', async () => Promise.resolve(lab.plugins.active));
      const started = performance.now();
      await lab.plugins.window(async () => Promise.resolve());
      assert.ok(performance.now() - started < 100);
      await until('it is dropped', async () => Promise.resolve(!lab.plugins.active));
      assert.match(lab.warnings.join(), /an NRI plugin is dropped: unknown: registration of an NRI plugin: not finished after 0\.4 s/);
    } finally {
      silent.destroy();
    }
  },
  { registrationTimeoutMs: 400 },
);

nriTest(
  'a plugin that hangs in its synchronization holds windows up for its time and no longer',
  [],
  async (lab) => {
    const plugin = NriPlugin.launch(lab.socket, { rules: [{ call: 'Synchronize', sleepMs: 60_000 }] });
    try {
      await until('it is asked', async () => (await plugin.events('Synchronize')).length > 0);
      const started = performance.now();
      await lab.plugins.window(async () => Promise.resolve());
      const waitedMs = performance.now() - started;
      assert.ok(waitedMs > 200 && waitedMs < 1000, `${waitedMs} ms`);
      assert.match(lab.warnings.join(), /dropped: 10-test: Synchronize: no answer/);
    } finally {
      await plugin.stop();
    }
  },
  { registrationTimeoutMs: 500 },
);

const NO_HURRY = { registrationTimeoutMs: 30_000 };

nriTest(
  '2000 pods and containers come in parts, each once',
  [],
  async (lab) => {
    const env = Array.from({ length: 60 }, (_, index) => `VARIABLE_${index}=${'v'.repeat(60)}`);
    lab.snapshot = {
      pods: Array.from({ length: 2000 }, (_, index) =>
        podOf({ id: `pod${index}`, name: `pod-${index}`, annotations: { note: 'n'.repeat(500) } }),
      ),
      containers: Array.from({ length: 2000 }, (_, index) =>
        containerOf({ id: `c${index}`, name: `app-${index}`, podSandboxId: `pod${index}`, env }),
      ),
    };
    const plugin = await NriPlugin.start(lab.socket);
    try {
      await lab.untilReady(1);
      const { pods, containers } = await plugin.synchronized();
      assert.deepEqual(
        [pods.map(({ id }) => id), containers.map(({ id }) => id)],
        [lab.snapshot.pods.map(({ id }) => id), lab.snapshot.containers.map(({ id }) => id)],
      );
      const parts = (await plugin.events('Synchronize')).length;
      assert.ok(parts >= 3, `${parts} parts`);
      const started = performance.now();
      await lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: POD });
      assert.ok(performance.now() - started < 1000);
    } finally {
      await plugin.stop();
    }
  },
  NO_HURRY,
);

nriTest(
  'a plugin may update and evict containers by itself, and at its synchronization',
  [
    {
      name: 'policy',
      rules: [{ call: 'Synchronize', answer: { update: [{ containerId: 'c0', linux: { resources: { cpu: { cpus: '0' } } } }] } }],
    },
  ],
  async (lab, [policy]) => {
    await until('its first wish is granted', async () => Promise.resolve(lab.updates.length === 1));
    const failed = await policy!.updateContainers({
      update: [{ containerId: 'c1' }, { containerId: 'fails' }],
      evict: [{ containerId: 'c2', reason: 'too loud' }],
    });
    assert.deepEqual(failed, [{ containerId: 'fails' }]);
    assert.deepEqual(
      lab.updates.map(({ plugin, updates }) => [plugin, updates.map(({ containerId }) => containerId)]),
      [
        ['10-policy', ['c0']],
        ['10-policy', ['c1', 'fails']],
      ],
    );
    assert.deepEqual(lab.evictions, [{ plugin: '10-policy', evictions: [{ containerId: 'c2', reason: 'too loud' }] }]);
  },
);

nriTest(
  'validators are asked about all adjustments, and one refusal fails the creation',
  [
    {
      name: 'adjusts',
      idx: '10',
      events: ['CreateContainer'],
      rules: [{ call: 'CreateContainer', answer: { adjust: { annotations: { a: 'b' } } } }],
    },
    { name: 'allows', idx: '80', events: ['ValidateContainerAdjustment'] },
    {
      name: 'refuses',
      idx: '90',
      events: ['ValidateContainerAdjustment'],
      rules: [{ call: 'ValidateContainerAdjustment', container: 'bad', answer: { reject: true, reason: 'no annotations here' } }],
    },
  ],
  async (lab, [, allows]) => {
    await lab.plugins.createContainer(creation('good'));
    const [asked] = await allows!.events('ValidateContainerAdjustment');
    assert.deepEqual(asked?.request['plugins'], [
      { name: 'adjusts', index: '10' },
      { name: 'allows', index: '80' },
      { name: 'refuses', index: '90' },
    ]);
    assert.deepEqual((asked.request['adjust'] as { annotations: object }).annotations, { a: 'b' });
    await assert.rejects(lab.plugins.createContainer(creation('bad')), {
      kind: 'PermissionDenied',
      message: 'NRI validator 90-refuses refuses what plugins want done to the container: no annotations here',
    });
  },
);

nriTest(
  'a validator that falls silent has not allowed the container, whatever else it was asked',
  [{ name: 'judge', rules: [{ call: 'CreateContainer', sleepMs: 60_000 }] }],
  async (lab) => {
    await assert.rejects(lab.plugins.createContainer(creation('app')), /NRI plugin 10-judge: it has not said/);
    await lab.plugins.createContainer(creation('app'));
  },
  { requestTimeoutMs: 200 },
);

nriTest('the default validator is asked without any plugin, and wants those that are required', [], async (lab) => {
  lab.settings = { ...lab.settings, defaultValidator: { ...lab.settings.defaultValidator, enable: true, requiredPlugins: ['guard'] } };
  assert.deepEqual([lab.plugins.active, lab.plugins.wants(Event.CREATE_CONTAINER)], [true, true]);
  await assert.rejects(lab.plugins.createContainer(creation('app')), { kind: 'PermissionDenied', message: /00-default-validator.*guard/s });
  const guard = await NriPlugin.start(lab.socket, { name: 'guard', events: ['RunPodSandbox'] });
  try {
    await lab.untilReady(2);
    await lab.plugins.createContainer(creation('app'));
  } finally {
    await guard.stop();
  }
});

nriTest('a plugin that is killed and comes back in a loop, while pods come and go', [], async (lab) => {
  let over = false;
  let windows = 0;
  const load = async (): Promise<void> => {
    while (!over) {
      const id = `pod${windows}`;
      await lab.plugins.window(async () => {
        await lab.plugins.relay(Event.RUN_POD_SANDBOX, { pod: podOf({ id, name: id }) });
        windows += 1;
      });
      await lab.plugins.createContainer(creation(id));
      await sleep(1);
    }
  };
  const loads = Array.from({ length: 4 }, load);
  let before = 0;
  try {
    for (let round = 0; round < 10; round += 1) {
      const plugin = await NriPlugin.start(lab.socket, {
        events: ['RunPodSandbox', 'CreateContainer'],
        rules: [{ call: 'CreateContainer', sleepMs: 5 }],
      });
      await lab.untilReady(1);
      await until('it hears of pods', async () => (await plugin.events('CreateContainer')).length > 2);
      await plugin.kill();
      assert.ok(windows > before, 'pods go on');
      before = windows;
    }
  } finally {
    over = true;
  }
  await Promise.all(loads);
  await until('nobody is left', async () => Promise.resolve(!lab.plugins.active));
});

nriTest('twenty plugins at once', [], async (lab) => {
  const plugins = Array.from({ length: 20 }, (_, index) => NriPlugin.launch(lab.socket, { name: `p${index}`, idx: String(10 + index) }));
  try {
    await lab.untilReady(20, 30_000);
    await lab.plugins.createContainer(creation('app'));
    for (const plugin of plugins) assert.equal((await plugin.events('CreateContainer')).length, 1);
    const names = lab.reports('ready').map(({ name }) => name);
    assert.deepEqual(names, [...names].sort());
  } finally {
    for (const plugin of plugins) await plugin.stop();
  }
});

test('all events of 0.12 are those that a plugin may name', () => {
  assert.equal(ALL_EVENTS, 0x3fff);
});
