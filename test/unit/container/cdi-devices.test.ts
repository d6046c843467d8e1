import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedCdiDevices } from '../../../src/container/cdi-devices.ts';

const asked = (names: readonly string[], annotations: Record<string, string> = {}): string[] =>
  askedCdiDevices({ cdiDevices: names.map((name) => ({ name })), annotations });

test('askedCdiDevices() gives those of the field, then those of annotations by their keys, each once', () => {
  const annotations = { 'cdi.k8s.io/z': 'v/c=1,v/c=4', 'cdi.k8s.io/a': 'v/c=3', 'other.io/a': 'v/c=9' };
  assert.deepEqual(asked(['v/c=2', 'v/c=1', 'v/c=2'], annotations), ['v/c=2', 'v/c=1', 'v/c=3', 'v/c=4']);
  assert.deepEqual(asked([]), []);
});

test('askedCdiDevices() refuses what is no name of a device, by its field or annotation', () => {
  const message = (field: string, name: string): string =>
    `create container: ${field} has "${name}", must be VENDOR/CLASS=NAME, such as vendor.com/gpu=0`;
  assert.throws(() => asked(['v/c=1', 'gpu']), { kind: 'InvalidArgument', message: message('config.CDI_devices[1].name', 'gpu') });
  assert.throws(() => asked([], { 'cdi.k8s.io/a': 'v/c=1,' }), {
    kind: 'InvalidArgument',
    message: message('annotation cdi.k8s.io/a', ''),
  });
});
