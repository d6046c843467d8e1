import { basename } from 'node:path';
import { readlink, stat, statfs } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { present } from '../base/field.ts';
import type { Cgroups, MemoryEvents } from '../linux/cgroups/cgroups.ts';
import type { CgroupUsage } from '../linux/cgroups/figures.ts';
import { listHugePageSizes } from '../linux/cgroups/huge-page-sizes.ts';
import { splitDeviceNumber } from '../linux/device-number.ts';
import { countOpenFiles, openFilesLimit } from '../linux/process-counters.ts';
import type { Figures, FileSystemFigures, ProcessFigures } from './pod-metrics.ts';

/** Signs that a cgroup lacks something; what the kernel does not tell is missing: it keeps no pressure for version 1. */
export interface Strain {
  readonly memoryEvents?: MemoryEvents;
  readonly pressure?: CgroupUsage['pressure'] | undefined;
}

/** Reads what the pod metrics are made of. Between two scrapes, only the names of devices are kept. */
export class FiguresReader {
  readonly #cgroups: Cgroups;
  readonly #deviceNames = new Map<string, string>();
  #hugePageSizes: readonly string[] | undefined;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** What a cgroup says of itself; nothing where it is gone. */
  async ofCgroup(path: string): Promise<Figures> {
    this.#hugePageSizes ??= await listHugePageSizes();
    const figures = await this.#cgroups.figures(path, this.#hugePageSizes);
    if (figures === undefined) return {};
    for (const device of figures.counters.devices) await this.#deviceName(device);
    return { ...figures, deviceNames: this.#deviceNames, atNs: BigInt(Date.now()) * 1_000_000n };
  }

  /** How often memory was short in a cgroup, and how long its processes have waited for each resource; nothing where it is gone. */
  async strainOf(path: string): Promise<Strain> {
    const [memoryEvents, usage] = await Promise.all([this.#cgroups.memoryEvents(path), this.#cgroups.usage(path)]);
    const { cpu, memory, io } = usage?.pressure ?? {};
    return {
      ...present({ memoryEvents }),
      ...(cpu === undefined && memory === undefined && io === undefined ? {} : { pressure: usage?.pressure }),
    };
  }

  /** @param first the container's first process, as the node numbers it. */
  async ofProcesses(path: string, first: number): Promise<ProcessFigures> {
    const pids = await this.#cgroups.processes(path);
    return {
      processes: pids.length,
      ...(await countOpenFiles(pids)),
      openFilesLimit: pids.includes(first) ? await openFilesLimit(first) : undefined,
    };
  }

  /** The file system that a directory is on. */
  async ofFileSystem(directory: string): Promise<FileSystemFigures> {
    const [{ bsize, blocks, files, ffree }, { dev }] = await Promise.all([statfs(directory, { bigint: true }), stat(directory)]);
    return {
      device: await this.#deviceName(splitDeviceNumber(dev)),
      limitBytes: blocks * bsize,
      inodesTotal: files,
      inodesFree: ffree,
    };
  }

  /** `/dev/vda1`; the number again where it is no block device (a tmpfs, an overlay). */
  async #deviceName({ major, minor }: { readonly major: number; readonly minor: number }): Promise<string> {
    const number = `${major}:${minor}`;
    const known = this.#deviceNames.get(number);
    if (known !== undefined) return known;
    const link = await unlessMissing(readlink(`/sys/dev/block/${number}`), undefined);
    const name = link === undefined ? number : `/dev/${basename(link)}`;
    this.#deviceNames.set(number, name);
    return name;
  }
}
