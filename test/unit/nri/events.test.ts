import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Event } from '../../../api/nri/enums.ts';
import { PluginMethods } from '../../../api/nri/messages.ts';
import { ALL_EVENTS, EVENT_NAMES, eventNames, hasEvent, isVetoable } from '../../../src/nri/events.ts';

test('every event of the protocol is the call of its name', () => {
  const events = Object.entries(Event).filter(([name]) => name !== 'UNKNOWN' && name !== 'LAST');
  const names = events.map(([name]) => name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()));
  assert.deepEqual(
    Object.entries(EVENT_NAMES),
    Object.entries(Object.fromEntries(events.map(([, event], index) => [event, names[index]]))),
  );
  for (const name of names) assert.ok(name in PluginMethods, name);
});

test('a mask has bit n - 1 for event n', () => {
  assert.equal(ALL_EVENTS, 2 ** (Event.LAST - 1) - 1);
  assert.equal(hasEvent(0b10, Event.STOP_POD_SANDBOX), true);
  assert.equal(hasEvent(0b10, Event.RUN_POD_SANDBOX), false);
  assert.deepEqual(eventNames(0b1010), ['StopPodSandbox', 'CreateContainer']);
});

test('an error stops what has not happened yet', () => {
  assert.deepEqual([Event.RUN_POD_SANDBOX, Event.START_CONTAINER].map(isVetoable), [true, true]);
  assert.deepEqual([Event.REMOVE_CONTAINER, Event.STOP_POD_SANDBOX].map(isVetoable), [false, false]);
});
