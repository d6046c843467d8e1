import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCgroupMounts, parseKernelRelease, parseLimits, readHostFacts, RLIMIT_INFINITY } from '../../../src/ocispec/host-facts.ts';

test('parseLimits() reads /proc/PID/limits', () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max core file size        0                    unlimited            bytes     
Max open files            1024                 524288               files     
Max something new         1                    2                    things    
`;

  assert.deepStrictEqual(parseLimits(text), {
    RLIMIT_CPU: { soft: RLIMIT_INFINITY, hard: RLIMIT_INFINITY },
    RLIMIT_CORE: { soft: 0, hard: RLIMIT_INFINITY },
    RLIMIT_NOFILE: { soft: 1024, hard: 524288 },
  });
});

test('parseCgroupMounts() tells v2 from hybrid', () => {
  const v2 = 'cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate,memory_recursiveprot 0 0\n';
  const hybrid = `cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/hugetlb cgroup rw,hugetlb 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`;

  assert.deepStrictEqual(
    [parseCgroupMounts(v2), parseCgroupMounts(hybrid)],
    [
      { unified: { path: '/sys/fs/cgroup', options: ['rw', 'nsdelegate', 'memory_recursiveprot'] } },
      { memory: '/sys/fs/cgroup/memory', hugetlb: '/sys/fs/cgroup/hugetlb' },
    ],
  );
});

test('parseKernelRelease() reads the first two numbers', () => {
  assert.deepStrictEqual(
    [parseKernelRelease('6.18.5-cloud'), parseKernelRelease('5.4')],
    [
      { major: 6, minor: 18 },
      { major: 5, minor: 4 },
    ],
  );
});

test('readHostFacts() says what is so here', async () => {
  const facts = await readHostFacts();

  assert.equal(facts.architecture, process.arch);
  assert.ok(facts.kernel.major >= 4);
  assert.ok(facts.oomScoreAdjFloor >= -1000 && facts.oomScoreAdjFloor <= 1000);
  assert.equal(Object.hasOwn(facts.rlimitCeilings, 'RLIMIT_NOFILE'), true);
  assert.ok(facts.capabilities.every((name) => name.startsWith('CAP_')));
});
