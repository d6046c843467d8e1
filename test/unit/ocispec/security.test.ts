import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLabels } from '../../../src/ocispec/annotations.ts';
import { pathRestrictions } from '../../../src/ocispec/security.ts';
import { refuseSelinuxOptions } from '../../../src/ocispec/unsupported.ts';
import { securityContext } from '../../support/spec-inputs.ts';

test('pathRestrictions() adds to a list, keeps none as none, and clears for privileged', () => {
  const of = (init: Parameters<typeof securityContext>[0]) => pathRestrictions(securityContext(init));
  const asked = of({ maskedPaths: ['/proc/own', '/proc/kcore'], readonlyPaths: ['/tmp'] });

  assert.deepStrictEqual(asked.maskedPaths.slice(0, 3), ['/proc/own', '/proc/kcore', '/proc/acpi']);
  assert.equal(new Set(asked.maskedPaths).size, asked.maskedPaths.length);
  assert.ok(asked.maskedPaths.includes('/proc/interrupts'));
  assert.deepStrictEqual(asked.readonlyPaths, ['/tmp']);
  assert.deepStrictEqual(of({}), { maskedPaths: [], readonlyPaths: [] });
  assert.deepStrictEqual(of({ privileged: true, maskedPaths: ['/x'], readonlyPaths: ['/y'] }), { maskedPaths: [], readonlyPaths: [] });
  assert.ok(pathRestrictions(undefined).readonlyPaths.includes('/proc/sys'));
  assert.throws(() => of({ maskedPaths: ['proc'] }), { kind: 'InvalidArgument' });
});

test('an SELinux label is refused where SELinux is on and nothing is labelled, and means nothing where it is off', () => {
  const level = { user: '', role: '', type: '', level: 's0:c1' };
  assert.throws(() => { refuseSelinuxOptions(level, { selinux: true }, 'create container'); }, { kind: 'FailedPrecondition', message: /":::s0:c1", but selinux is false/ }); // prettier-ignore
  refuseSelinuxOptions(level, { selinux: false }, 'create container');
  refuseSelinuxOptions({ ...level, level: '' }, { selinux: true }, 'create container');
  refuseSelinuxOptions(undefined, { selinux: true }, 'create container');
});

test('checkLabels() refuses a label over 4096 bytes', () => {
  assert.doesNotThrow(() => {
    checkLabels({ key: 'v'.repeat(4093) }, 'create container');
  });
  assert.throws(
    () => {
      checkLabels({ key: 'é'.repeat(2047) }, 'create container');
    },
    { kind: 'InvalidArgument', message: /^create container: labels: "key" has 4097 bytes/ },
  );
});
