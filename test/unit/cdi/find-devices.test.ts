import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDevices } from '../../../src/cdi/find-devices.ts';
import { readSpec } from '../../../src/cdi/read-spec.ts';
import type { SpecFile, Specs } from '../../../src/cdi/spec-directories.ts';

function file(path: string, names: readonly string[], kind = 'vendor.com/gpu'): SpecFile {
  const priority = path.startsWith('/etc') ? 0 : 1;
  const devices = names.map((name) => ({ name, containerEdits: { env: [`FROM=${path}`] } }));
  return { path, priority, spec: readSpec({ cdiVersion: '1.1.0', kind, devices }) };
}

const specs = (files: readonly SpecFile[], broken: Specs['broken'] = []): Specs => ({
  directories: ['/etc/cdi', '/run/cdi'],
  files,
  broken,
});

test('findDevices() gives the edits of a file once, before those of its devices', () => {
  const found = findDevices(specs([file('/etc/a', ['x', 'y']), file('/etc/b', ['x'], 'vendor.com/nic')]), ['vendor.com/gpu=y', 'vendor.com/nic=x', 'vendor.com/gpu=x']); // prettier-ignore

  assert.deepEqual(
    found.map(({ of }) => of),
    [
      'CDI spec /etc/a',
      'CDI device vendor.com/gpu=y of /etc/a',
      'CDI spec /etc/b',
      'CDI device vendor.com/nic=x of /etc/b',
      'CDI device vendor.com/gpu=x of /etc/a',
    ],
  );
});

test('findDevices() takes a device from the later directory', () => {
  const found = findDevices(specs([file('/run/a', ['x']), file('/etc/a', ['x'])]), ['vendor.com/gpu=x']);
  assert.deepEqual(found.map(({ of }) => of), ['CDI spec /run/a', 'CDI device vendor.com/gpu=x of /run/a']); // prettier-ignore
});

test('findDevices() refuses a device that two files of a directory have, with both named', () => {
  const files = [file('/etc/a', ['x']), file('/etc/b', ['x', 'y']), file('/run/c', ['x'])];
  assert.throws(() => findDevices(specs(files), ['vendor.com/gpu=x']), {
    kind: 'FailedPrecondition',
    message: 'create container: CDI device vendor.com/gpu=x is in the spec files /etc/a, /etc/b, must be in one of a directory',
  });
  assert.equal(findDevices(specs(files), ['vendor.com/gpu=y']).length, 2);
});

test('findDevices() names every device that no file has, and the broken files that may have had it', () => {
  const broken = [
    { path: '/etc/cdi/no-kind.yaml', error: 'it is empty' },
    { path: '/etc/cdi/other.yaml', error: 'wrong', kind: 'other.com/gpu' },
    { path: '/etc/cdi/same.yaml', error: 'bad', kind: 'vendor.com/nic' },
  ];
  assert.throws(() => findDevices(specs([file('/etc/a', ['x'])], broken), ['vendor.com/gpu=x', 'vendor.com/gpu=7', 'vendor.com/gpu=8']), {
    kind: 'NotFound',
    message:
      'create container: unresolvable CDI devices vendor.com/gpu=7, vendor.com/gpu=8: no spec file in /etc/cdi, /run/cdi has them' +
      '; /etc/cdi/no-kind.yaml is not used: it is empty; /etc/cdi/same.yaml is not used: bad',
  });
});
