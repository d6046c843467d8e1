import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../../src/container/container.ts';
import { PodUsageReader } from '../../../src/stats/pod-usage.ts';
import { container, MADE, sandbox } from '../../support/objects.ts';

const [RUNNING, ENDED] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string];

/** A pod on the node's network with a container that runs and one that has ended; `asked` has the cgroups that were sampled. */
function world() {
  const exited = { is: 'Exited', finishedAtNs: 1n, exitCode: 0, reason: 'Completed', message: '', ...MADE } as const;
  const of = (id: string): Container => container({ id: id as Container['record']['id'], ...(id === ENDED ? { state: exited } : {}) });
  const all = [of(RUNNING), of(ENDED)];
  const asked: string[] = [];
  const reader = new PodUsageReader({
    sandboxes: { cgroupOf: () => '/pod', networkNamespaceOf: () => undefined },
    containers: {
      cgroupOf: ({ record: { id } }) => `/pod/${id}`,
      ofSandbox: () => all,
      writableLayerUsage: async ({ id }) => ({ usedBytes: id === ENDED ? 2 : 1, inodesUsed: 3 }),
    },
    sampler: {
      sample: async (path) => {
        asked.push(path);
        return undefined;
      },
    },
    writableLayerMountpoint: '/layers',
  });
  return { reader, asked, ended: of(ENDED) };
}

test('of a container that has ended there is its writable layer; no cgroup is looked at', async () => {
  const { reader, asked, ended } = world();
  const { sample, writableLayer } = await reader.ofContainer(ended);
  assert.deepStrictEqual([sample, writableLayer], [undefined, { mountpoint: '/layers', usedBytes: 2, inodesUsed: 3 }]);
  assert.deepStrictEqual(asked, []);
});

test("a pod's usage has its own cgroup and its running containers; on the node's network it has no interfaces", async () => {
  const { reader, asked } = world();
  const { interfaces, containers } = await reader.ofPod(sandbox());
  assert.deepStrictEqual(asked.sort(), ['/pod', `/pod/${RUNNING}`]);
  assert.deepStrictEqual(containers.map(({ container: { record } }) => record.id), [RUNNING]); // prettier-ignore
  assert.equal(interfaces, undefined);
});
