import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atLeast, chooseVersion, compareVersions } from '../../../src/cni/version.ts';

test('compareVersions compares numbers, not text', () => {
  assert.ok(compareVersions('0.10.0', '0.4.0') > 0);
  assert.ok(compareVersions('0.3.1', '0.4.0') < 0);
  assert.equal(compareVersions('1.0', '1.0.0'), 0);
  assert.throws(() => compareVersions('one', '1.0.0'), /"one" is not a CNI version, must be like 1.0.0/);
});

test('atLeast is true from the wanted version on', () => {
  assert.deepEqual(
    ['0.3.1', '0.4.0', '1.1.0'].map((version) => atLeast(version, '0.4.0')),
    [false, true, true],
  );
});

test('chooseVersion takes the newest of cniVersion and cniVersions that is known', () => {
  assert.equal(chooseVersion('0.3.1'), '0.3.1');
  assert.equal(chooseVersion(undefined), '0.1.0');
  assert.equal(chooseVersion(''), '0.1.0');
  assert.equal(chooseVersion('0.4.0', ['1.0.0', '1.1.0', '9.0.0']), '1.1.0');
  assert.equal(chooseVersion(undefined, ['0.3.0', '0.3.1']), '0.3.1');
});

test('chooseVersion refuses a network that has only unknown versions', () => {
  assert.throws(() => chooseVersion('2.0.0'), /cniVersion is 2.0.0, must be 1.1.0 or older/);
});
