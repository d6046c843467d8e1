import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Event } from '../../../api/nri/enums.ts';
import { silentLog } from '../../../src/base/log.ts';
import { SandboxEvents } from '../../../src/lifecycle/sandbox-events.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import type { Sandboxes } from '../../../src/podsandbox/sandboxes.ts';
import { sandbox } from '../../support/objects.ts';
import { RecordingPlugins } from '../../support/recording-plugins.ts';

function lab(): { plugins: RecordingPlugins; events: SandboxEvents; pod: Sandbox } {
  const plugins = new RecordingPlugins();
  const pod = sandbox();
  const sandboxes = { store: { get: () => pod }, runtimeSpec: () => Promise.resolve({}) } as unknown as Sandboxes;
  return { plugins, events: new SandboxEvents({ plugins, sandboxes: () => sandboxes, log: silentLog }), pod };
}
const forEver = new AbortController().signal;
const note = (plugins: RecordingPlugins, what: string) => async (): Promise<void> => {
  plugins.told.push(what);
  return Promise.resolve();
};

test('a pod runs when plugins have agreed; one that joins meanwhile waits until the pod is seen', async () => {
  const { plugins, events, pod } = lab();
  let joined: Promise<void> | undefined;
  await events.run(pod, forEver, async () => {
    joined = plugins.join();
    await turn();
    plugins.told.push('shown');
  });
  await joined;
  assert.deepStrictEqual(plugins.told, ['RUN_POD_SANDBOX web-0', 'shown', 'JOIN']);
});

test('a pod that a plugin refuses is told to be gone, and never shown', async () => {
  const { plugins, events, pod } = lab();
  plugins.answers = { [Event.RUN_POD_SANDBOX]: new Error('no'), [Event.STOP_POD_SANDBOX]: new Error('neither') };
  await assert.rejects(events.run(pod, forEver, note(plugins, 'shown')), /no/);
  assert.deepStrictEqual(plugins.told, ['RUN_POD_SANDBOX web-0', 'STOP_POD_SANDBOX web-0', 'REMOVE_POD_SANDBOX web-0']);
});

test('a pod whose record fails is told to be gone', async () => {
  const { plugins, events, pod } = lab();
  await assert.rejects(
    events.run(pod, forEver, async () => Promise.reject(new Error('disk'))),
    /disk/,
  );
  assert.deepStrictEqual(plugins.told.slice(1), ['STOP_POD_SANDBOX web-0', 'REMOVE_POD_SANDBOX web-0']);
});

test('work that is ended while a plugin is asked ignores the answer, and tells after it that the pod is gone', async () => {
  const { plugins, events, pod } = lab();
  const answer = Promise.withResolvers<undefined>();
  plugins.answers = { [Event.RUN_POD_SANDBOX]: async () => answer.promise };
  const work = new AbortController();
  const run = events.run(pod, work.signal, note(plugins, 'shown'));
  await turn();
  work.abort(new Error('budget'));
  await turn();
  assert.deepStrictEqual(plugins.told, ['RUN_POD_SANDBOX web-0']);
  answer.resolve(undefined);
  await assert.rejects(run);
  assert.deepStrictEqual(plugins.told.slice(1), ['STOP_POD_SANDBOX web-0', 'REMOVE_POD_SANDBOX web-0']);
});

test('the stop of a pod is told once however often it is tried; then its removal', async () => {
  const { plugins, events, pod } = lab();
  plugins.answers = { [Event.STOP_POD_SANDBOX]: new Error('no') };
  await events.stop(pod);
  await events.stop(pod);
  await events.remove({ ...pod, state: { ...pod.state, is: 'NotReady' } }, note(plugins, 'removing'));
  assert.deepStrictEqual(plugins.told, ['STOP_POD_SANDBOX web-0', 'REMOVE_POD_SANDBOX web-0', 'removing']);
});

test('a parked pod, which is removed without a stop, is told to be stopped first', async () => {
  const { plugins, events, pod } = lab();
  await events.remove({ ...pod, state: { ...pod.state, is: 'Parked' } }, note(plugins, 'removing'));
  assert.deepStrictEqual(plugins.told, ['STOP_POD_SANDBOX web-0', 'REMOVE_POD_SANDBOX web-0', 'removing']);
});

test('new needs of a pod are told before and after they are kept; a refusal keeps the old ones', async () => {
  const { plugins, events, pod } = lab();
  await events.update(pod, {}, note(plugins, 'kept'));
  assert.deepStrictEqual(plugins.told, ['UPDATE_POD_SANDBOX web-0', 'kept', 'POST_UPDATE_POD_SANDBOX web-0']);
  plugins.answers = { [Event.UPDATE_POD_SANDBOX]: new Error('no') };
  await assert.rejects(events.update(pod, {}, note(plugins, 'kept')), /no/);
  assert.deepStrictEqual(plugins.told.slice(3), ['UPDATE_POD_SANDBOX web-0']);
});

test('without a plugin nothing is asked and no message is built', async () => {
  const plugins = new RecordingPlugins();
  plugins.active = false;
  const events = new SandboxEvents({ plugins, sandboxes: () => assert.fail('a message is built'), log: silentLog });
  const pod = sandbox();
  await events.run(pod, forEver, note(plugins, 'shown'));
  await events.stop(pod);
  await events.remove(pod, note(plugins, 'removing'));
  assert.deepStrictEqual(plugins.told, ['shown', 'removing']);
});
