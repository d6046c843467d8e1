import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hierarchiesOf } from '../../../../src/linux/cgroups/hierarchies.ts';
import { parseMountInfo } from '../../../../src/linux/mountinfo.ts';

const found = (text: string): ReturnType<typeof hierarchiesOf> => hierarchiesOf(parseMountInfo(text));

test('hierarchiesOf takes a node with only cgroup2 as v2', () => {
  const { version, primary } = found('30 23 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n');
  assert.equal(version, 'v2');
  assert.deepEqual(primary, { directory: '/sys/fs/cgroup', unified: true, controllers: [] });
});

test('hierarchiesOf takes a hybrid node as v1, with the unified tree last and the freezer to ask', () => {
  const { version, primary, hierarchies } = found(`
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
77 31 0:34 / /elsewhere rw - cgroup cgroup rw,freezer
`);
  assert.equal(version, 'v1');
  assert.equal(primary.directory, '/sys/fs/cgroup/freezer');
  assert.deepEqual(
    hierarchies.map(({ directory, controllers, unified }) => ({ directory, controllers, unified })),
    [
      { directory: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'], unified: false },
      { directory: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'], unified: false },
      { directory: '/sys/fs/cgroup/freezer', controllers: ['freezer'], unified: false },
      { directory: '/sys/fs/cgroup/unified', controllers: [], unified: true },
    ],
  );
});

test('hierarchiesOf takes cgroup2 beside a lone name=systemd tree as v2', () => {
  assert.equal(
    found('1 2 0:1 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n3 2 0:2 / /sys/fs/cgroup rw - cgroup2 none rw\n').version,
    'v2',
  );
});

test('hierarchiesOf refuses a node without cgroups', () => {
  assert.throws(() => found('27 1 254:0 / / rw - ext4 /dev/vda rw\n'), { kind: 'FailedPrecondition' });
});
