import { basename } from 'node:path';
import { readlink, stat, statfs } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { listHugePageSizes, readCgroupCounters } from '../linux/cgroup-counters.ts';
import { readCgroupUsage } from '../linux/cgroup-stats.ts';
import type { Cgroups } from '../linux/cgroups.ts';
import { countOpenFiles, openFilesLimit } from '../linux/process-counters.ts';
import type { Figures, FileSystemFigures, ProcessFigures } from './pod-metrics.ts';

/** Reads what the pod metrics are made of, now: nothing of it is kept between two scrapes but names of devices. */
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
    const [usage, counters, oomKills] = await Promise.all([
      readCgroupUsage(this.#cgroups, path),
      readCgroupCounters(this.#cgroups, path, this.#hugePageSizes),
      this.#cgroups.oomKills(path),
    ]);
    if (usage === undefined) return {};
    for (const { major, minor } of counters.devices) await this.#deviceName(`${major}:${minor}`);
    return { usage, counters, oomKills, deviceNames: this.#deviceNames, atNs: BigInt(Date.now()) * 1_000_000n };
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

  /** @param usedBytes of a container, in the file system of this directory. */
  async ofFileSystem(directory: string, usedBytes: number): Promise<FileSystemFigures> {
    const [{ bsize, blocks, files, ffree }, { dev }] = await Promise.all([statfs(directory, { bigint: true }), stat(directory)]);
    return {
      device: await this.#deviceName(deviceNumber(dev)),
      usedBytes: BigInt(usedBytes),
      limitBytes: blocks * bsize,
      inodesTotal: files,
      inodesFree: ffree,
    };
  }

  /** `/dev/vda1`; the number again where it is no block device (a tmpfs, an overlay). */
  async #deviceName(number: string): Promise<string> {
    const known = this.#deviceNames.get(number);
    if (known !== undefined) return known;
    const link = await unlessMissing(readlink(`/sys/dev/block/${number}`), undefined);
    const name = link === undefined ? number : `/dev/${basename(link)}`;
    this.#deviceNames.set(number, name);
    return name;
  }
}

/** The `major:minor` of a dev_t, makedev(3). */
function deviceNumber(dev: number): string {
  const value = BigInt(dev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
