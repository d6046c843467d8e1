import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Event, Field } from '../../../api/nri/enums.ts';
import { DaemonError, kindOf, messageOf } from '../../../src/base/errors.ts';
import { KeyedMutex } from '../../../src/base/keyed-mutex.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Container } from '../../../src/container/container.ts';
import type { Containers } from '../../../src/container/containers.ts';
import type { Creation } from '../../../src/container/lifecycle.ts';
import { Changes } from '../../../src/lifecycle/changes.ts';
import { ContainerEvents, type PluginsWorld } from '../../../src/lifecycle/container-events.ts';
import { SpecDirectories } from '../../../src/cdi/spec-directories.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { container, MADE, sandbox } from '../../support/objects.ts';
import { RecordingPlugins } from '../../support/recording-plugins.ts';
import { containerInput, HOST, resources, RUNTIME, SETTINGS } from '../../support/spec-inputs.ts';

const forEver = new AbortController().signal;
const pass = async (): Promise<void> => Promise.resolve();

interface Lab {
  readonly plugins: RecordingPlugins;
  readonly events: ContainerEvents;
  readonly locks: KeyedMutex<string>;
  readonly creation: Creation;
}

/** Two containers, `a` and `b`, each with a lock that an adjustment takes, as those of the node have. */
function lab(all: readonly Container[] = [named('a'), named('b')]): Lab {
  const plugins = new RecordingPlugins();
  const locks = new KeyedMutex<string>();
  const byId = new Map(all.map((each) => [each.record.id as string, each]));
  const containers = {
    store: { get: (id: string) => byId.get(id) },
    bundleOf: () => ({ specFile: '/nowhere/config.json' }),
    adjust: async (id: string) =>
      locks.run(id, async () => {
        plugins.told.push(`adjust ${id}`);
        await turn();
      }),
    stop: pass,
  } as unknown as Containers;
  const world: PluginsWorld = {
    sandboxes: { store: { get: () => sandbox() }, runtimeSpec: () => Promise.resolve({}) } as unknown as PluginsWorld['sandboxes'],
    containers,
    changes: new Changes({ containers, hostFacts: () => HOST, log: silentLog }),
    adjustParts: {
      cdi: new SpecDirectories(() => [], silentLog),
      hostFacts: () => HOST,
      specSettings: () => SETTINGS,
      chosenCgroups: { hold: async (_record, path) => Promise.resolve(path === '/elsewhere' ? 'must be another' : undefined) },
      log: silentLog,
    },
  };
  const { record } = named('a');
  const creation = { record, sandbox: sandbox(), spec: buildSpec(containerInput()), runtime: RUNTIME };
  return { plugins, events: new ContainerEvents({ plugins, world: () => world, log: silentLog }), locks, creation };
}

function named(name: string, state?: Container['state']): Container {
  return container({ id: name as Container['record']['id'], init: { metadata: { name } }, ...(state === undefined ? {} : { state }) });
}

const EXITED = { is: 'Exited', ...MADE, finishedAtNs: 4_000n, exitCode: 0, reason: 'Completed', message: '' } as const;
const updateOf = (containerId: string): { containerId: string; linux: { resources: { cpu: { cpus: string } } } } => ({
  containerId,
  linux: { resources: { cpu: { cpus: '0' } } },
});

test('a container is made between its two events; one that joins meanwhile waits until it is seen', async () => {
  const { plugins, events, creation } = lab();
  let joined: Promise<void> | undefined;
  const made = await events.create(creation, forEver, async () => {
    joined = plugins.join();
    await turn();
    plugins.told.push('made');
    return 7;
  });
  await joined;
  assert.equal(made, 7);
  assert.deepStrictEqual(plugins.told, ['CREATE_CONTAINER a', 'made', 'POST_CREATE_CONTAINER a', 'JOIN']);
});

for (const [what, answers, make] of [
  ['that a plugin refuses', { [Event.CREATE_CONTAINER]: new Error('no') }, async () => Promise.resolve()],
  ['that cannot be made', {}, async () => Promise.reject(new Error('no'))],
] as const) {
  test(`a container ${what} is told to have ended and gone, also where plugins fail at that`, async () => {
    const { plugins, events, creation } = lab();
    plugins.answers = { ...answers, [Event.STOP_CONTAINER]: new Error('neither') };
    await assert.rejects(events.create(creation, forEver, make), /no/);
    assert.deepStrictEqual(plugins.told, ['CREATE_CONTAINER a', 'STOP_CONTAINER a', 'REMOVE_CONTAINER a']);
  });
}

test('the end of a container that dies before all have heard of its creation is recorded at once, and told after that', async () => {
  const { plugins, events, creation } = lab();
  let ended: Promise<void> | undefined;
  await events.create(creation, forEver, async () => {
    ended = events.end(named('a'), async () => {
      plugins.told.push('recorded');
      return Promise.resolve(named('a', EXITED));
    });
    for (let turns = 0; turns < 5; turns += 1) await turn();
  });
  await ended;
  assert.deepStrictEqual(plugins.told, ['CREATE_CONTAINER a', 'recorded', 'POST_CREATE_CONTAINER a', 'STOP_CONTAINER a']);
});

test('a container is made as plugins want it, and shows the limits that it then has', async () => {
  const { plugins, events, creation } = lab();
  plugins.adjustment = { env: [{ key: 'FROM', value: 'plugin' }], linux: { resources: { cpu: { shares: { value: 77n } } } } };
  const made = await events.create(creation, forEver, async (adjusted) => Promise.resolve(adjusted));
  assert.ok(made.spec.process.env.includes('FROM=plugin'));
  assert.deepStrictEqual([made.spec.linux.resources.cpu?.shares, made.resources?.cpuShares], [77, 77n]);
  assert.ok(!('chosenCgroup' in made));
  plugins.adjustment = { linux: { cgroupsPath: creation.record.cgroupsPath } };
  assert.ok(!('chosenCgroup' in (await events.create(creation, forEver, async (adjusted) => Promise.resolve(adjusted)))));
  plugins.adjustment = { linux: { cgroupsPath: '/chosen' } };
  const moved = await events.create(creation, forEver, async (adjusted) => Promise.resolve(adjusted));
  assert.deepStrictEqual([moved.chosenCgroup, moved.spec.linux.cgroupsPath], ['/chosen', '/chosen']);
});

test('what cannot be done of an adjustment is refused in the name of the plugin that wants it, before anything is made', async () => {
  const { plugins, events, creation } = lab();
  plugins.adjustment = { linux: { cgroupsPath: '/elsewhere' } };
  plugins.owners = { a: { simple: { [Field.CgroupsPath]: '10-mover' } } };
  const create = events.create(creation, forEver, async () => assert.fail('it is made'));
  await assert.rejects(create, /NRI plugin 10-mover.*cgroups_path/);
  plugins.adjustment = { cdiDevices: [{ name: 'vendor.example/gpu=0' }] };
  await assert.rejects(
    events.create(creation, forEver, async () => assert.fail('it is made')),
    /vendor\.example\/gpu=0/,
  );
  assert.deepStrictEqual(plugins.told.slice(3), ['CREATE_CONTAINER a', 'STOP_CONTAINER a', 'REMOVE_CONTAINER a']);
});

test('a creation that is ended while a plugin is asked ignores the answer', async () => {
  const { plugins, events, creation } = lab();
  const answer = Promise.withResolvers<undefined>();
  plugins.answers = { [Event.CREATE_CONTAINER]: async () => answer.promise };
  const work = new AbortController();
  const create = events.create(creation, work.signal, async () => assert.fail('it is made'));
  await turn();
  work.abort(new Error('the pod is being stopped'));
  setImmediate(answer.resolve, undefined);
  await assert.rejects(create);
  assert.deepStrictEqual(plugins.told.slice(1), ['STOP_CONTAINER a', 'REMOVE_CONTAINER a']);
});

test(
  'the end of a start that fails is told in the window of the start, also while somebody waits to join',
  { timeout: 5_000 },
  async () => {
    const { plugins, events } = lab([named('a', EXITED)]);
    plugins.answers = { [Event.START_CONTAINER]: new Error('no') };
    const a = named('a', { is: 'Created', ...MADE });
    let joined: Promise<void> | undefined;
    const start = events.start(a, async (ask) => {
      joined = plugins.join();
      await ask().catch(async (error: unknown) => {
        await events.end(a, async () => Promise.resolve(named('a', EXITED)));
        throw error;
      });
    });
    await assert.rejects(start, /no/);
    await joined;
    assert.deepStrictEqual(plugins.told, ['START_CONTAINER a', 'STOP_CONTAINER a', 'JOIN']);
  },
);

test('what plugins want at an end is done when its lock is free, and settled() waits for it', async () => {
  const { plugins, events, locks } = lab();
  plugins.updates = () => [updateOf('b')];
  const lockOfB = Promise.withResolvers<undefined>();
  const holding = locks.run('b', async () => lockOfB.promise);
  await locks.run('a', async () => events.end(named('a'), async () => Promise.resolve(named('a', EXITED))));
  let settled = false;
  const waiting = events.settled('a').then(() => (settled = true));
  await turn();
  assert.equal(settled, false);
  lockOfB.resolve(undefined);
  await Promise.all([holding, waiting]);
  assert.deepStrictEqual(plugins.told, ['STOP_CONTAINER a', 'adjust b']);
});

test('two updates at once that each change the other container both end', { timeout: 5_000 }, async () => {
  const { plugins, events, locks } = lab();
  plugins.updates = (of) => [updateOf(of === 'a' ? 'b' : 'a')];
  const update = async (id: string): Promise<void> =>
    events.update(named(id), resources(), {
      check: pass,
      apply: async () =>
        locks.run(id, async () => {
          plugins.told.push(`apply ${id}`);
          await turn();
        }),
    });
  await Promise.all([update('a'), update('b')]);
  for (const id of ['a', 'b']) for (const what of [`UPDATE_CONTAINER ${id}`, `adjust ${id}`, `apply ${id}`, `POST_UPDATE_CONTAINER ${id}`])
    assert.equal(plugins.told.filter((each) => each === what).length, 1, what); // prettier-ignore
});

test('an update that we would refuse is not shown to plugins', async () => {
  const { plugins, events } = lab();
  const steps = { check: async () => Promise.reject(new Error('ended')), apply: pass };
  await assert.rejects(events.update(named('a'), resources(), steps), /ended/);
  assert.deepStrictEqual(plugins.told, []);
});

test('the removal of one that has not ended, a parked one, tells its end first', async () => {
  const { plugins, events } = lab();
  await events.remove(named('a', { is: 'Parked', ...MADE }), pass);
  await events.remove(named('b', EXITED), pass);
  assert.deepStrictEqual(plugins.told, ['STOP_CONTAINER a', 'REMOVE_CONTAINER a', 'REMOVE_CONTAINER b']);
});

test('without a plugin nothing is asked and no message is built', async () => {
  const { creation } = lab();
  const plugins = new RecordingPlugins();
  plugins.active = false;
  const events = new ContainerEvents({ plugins, world: () => assert.fail('a message is built'), log: silentLog });
  await events.create(creation, forEver, async ({ spec }) => {
    assert.equal(spec, creation.spec);
    return Promise.resolve();
  });
  await events.start(named('a'), async (ask) => ask());
  await events.update(named('a'), resources(), { check: async () => assert.fail('checked twice'), apply: pass });
  await events.end(named('a'), async () => Promise.resolve(named('a', EXITED)));
  await events.remove(named('a'), pass);
  await events.settled('a');
  assert.deepStrictEqual(plugins.told, []);
});

test('a container that cannot be made as it was adjusted names the plugins that have adjusted it', async () => {
  const { plugins, events, creation } = lab();
  const failing = async (kind: 'Internal' | 'Canceled', message: string): Promise<unknown> =>
    events.create(creation, forEver, async () => Promise.reject(new DaemonError(kind, message))).catch((error: unknown) => error);
  assert.equal(messageOf(await failing('Internal', 'runc create failed')), 'runc create failed');

  const args = { [Field.Args]: '20-b', [Field.OciHooks]: '10-a,20-b' };
  plugins.owners = { [creation.record.id]: { simple: args, compound: { [Field.Env]: { owners: { A: '30-c' } } } } };
  const error = await failing('Internal', 'runc create failed');
  assert.equal(messageOf(error), 'runc create failed (adjusted by NRI plugins 10-a, 20-b, 30-c)');
  assert.equal(kindOf(error), 'Internal');
  assert.equal(messageOf(await failing('Canceled', 'the caller has left')), 'the caller has left');
  assert.equal(messageOf(await failing('Internal', 'NRI plugin 10-a: no')), 'NRI plugin 10-a: no');
});
