import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountOf, parseMountInfo } from '../../../src/linux/mountinfo.ts';

const TEXT = `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
31 27 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime master:7 - cgroup cgroup rw,memory
50 27 0:40 /a\\040dir /mnt/with\\040blank\\134and\\012newline ro,nosuid shared:3 master:1 propagate_from:2 - overlay over\\040lay ro,lowerdir=/x\\072y
51 27 0:4 net:[4026532177] /run/pods/1/net rw unbindable - nsfs nsfs rw
`;

test('parseMountInfo reads every field, with and without tags', () => {
  const mounts = parseMountInfo(TEXT);
  assert.deepEqual(
    mounts.map(({ id, target, type, propagation, isSlave }) => ({ id, target, type, propagation, isSlave })),
    [
      { id: 27, target: '/', type: 'ext4', propagation: 'shared', isSlave: false },
      { id: 31, target: '/sys/fs/cgroup', type: 'tmpfs', propagation: 'private', isSlave: false },
      { id: 35, target: '/sys/fs/cgroup/memory', type: 'cgroup', propagation: 'slave', isSlave: true },
      { id: 50, target: '/mnt/with blank\\and\nnewline', type: 'overlay', propagation: 'shared', isSlave: true },
      { id: 51, target: '/run/pods/1/net', type: 'nsfs', propagation: 'unbindable', isSlave: false },
    ],
  );
  assert.deepEqual(mounts[3], {
    id: 50,
    device: '0:40',
    root: '/a dir',
    target: '/mnt/with blank\\and\nnewline',
    options: ['ro', 'nosuid'],
    propagation: 'shared',
    isSlave: true,
    type: 'overlay',
    source: 'over lay',
    superOptions: ['ro', 'lowerdir=/x:y'],
  });
});

test('parseMountInfo leaves out what it cannot read', () => {
  assert.deepEqual(parseMountInfo('\n12 13\n27 1 254:0 / / rw,relatime shared:1\n'), []);
});

test('parseMountInfo keeps a path that is not ASCII', () => {
  assert.equal(parseMountInfo('27 1 254:0 / /mnt/größe rw - ext4 /dev/vda rw\n')[0]?.target, '/mnt/größe');
});

test('mountOf picks the longest target, and of equal ones the last', () => {
  const mounts = parseMountInfo(`${TEXT}60 35 0:99 / /sys/fs/cgroup/memory rw - tmpfs top rw\n`);
  assert.equal(mountOf(mounts, '/sys/fs/cgroup/memory/pod')?.source, 'top');
  assert.equal(mountOf(mounts, '/sys/fs/cgroup/memoryless')?.id, 31);
  assert.equal(mountOf(mounts, '/')?.id, 27);
  assert.equal(mountOf(mounts, '/home')?.id, 27);
});
