import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultApparmorProfile, DEFAULT_APPARMOR_PROFILE } from '../../../src/ocispec/apparmor-default.ts';
import { apparmorProfile, type ApparmorFacts, type RuntimeDefaultProfile } from '../../../src/ocispec/apparmor.ts';
import { securityContext } from '../../support/spec-inputs.ts';

type Request = Parameters<typeof securityContext>[0];

const facts = (runtimeDefault: RuntimeDefaultProfile): ApparmorFacts => ({ loaded: new Set(['mine', 'ours']), runtimeDefault });
const READY = facts({ is: 'Ready', name: 'ours' });
const MISSING = facts({ is: 'Missing', why: 'no parser', isRequired: false });
const REQUIRED = facts({ is: 'Missing', why: '"theirs" is not loaded', isRequired: true });

const of = (init: Request, node: ApparmorFacts | undefined = READY): string | undefined => apparmorProfile(securityContext(init), node);
const NOTHING: Request = {};
const RUNTIME_DEFAULT: Request = { apparmor: { profileType: 0 } };
const UNCONFINED: Request = { apparmor: { profileType: 1 } };
const localhost = (localhostRef: string): Request => ({ apparmor: { profileType: 2, localhostRef } });

test('apparmorProfile() is that of RuntimeDefault, also for who asks for none, unconfined, or the named one', () => {
  assert.deepStrictEqual(
    [apparmorProfile(undefined, READY), of(NOTHING), of(RUNTIME_DEFAULT), of(UNCONFINED), of(localhost('mine')), of(localhost('localhost/mine'))],
    ['ours', 'ours', 'ours', 'unconfined', 'mine', 'mine'],
  ); // prettier-ignore
  assert.throws(() => of(localhost('')), { kind: 'InvalidArgument', message: /apparmor\.localhost_ref names no/ });
  assert.throws(() => of({ apparmor: { profileType: 9 } }), { kind: 'InvalidArgument', message: /profile_type is 9/ });
});

test('apparmorProfile() takes the deprecated string where there is no profile beside it', () => {
  const profiles = ['', 'runtime/default', 'unconfined', 'localhost/mine'].map((text) => of({ apparmorProfile: text }));
  assert.deepStrictEqual(profiles, ['ours', 'ours', 'unconfined', 'mine']);
  assert.equal(of({ ...localhost('mine'), apparmorProfile: 'localhost/absent' }), 'mine');
  assert.throws(() => of({ apparmorProfile: 'mine' }), { kind: 'InvalidArgument', message: /apparmor_profile is "mine"/ });
});

test('apparmorProfile() of a privileged container is unconfined, unless it names one', () => {
  const profiles = [NOTHING, RUNTIME_DEFAULT, UNCONFINED, localhost('mine')].map((init) => of({ ...init, privileged: true }));
  assert.deepStrictEqual(profiles, ['unconfined', 'unconfined', 'unconfined', 'mine']);
  assert.equal(of({ privileged: true }, REQUIRED), 'unconfined');
});

test('apparmorProfile() refuses a named profile that is not loaded, with its name', () => {
  for (const init of [localhost('absent'), { apparmorProfile: 'localhost/absent' }, { ...localhost('absent'), privileged: true }])
    assert.throws(() => of(init), { kind: 'FailedPrecondition', message: /"absent" is asked for, but it is not loaded on this node/ });
});

test('apparmorProfile() refuses RuntimeDefault where its profile is missing, and who asks for none only where the owner named it', () => {
  const refusal = { kind: 'FailedPrecondition', message: /RuntimeDefault is not there: no parser/ };
  assert.throws(() => of(RUNTIME_DEFAULT, MISSING), refusal);
  assert.throws(() => of({ apparmorProfile: 'runtime/default' }, MISSING), refusal);
  assert.deepStrictEqual(
    [of(NOTHING, MISSING), of(UNCONFINED, MISSING), of(localhost('mine'), MISSING)],
    [undefined, 'unconfined', 'mine'],
  );
  assert.throws(() => of(NOTHING, REQUIRED), { kind: 'FailedPrecondition', message: /"theirs" is not loaded/ });
});

test('apparmorProfile() names none where AppArmor is off, and refuses a named one', () => {
  const off = (init: Request): string | undefined => apparmorProfile(securityContext(init), undefined);
  assert.deepStrictEqual([off(NOTHING), off(RUNTIME_DEFAULT), off(UNCONFINED), off({ apparmorProfile: 'runtime/default' })], Array(4).fill(undefined)); // prettier-ignore
  for (const init of [localhost('mine'), { apparmorProfile: 'localhost/mine' }, { ...localhost('mine'), privileged: true }])
    assert.throws(() => off(init), { kind: 'FailedPrecondition', message: /AppArmor is off on this node/ });
});

test('the built-in profile names a feature set only where the node has it, and includes nothing', () => {
  assert.match(defaultApparmorProfile('abi/3.0'), /^abi <abi\/3\.0>,\n\nprofile podwright-default /);
  const text = defaultApparmorProfile(undefined);
  assert.ok(text.startsWith(`profile ${DEFAULT_APPARMOR_PROFILE} `));
  assert.doesNotMatch(text, /include|<|@/);
});
