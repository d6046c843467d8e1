import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, PodHost } from './pods.ts';

/** Whether cgroups are of version 1 here. */
export const isV1 = existsSync('/sys/fs/cgroup/memory');

/** Where the files are of a cgroup that counts memory. */
export const directoryOf = (cgroup: string): string => join('/sys/fs/cgroup', isV1 ? 'memory' : '', cgroup);

/** The pid of a container's first process. */
export async function pidOf(daemon: PodHost, containerId: string): Promise<number> {
  const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid?: number };
  assert.ok(pid, `container ${containerId}: its verbose status has no pid`);
  return pid;
}

/** Limits the memory of all containers of a pod, as the kubelet does. */
export async function limitPod({ config }: Pod, bytes: number): Promise<void> {
  const parent = config.linux?.cgroupParent ?? assert.fail('the pod has no cgroup');
  await writeFile(join(directoryOf(parent), isV1 ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
}

/** The cgroup of a process that counts its memory, by the kernel. */
export async function cgroupOf(pid: number): Promise<string | undefined> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n');
  return lines.find((line) => (isV1 ? line.includes(':memory:') : line.startsWith('0::')))?.split(':')[2];
}

/** Whether there is such a cgroup that counts memory. */
export async function isThere(cgroup: string): Promise<boolean> {
  return (await access(directoryOf(cgroup)).catch(() => 'gone')) === undefined;
}

/** One file of cgroup v1 and of v2 with the same figure; the controller is the first word of the v1 name. */
export type CgroupFile = readonly [v1: string, v2: string];

/** What a file of a process's cgroup says, by the kernel's word for where that cgroup is. */
export async function cgroupFile(pid: number, [v1, v2]: CgroupFile): Promise<string> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trimEnd().split('\n');
  const cgroups = lines.map((line) => /^(\d+):([^:]*):(.*)$/.exec(line)).map((match) => match ?? assert.fail('not a cgroup line'));
  const controller = v1.split('.')[0] ?? '';
  const own = cgroups.find(([, , controllers = '']) => controllers.split(',').includes(controller));
  const unified = cgroups.find(([, number]) => number === '0')?.[3] ?? '';
  const path = own === undefined ? join(unified, v2) : join(controller, own[3] ?? '', v1);
  return (await readFile(join('/sys/fs/cgroup', path), 'utf8')).trim();
}
