import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerOrders, shmSizeOrder, type ContainerOrders } from '../../../src/ocispec/annotation-orders.ts';
import type { SpecSettings } from '../../../src/ocispec/input.ts';
import { HOST, SETTINGS } from '../../support/spec-inputs.ts';

interface Case {
  readonly allowed?: readonly string[];
  readonly cgroupVersion?: 'v1' | 'v2';
  readonly warn?: (words: string) => void;
}

const settingsOf = (allowedAnnotations: readonly string[]): SpecSettings => ({
  ...SETTINGS,
  allowedDevices: ['/dev/fuse', '/dev/net/tun'],
  handler: { ...SETTINGS.handler, allowedAnnotations },
});
const noWarning = (words: string): void => {
  assert.fail(words);
};

function ordersOf(
  annotations: Readonly<Record<string, string>>,
  { allowed = ['*'], cgroupVersion = 'v2', warn = noWarning }: Case = {},
): ContainerOrders {
  return containerOrders({
    annotations,
    settings: settingsOf(allowed),
    host: { ...HOST, cgroupVersion },
    name: 'web',
    doing: 'create container',
    warn,
  });
}

const shmOf = (value: string): number | undefined =>
  shmSizeOrder({ annotations: { 'shm-size.crio.io': value }, settings: settingsOf(['*']), doing: 'run pod sandbox', warn: noWarning });

test('containerOrders() reads devices, a umask, limits and a writable cgroup, by their old names and their new ones', () => {
  const orders = {
    devices: [
      { hostPath: '/dev/fuse', path: '/dev/fuse', access: 'rwm' },
      { hostPath: '/dev/net/tun', path: '/dev/tun', access: 'rw' },
    ],
    ulimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: -1 }],
    umask: 0o27,
    cgroupWritable: true,
    trySkipRelabel: true,
  };
  const devices = '/dev/fuse, /dev/net/tun:/dev/tun:wr';
  const old = {
    'io.kubernetes.cri-o.Devices': devices,
    'io.kubernetes.cri-o.umask': '027',
    'io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw': 'true',
    'ulimits.podwright.io': 'nofile=10:-1',
    'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel': 'true',
  };
  const recent = {
    'devices.crio.io': devices,
    'umask.crio.io': '0027',
    'cgroup2-mount-hierarchy-rw.crio.io': 'true',
    'ulimits.podwright.io/web': 'nofile=10:-1',
    'ulimits.podwright.io/other': 'nofile=1:1',
    'ulimits.podwright.io': 'core=1:1',
    'try-skip-volume-selinux-label.crio.io': 'true',
  };
  assert.deepStrictEqual(ordersOf(old), orders);
  assert.deepStrictEqual(ordersOf(recent), orders);
});

test('containerOrders() obeys nothing that the handler does not allow, and says so', () => {
  const told: string[] = [];
  const none = { devices: [], ulimits: [], umask: undefined, cgroupWritable: false, trySkipRelabel: false };
  const annotations = { 'umask.crio.io': 'junk', 'devices.crio.io': '/dev/mem' };
  assert.deepStrictEqual(ordersOf(annotations, { allowed: ['io.kubernetes.cri-o.*'], warn: (words) => told.push(words) }), none);
  assert.equal(told.length, 2);
  assert.match(told.join(), /annotation umask\.crio\.io of the pod is not obeyed: allowed_annotations/);
  assert.deepStrictEqual(ordersOf({ other: 'x' }), none);
});

test('containerOrders() refuses what cannot be obeyed, by the name of the annotation', () => {
  for (const [name, value, says] of [
    [
      'devices.crio.io',
      '/dev/mem',
      /annotation devices\.crio\.io of the pod has "\/dev\/mem", must be one of allowed_devices: \/dev\/fuse/,
    ],
    ['devices.crio.io', '/dev/fuse/../mem', /must be HOST_PATH/],
    ['devices.crio.io', '/etc/passwd', /must be HOST_PATH/],
    ['umask.crio.io', '9', /must be one to four octal digits/],
    ['umask.crio.io', '', /must be one to four octal digits/],
    ['ulimits.podwright.io', 'nofile=9:1', /must be a limit such as/],
    ['ulimits.podwright.io', 'files=1:1', /must be a limit such as/],
  ] as const) {
    assert.throws(() => ordersOf({ [name]: value }), { kind: 'InvalidArgument', message: says }, `${name} ${value}`);
  }
  assert.throws(() => ordersOf({ 'cgroup2-mount-hierarchy-rw.crio.io': 'true' }, { cgroupVersion: 'v1' }), { kind: 'FailedPrecondition' });
});

test('shmSizeOrder() reads a size as Kubernetes writes it', () => {
  assert.deepStrictEqual(['256Mi', '1G', '1.5Gi', '4096', '64k'].map(shmOf), [268_435_456, 1_000_000_000, 1_610_612_736, 4096, 64_000]);
  for (const wrong of ['', '0', '4095', '-1', '1e9', '10Zi', '1 Gi', '9'.repeat(15) + 'Ti']) {
    assert.throws(() => shmOf(wrong), { kind: 'InvalidArgument', message: /annotation shm-size\.crio\.io/ }, wrong);
  }
});
