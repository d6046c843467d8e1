import type {
  ContainerStats,
  CpuUsage,
  Init,
  IoUsage,
  LinuxPodSandboxStats,
  MemoryUsage,
  NetworkUsage,
  PodSandboxStats,
  PsiStats,
  SwapUsage,
} from '../../api/cri/runtime.ts';
import type { ContainerUsage, PodUsage } from '../stats/pod-usage.ts';
import type { Sample } from '../stats/sampler.ts';

/** The interface that CNI makes the pod's default one. */
const DEFAULT_INTERFACE = 'eth0';

type Pressure = NonNullable<Sample['usage']['pressure']['cpu']>;

/** A figure, where it is known. */
function value(figure: bigint | undefined): { value: bigint } | undefined {
  return figure === undefined ? undefined : { value: figure };
}

/** What is left of a limit; undefined where there is none. A limit may have been lowered below what is in use. */
function leftOf(limit: bigint | undefined, used: bigint | undefined): bigint | undefined {
  if (limit === undefined || used === undefined) return undefined;
  return limit > used ? limit - used : 0n;
}

export function containerStatsMessage({ container, sample, writableLayer }: ContainerUsage): Init<ContainerStats> {
  const { record } = container;
  const { config } = record;
  return {
    attributes: { id: record.id, metadata: config.metadata, labels: config.labels, annotations: config.annotations },
    ...(sample === undefined
      ? {}
      : { cpu: cpuMessage(sample), memory: memoryMessage(sample), swap: swapMessage(sample), io: ioMessage(sample) }),
    writableLayer: {
      timestamp: sample?.atNs ?? BigInt(Date.now()) * 1_000_000n,
      fsId: { mountpoint: writableLayer.mountpoint },
      usedBytes: { value: BigInt(writableLayer.usedBytes) },
      inodesUsed: { value: BigInt(writableLayer.inodesUsed) },
    },
  };
}

export function podStatsMessage({ sandbox, sample, interfaces, containers }: PodUsage): Init<PodSandboxStats> {
  const { record } = sandbox;
  const { config } = record;
  const linux: Init<LinuxPodSandboxStats> = {
    ...(sample === undefined
      ? {}
      : {
          cpu: cpuMessage(sample),
          memory: memoryMessage(sample),
          io: ioMessage(sample),
          process: { timestamp: sample.atNs, processCount: value(sample.usage.processes) },
        }),
    network: interfaces === undefined ? undefined : networkMessage(interfaces),
    containers: containers.map(containerStatsMessage),
  };
  return { attributes: { id: record.id, metadata: config.metadata, labels: config.labels, annotations: config.annotations }, linux };
}

function cpuMessage({ atNs, usage, nanoCores }: Sample): Init<CpuUsage> {
  return {
    timestamp: atNs,
    usageCoreNanoSeconds: value(usage.cpuNs),
    usageNanoCores: value(nanoCores),
    psi: psiMessage(usage.pressure.cpu),
  };
}

function memoryMessage({ atNs, usage }: Sample): Init<MemoryUsage> | undefined {
  const { memory, pressure } = usage;
  if (memory === undefined) return undefined;
  const { limitBytes, workingSetBytes } = memory;
  return {
    timestamp: atNs,
    workingSetBytes: value(workingSetBytes),
    availableBytes: value(leftOf(limitBytes, workingSetBytes)),
    usageBytes: value(memory.usageBytes),
    rssBytes: value(memory.rssBytes),
    pageFaults: value(memory.pageFaults),
    majorPageFaults: value(memory.majorPageFaults),
    psi: psiMessage(pressure.memory),
  };
}

function swapMessage({ atNs, usage }: Sample): Init<SwapUsage> {
  const { swapBytes, swapLimitBytes } = usage;
  return { timestamp: atNs, swapUsageBytes: value(swapBytes ?? 0n), swapAvailableBytes: value(leftOf(swapLimitBytes, swapBytes)) };
}

function ioMessage({ atNs, usage }: Sample): Init<IoUsage> | undefined {
  const psi = psiMessage(usage.pressure.io);
  return psi === undefined ? undefined : { timestamp: atNs, psi };
}

function psiMessage(pressure: Pressure | undefined): Init<PsiStats> | undefined {
  if (pressure === undefined) return undefined;
  // The kernel counts microseconds, PsiData.total nanoseconds.
  const line = ({ totalUs, avg10, avg60, avg300 }: Pressure['some']): Init<PsiStats['some']> => ({
    total: totalUs * 1000n,
    avg10,
    avg60,
    avg300,
  });
  return { some: line(pressure.some), full: line(pressure.full) };
}

function networkMessage(interfaces: NonNullable<PodUsage['interfaces']>): Init<NetworkUsage> {
  const messages = interfaces.map((each) => ({
    name: each.name,
    rxBytes: { value: each.rxBytes },
    rxErrors: { value: each.rxErrors },
    txBytes: { value: each.txBytes },
    txErrors: { value: each.txErrors },
  }));
  const isDefault = ({ name }: { readonly name: string }): boolean => name === DEFAULT_INTERFACE;
  return {
    timestamp: BigInt(Date.now()) * 1_000_000n,
    defaultInterface: messages.find(isDefault),
    interfaces: messages.filter((each) => !isDefault(each)),
  };
}
