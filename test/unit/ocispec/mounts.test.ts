import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Init, Mount } from '../../../api/cri/runtime.ts';
import { defaultMounts } from '../../../src/ocispec/default-mounts.ts';
import { requestMounts, rootfsPropagation, withoutReplaced } from '../../../src/ocispec/mounts.ts';
import type { OciMount } from '../../../src/ocispec/oci-types.ts';
import { HOST, HOST_MOUNTS, plannedMount, resolvedMount, RUNTIME as ORDINARY } from '../../support/spec-inputs.ts';

const RUNTIME = { ...ORDINARY, idmapMounts: true };

function build(init: Init<Mount>, source = '/var/data', runtime = RUNTIME): OciMount[] {
  return requestMounts([{ ...plannedMount(init, runtime), source }], HOST_MOUNTS);
}

const options = (init: Init<Mount>, source?: string): readonly string[] => build(init, source)[0]!.options ?? [];

test('requestMounts() writes access and propagation as mount options', () => {
  assert.deepStrictEqual(
    [
      options({}),
      options({ readonly: true }),
      options({ readonly: true, recursiveReadOnly: true }),
      options({ propagation: 1 }),
      options({ propagation: 1 }, '/var/slave/x'),
      options({ propagation: 2, readonly: true }),
      options({ image: { image: 'x' }, readonly: true }),
    ],
    [
      ['rbind', 'rprivate', 'rw'],
      ['rbind', 'rprivate', 'ro'],
      ['rbind', 'rprivate', 'rro'],
      ['rbind', 'rslave', 'rw'],
      ['rbind', 'rslave', 'rw'],
      ['rbind', 'rshared', 'ro'],
      ['rbind', 'rprivate', 'ro'],
    ],
  );
  for (const propagation of [99, -1])
    assert.throws(() => options({ propagation }), { kind: 'InvalidArgument', message: /propagation is (99|-1)/ });
});

test('requestMounts() merges mount_options, the last of two opposites counting', () => {
  assert.deepStrictEqual(options({ mountOptions: ['noexec', 'nodev', 'nosuid', 'exec', 'nodev'] }), [
    'rbind',
    'rprivate',
    'rw',
    'nodev',
    'nosuid',
    'exec',
  ]);
  for (const option of ['rw', 'bind', 'size=1', '', 'rshared']) {
    assert.throws(() => build({ mountOptions: [option] }), { kind: 'InvalidArgument' }, option);
  }
});

test('requestMounts() refuses a propagation that the source cannot have', () => {
  assert.throws(() => build({ propagation: 2 }, '/var/slave/x'), {
    kind: 'FailedPrecondition',
    message: /"\/var\/slave\/x" is on the mount "\/var\/slave", which is slave, must be shared/,
  });
  assert.throws(() => build({ propagation: 1 }, '/var/private'), {
    kind: 'FailedPrecondition',
    message: /which is private, must be shared or slave/,
  });
});

test('planMount() refuses read-only mounts that contradict themselves', () => {
  assert.throws(() => build({ recursiveReadOnly: true }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ recursiveReadOnly: true, readonly: true, propagation: 1 }), { kind: 'InvalidArgument' });
  assert.throws(() => build({ image: { image: 'x' } }), {
    kind: 'InvalidArgument',
    message: /^ImageVolumeMountFailed: .*must be readonly/,
  });
  assert.throws(() => build({ recursiveReadOnly: true, readonly: true }, '/var', { ...RUNTIME, recursiveReadOnlyMounts: false }), {
    kind: 'FailedPrecondition',
    message: /^RROUnsupported: /,
  });
});

test('requestMounts() normalises places, refuses the root, and puts parents first', () => {
  const paths = ['/a/b/c', 'relative/', '/a//b/', '/a', '/z/../a/b/d'];
  const mounts = paths.map((containerPath) => resolvedMount({ containerPath }, `/src${containerPath}`));
  const placed = requestMounts(mounts, []).map(({ destination }) => destination);

  assert.deepStrictEqual(placed, ['/relative', '/a', '/a/b', '/a/b/c', '/a/b/d']);
  for (const containerPath of ['', '/', '/..'])
    assert.throws(() => plannedMount({ containerPath }), { kind: 'InvalidArgument' }, containerPath);
});

test('planMount() wants an absolute host path, or a path within an image', () => {
  for (const hostPath of ['', 'a', './a'])
    assert.throws(() => plannedMount({ hostPath }), { kind: 'InvalidArgument', message: `create container: the mount at /data has host_path "${hostPath}", must be absolute` }); // prettier-ignore
  const ofImage = (imageSubPath: string): unknown => plannedMount({ hostPath: '', image: { image: 'x' }, readonly: true, imageSubPath });
  for (const bad of ['/data', '../data', 'data/../..'])
    assert.throws(() => ofImage(bad), { kind: 'InvalidArgument', message: /^ImageVolumeMountFailed: .*\/data has image_sub_path "/ }, bad);
  for (const good of ['', 'data/deep', './data', '..data']) ofImage(good);
});

test('requestMounts() maps ids where the runtime can', () => {
  const mappings = {
    uidMappings: [{ hostId: 1000, containerId: 0, length: 10 }],
    gidMappings: [{ hostId: 2000, containerId: 0, length: 10 }],
  };

  assert.deepStrictEqual(build(mappings), [
    {
      destination: '/data',
      type: 'bind',
      source: '/var/data',
      options: ['rbind', 'rprivate', 'rw'],
      uidMappings: [{ hostID: 1000, containerID: 0, size: 10 }],
      gidMappings: [{ hostID: 2000, containerID: 0, size: 10 }],
    },
  ]);
  assert.throws(() => build(mappings, '/var', { ...RUNTIME, idmapMounts: false }), { kind: 'FailedPrecondition' });
});

test('rootfsPropagation() is the widest that a mount asks for', () => {
  const of = (...asked: number[]) => rootfsPropagation(asked.map((propagation) => resolvedMount({ propagation }, '/')));

  assert.deepStrictEqual([of(), of(0), of(0, 1), of(1, 2, 0)], [undefined, undefined, 'rslave', 'rshared']);
});

const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };
const MAPPING = { uids: IDS, gids: IDS };

const DEFAULTS_INPUT = {
  namespaces: { net: '/n', ipc: '/i', uts: '/u', pid: 'new' },
  podFiles: { hosts: '/p/hosts', resolvConf: '/p/resolv.conf', shm: '/p/shm' },
  privileged: false,
  cgroupWritable: false,
  readonlyRootfs: false,
  cgroupNamespace: true,
  host: HOST,
};

test('withoutReplaced() drops what a mount of the request is at or above, but not the files of the pod', () => {
  const defaults = defaultMounts(DEFAULTS_INPUT);
  const left = (...containerPaths: string[]): string[] => {
    const requested = containerPaths.flatMap((containerPath) => build({ containerPath }));
    return withoutReplaced(defaults, requested).map(({ destination }) => destination);
  };

  assert.deepStrictEqual(left(), [
    '/proc',
    '/dev',
    '/dev/pts',
    '/dev/mqueue',
    '/sys',
    '/sys/fs/cgroup',
    '/dev/shm',
    '/etc/hosts',
    '/etc/resolv.conf',
  ]);
  assert.deepStrictEqual(left('/dev/shm', '/etc/hosts'), [
    '/proc',
    '/dev',
    '/dev/pts',
    '/dev/mqueue',
    '/sys',
    '/sys/fs/cgroup',
    '/etc/resolv.conf',
  ]);
  assert.deepStrictEqual(left('/sys', '/dev'), ['/proc', '/etc/hosts', '/etc/resolv.conf']);
  assert.deepStrictEqual(left('/etc', '/sys/fs/cgroup'), [
    '/proc',
    '/dev',
    '/dev/pts',
    '/dev/mqueue',
    '/sys',
    '/dev/shm',
    '/etc/hosts',
    '/etc/resolv.conf',
  ]);
});

test("defaultMounts() binds what a user namespace cannot mount of the node's namespaces", () => {
  const mounts = defaultMounts({
    ...DEFAULTS_INPUT,
    userMapping: MAPPING,
    namespaces: { net: 'host', ipc: 'host', uts: 'host', pid: 'new' },
  });

  assert.deepStrictEqual(
    mounts.filter(({ destination }) => ['/sys', '/dev/mqueue', '/dev/shm'].includes(destination)).map(({ type, source }) => [type, source]),
    [
      ['bind', '/dev/mqueue'],
      ['bind', '/sys'],
      ['bind', '/dev/shm'],
    ],
  );
});

test('requestMounts() refuses a source that is not absolute: a runtime would look for it in the bundle', () => {
  for (const source of ['', '.', 'rootfs', './x', '../x']) {
    assert.throws(() => build({}, source), { kind: 'Internal', message: /must be an absolute path/ }, source);
  }
});
