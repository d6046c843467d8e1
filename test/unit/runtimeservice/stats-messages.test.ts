import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupUsage } from '../../../src/linux/cgroups/figures.ts';
import { containerStatsMessage, podStatsMessage } from '../../../src/runtimeservice/stats-messages.ts';
import type { ContainerUsage } from '../../../src/stats/pod-usage.ts';
import type { Sample } from '../../../src/stats/sampler.ts';
import { container, CONTAINER_ID, sandbox, SANDBOX_ID } from '../../support/objects.ts';

const LAYER = { mountpoint: '/var/lib/podwright/storage/rootfs', usedBytes: 4096, inodesUsed: 3 };
const line = { avg10: 1.5, avg60: 0.5, avg300: 0.1, totalUs: 7n };
const MEMORY = { usageBytes: 900n, workingSetBytes: 800n, rssBytes: 700n, pageFaults: 5n, majorPageFaults: 1n, limitBytes: 1000n };

function sample(usage: Partial<CgroupUsage> = {}): Sample {
  return {
    atNs: 99n,
    nanoCores: 500_000_000n,
    usage: {
      cpuNs: 123n,
      memory: MEMORY,
      swapBytes: 10n,
      swapLimitBytes: 30n,
      processes: 4n,
      pressure: { cpu: { some: line, full: line }, memory: undefined, io: undefined },
      ...usage,
    },
  };
}

const usage = (ofContainer: Sample | undefined): ContainerUsage => ({ container: container(), sample: ofContainer, writableLayer: LAYER });

test('the stats of a container: figures, each with its time', () => {
  const { attributes, cpu, memory, swap, writableLayer } = containerStatsMessage(usage(sample()));
  assert.deepStrictEqual([attributes?.id, attributes?.metadata?.name, attributes?.labels], [CONTAINER_ID, 'app', { app: 'web' }]);
  assert.deepStrictEqual([cpu?.timestamp, cpu?.usageCoreNanoSeconds, cpu?.usageNanoCores], [99n, { value: 123n }, { value: 500_000_000n }]);
  assert.deepStrictEqual(memory, {
    timestamp: 99n,
    workingSetBytes: { value: 800n },
    availableBytes: { value: 200n },
    usageBytes: { value: 900n },
    rssBytes: { value: 700n },
    pageFaults: { value: 5n },
    majorPageFaults: { value: 1n },
    psi: undefined,
  });
  assert.deepStrictEqual(swap, { timestamp: 99n, swapUsageBytes: { value: 10n }, swapAvailableBytes: { value: 20n } });
  assert.deepStrictEqual(writableLayer, {
    timestamp: 99n,
    fsId: { mountpoint: LAYER.mountpoint },
    usedBytes: { value: 4096n },
    inodesUsed: { value: 3n },
  });
});

test('pressure is told in nanoseconds, where the kernel counts microseconds', () => {
  const { cpu } = containerStatsMessage(usage(sample()));
  const expected = { total: 7_000n, avg10: 1.5, avg60: 0.5, avg300: 0.1 };
  assert.deepStrictEqual(cpu?.psi, { some: expected, full: expected });
});

test('what is left of a limit is never negative, and is not told without a limit', () => {
  const lowered = containerStatsMessage(usage(sample({ memory: { ...MEMORY, limitBytes: 500n }, swapLimitBytes: 5n })));
  assert.deepStrictEqual([lowered.memory?.availableBytes, lowered.swap?.swapAvailableBytes], [{ value: 0n }, { value: 0n }]);
  const unlimited = containerStatsMessage(usage(sample({ memory: { ...MEMORY, limitBytes: undefined }, swapLimitBytes: undefined })));
  assert.deepStrictEqual([unlimited.memory?.availableBytes, unlimited.swap?.swapAvailableBytes], [undefined, undefined]);
});

test('a container that has ended has its writable layer only, with a time', () => {
  const message = containerStatsMessage(usage(undefined));
  assert.deepStrictEqual(Object.keys(message).sort(), ['attributes', 'writableLayer']);
  assert.ok((message.writableLayer?.timestamp ?? 0n) > 0n);
});

test('a figure that the kernel does not keep is left out, not zero', () => {
  const { cpu, memory, io } = containerStatsMessage(usage({ ...sample({ cpuNs: undefined, memory: undefined }), nanoCores: undefined }));
  assert.deepStrictEqual([cpu?.usageCoreNanoSeconds, cpu?.usageNanoCores, memory, io], [undefined, undefined, undefined, undefined]);
});

test('the stats of a pod: its cgroup, its interfaces with eth0 as the default one, its containers', () => {
  const counters = (name: string) => ({
    name,
    rxBytes: 1n,
    rxPackets: 0n,
    rxErrors: 2n,
    rxDropped: 0n,
    txBytes: 3n,
    txPackets: 0n,
    txErrors: 4n,
    txDropped: 0n,
  });
  const { attributes, linux } = podStatsMessage({
    sandbox: sandbox(),
    sample: sample(),
    interfaces: [counters('net1'), counters('eth0')],
    containers: [usage(sample())],
  });
  assert.equal(attributes?.id, SANDBOX_ID);
  assert.deepStrictEqual([linux?.cpu?.usageCoreNanoSeconds, linux?.process?.processCount], [{ value: 123n }, { value: 4n }]);
  const network = linux?.network;
  assert.deepStrictEqual([network?.defaultInterface?.name, network?.interfaces?.map(({ name }) => name)], ['eth0', ['net1']]);
  assert.deepStrictEqual(network?.defaultInterface?.txErrors, { value: 4n });
  assert.ok((network.timestamp ?? 0n) > 0n);
  assert.deepStrictEqual(linux?.containers, [containerStatsMessage(usage(sample()))]);
});

test('a pod on the network of the node has no figures of its own', () => {
  assert.equal(podStatsMessage({ sandbox: sandbox(), sample: sample(), interfaces: undefined, containers: [] }).linux?.network, undefined);
});
