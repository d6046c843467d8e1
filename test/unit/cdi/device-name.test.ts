import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDeviceName } from '../../../src/cdi/device-name.ts';

test('parseDeviceName() takes VENDOR/CLASS=NAME apart', () => {
  assert.deepEqual(parseDeviceName('vendor.com/gpu=0'), { kind: 'vendor.com/gpu', name: '0' });
  assert.deepEqual(parseDeviceName('v/c=GPU-1:0.0'), { kind: 'v/c', name: 'GPU-1:0.0' });
});

test('parseDeviceName() knows what is no name of a device', () => {
  const wrong = ['', 'gpu', 'vendor.com/gpu', 'vendor.com=0', '/gpu=0', 'vendor.com/=0', 'vendor.com/gpu=', '/dev/null', '9v/gpu=0'];
  const odd = [
    'vendor.com/gpu=-0',
    'vendor.com/gpu=0-',
    'vendor.com/gpu=0=1',
    'vendor.com/g/u=0',
    'vendor./gpu=0',
    'vendør/gpu=0',
    'v/c=0\n',
  ];

  for (const text of [...wrong, ...odd]) assert.equal(parseDeviceName(text), undefined, text);
});
