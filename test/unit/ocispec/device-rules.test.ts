import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerDevices, planDevice } from '../../../src/ocispec/device-rules.ts';
import { splitDeviceNumber } from '../../../src/linux/device-number.ts';

const NULL_DEVICE = {
  hostPath: '/dev/null',
  path: '/dev/x',
  type: 'c',
  major: 1,
  minor: 3,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
  access: 'rw',
} as const;
const DISK = {
  hostPath: '/dev/vda',
  path: '/dev/vda',
  type: 'b',
  major: 254,
  minor: 0,
  fileMode: 0o660,
  uid: 0,
  gid: 6,
  access: 'rwm',
} as const;
const PIPE = { hostPath: '/dev/p', path: '/dev/p', type: 'p', major: 0, minor: 0, fileMode: 0o600, uid: 0, gid: 0, access: 'r' } as const;

test('containerDevices() makes and allows the devices of the request alone', () => {
  const { access: _access, hostPath: _hostPath, ...node } = NULL_DEVICE;
  const { access: _pipeAccess, hostPath: _pipePath, ...pipe } = PIPE;

  assert.deepStrictEqual(containerDevices({ devices: [NULL_DEVICE, PIPE], hostDevices: [], allowAll: false, replacesDev: false }), {
    devices: [node, pipe],
    rules: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
    ],
  });
});

test('containerDevices() gives a privileged container all devices, the request over the host', () => {
  const own = { ...NULL_DEVICE, path: '/dev/vda' };
  const { devices, rules } = containerDevices({ devices: [own], hostDevices: [DISK], allowAll: true, replacesDev: false });

  assert.deepStrictEqual([devices.map(({ path, major }) => [path, major]), rules], [[['/dev/vda', 1]], [{ allow: true, access: 'rwm' }]]);
});

test('planDevice() checks the request', () => {
  const plan = (hostPath: string, containerPath = '', permissions = '') => planDevice({ hostPath, containerPath, permissions });

  assert.deepStrictEqual(
    [plan('/dev/x', '', 'mrr'), plan('/dev/x', '/dev//y/')],
    [
      { hostPath: '/dev/x', path: '/dev/x', access: 'rm' },
      { hostPath: '/dev/x', path: '/dev/y', access: 'rwm' },
    ],
  );
  assert.throws(() => plan('/dev/x', '', 'rx'), { kind: 'InvalidArgument', message: /permissions are "rx"/ });
  assert.throws(() => plan('/dev/x', '/'), { kind: 'InvalidArgument', message: /container_path must be a path below the root/ });
  for (const hostPath of ['/etc/passwd', '/dev/../etc/passwd', '/dev', ''])
    assert.throws(() => plan(hostPath, '/dev/x'), { kind: 'InvalidArgument', message: /host_path must be below \/dev/ }, hostPath);
});

test('splitDeviceNumber() is makedev(3) backwards', () => {
  assert.deepStrictEqual([0x0103, 0xfe00, 0x1030_0105, 2 ** 44 + 0x0508].map(splitDeviceNumber), [
    { major: 1, minor: 3 },
    { major: 254, minor: 0 },
    { major: 1, minor: 0x1_0305 },
    { major: 4096 + 5, minor: 8 },
  ]);
});
