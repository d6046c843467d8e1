import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches, type HookSubject } from '../../../src/hooks/match-hook.ts';
import { readHook } from '../../../src/hooks/read-hook.ts';

const file = (when: unknown, more: object = {}): string =>
  JSON.stringify({ version: '1.0.0', hook: { path: '/bin/hook' }, when, stages: ['prestart'], ...more });
const SUBJECT: HookSubject = {
  annotations: { 'com.example/dept': 'fluid-dynamics', other: 'x' },
  command: '/sbin/init',
  hasBindMounts: true,
};
const holds = (when: unknown, subject: Partial<HookSubject> = {}): boolean =>
  matches(readHook(file(when)).when, { ...SUBJECT, ...subject });

test('readHook() reads the program and the stages; other fields are passed over', () => {
  const hook = { path: '/bin/hook', args: ['hook', '-x'], env: ['A=1'], timeout: 5 };
  const { when: _when, ...read } = readHook(file({ always: true }, { hook: { ...hook, more: 1 }, stages: ['poststop', 'startContainer'], more: 1 })); // prettier-ignore
  assert.deepEqual(read, { hook, stages: ['poststop', 'startContainer'] });
});

test('readHook() refuses what is no hook, by the place of the field', () => {
  const refused = (text: string, message: string | RegExp): void => {
    assert.throws(() => readHook(text), { kind: 'InvalidArgument', message });
  };
  refused('{', /^must be JSON/);
  refused(file({}, { version: '0.1.0' }), 'version: must be 1.0.0, is "0.1.0"');
  refused(file({}, { hook: { path: 'hook' } }), 'hook.path: must be an absolute path, is "hook"');
  refused(file(undefined), 'when: must be an object, is missing');
  refused(file({}, { stages: undefined }), 'stages: must be a list, is missing');
  refused(file({}, { stages: ['create'] }), 'stages[0]: must be one of prestart, createRuntime, createContainer, startContainer, poststart, poststop, is "create"'); // prettier-ignore
  for (const command of ['(', '[[:alpha:]]', '\\Ax', '(?P<a>x)'])
    refused(
      file({ commands: [command] }),
      `when.commands[0]: must be a regular expression that is known here, is ${JSON.stringify(command)}`,
    );
});

test('all conditions of a hook that are given must hold, and one must be given', () => {
  const holding = [{ always: true }, { commands: ['^x$', '/init$'] }, { hasBindMounts: true }, { annotations: { 'dept$': '^fluid', '^oth': '' } }]; // prettier-ignore
  const failing = [{ always: false }, { commands: ['^init'] }, { hasBindMounts: false }, { annotations: { dept$: '^fluid', '^none': '' } }];

  for (const when of holding) {
    assert.equal(holds(when), true, JSON.stringify(when));
    for (const other of failing) assert.equal(holds({ ...when, ...other }), false, JSON.stringify({ ...when, ...other }));
  }
  assert.equal(holds({}), false);
  assert.equal(holds({ annotations: {}, commands: [] }), false);
  assert.equal(holds({ hasBindMounts: true }, { hasBindMounts: false }), false);
  assert.equal(holds({ always: true, hasBindMounts: true, annotations: { other: 'x' }, commands: ['init'] }), true);
});

test('expressions are those of Go: flags in front, escaped punctuation; a long annotation costs no standstill', () => {
  assert.equal(holds({ commands: ['(?i)^/SBIN/'] }), true);
  assert.equal(holds({ annotations: { 'com\\.example\\/dept': 'fluid\\-dynamics' } }), true);
  assert.equal(holds({ annotations: { 'com\\.example': '[a\\-z]\\\\' } }), false);
  const before = performance.now();
  assert.equal(holds({ annotations: { a: '.*b.*' } }, { annotations: { a: 'a'.repeat(256 * 1024) } }), false);
  assert.ok(performance.now() - before < 2000);
});
