import { readdir } from 'node:fs/promises';
import { unlessMissing } from '../../base/errors.ts';

/** The sizes of huge pages that this kernel has, in the names of the cgroup files. */
export async function listHugePageSizes(directory = '/sys/kernel/mm/hugepages'): Promise<string[]> {
  const names = await unlessMissing(readdir(directory), []);
  return names.flatMap((name) => {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    if (kib === 0) return [];
    if (kib < 1024) return [`${kib}KB`];
    return [kib < 1_048_576 ? `${kib / 1024}MB` : `${kib / 1_048_576}GB`];
  });
}
