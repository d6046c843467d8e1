import { readdir, readFile } from 'node:fs/promises';
import { arch, loadavg, release, totalmem, uptime, version } from 'node:os';
import { unlessMissing } from '../base/errors.ts';
import { PLAIN_ENVIRONMENT, run } from '../linux/spawn.ts';
import { readSysctls } from '../nodecheck/sysctls.ts';
import type { Part } from './part.ts';

const READ_MS = 5_000;
const MOST_PROCESSES = 2_000;
/** What of the kernel's log is about us, beside its last lines. */
const TELLING = /oom|out of memory|killed process|hung task|blocked for more than|i\/o error|remounting|segfault|apparmor="denied"|avc:/i;
const LAST_LINES = 200;
const MOST_LINES = 2_000;

function file(name: string, what: string, ...paths: readonly string[]): Part {
  return {
    file: name,
    what,
    limitMs: READ_MS,
    read: async () => {
      const texts = await Promise.all(
        paths.map(async (path) => `# ${path}\n${await unlessMissing(readFile(path, 'utf8'), '(not there)\n')}`),
      );
      return texts.join('\n');
    },
  };
}

export const kernelParts: readonly Part[] = [
  {
    file: 'node.json',
    what: 'kernel, processors, memory, versions',
    limitMs: READ_MS,
    read: async ({ version: ours }) => {
      const facts = {
        podwright: ours,
        node: process.version,
        kernel: `${release()} ${version()} ${arch()}`,
        uptimeS: Math.round(uptime()),
        load: loadavg(),
        memoryBytes: totalmem(),
        sysctls: await readSysctls(),
        osRelease: (await unlessMissing(readFile('/etc/os-release', 'utf8'), '')).split('\n').filter((line) => /^(NAME|VERSION|ID)=/.test(line)),
      };
      return `${JSON.stringify(facts, undefined, 2)}\n`;
    },
  },
  file('kernel/mounts.txt', 'what is mounted', '/proc/self/mountinfo'),
  file('kernel/memory.txt', 'memory, and the pressure on it', '/proc/meminfo', '/proc/pressure/memory', '/proc/pressure/cpu', '/proc/pressure/io'),
  file('kernel/cgroups.txt', 'controllers', '/proc/cgroups', '/proc/self/cgroup', '/sys/fs/cgroup/cgroup.controllers', '/sys/fs/cgroup/cgroup.subtree_control'),
  file('kernel/files.txt', 'open files, inotify', '/proc/sys/fs/file-nr', '/proc/sys/fs/inotify/max_user_instances', '/proc/swaps'),
]; // prettier-ignore

/** The last lines of the kernel's log, and what of it tells of kills, hangs and refusals. */
export const dmesgPart: Part = {
  file: 'kernel/dmesg.txt',
  what: "the end of the kernel's log, and its kills, hangs and disk faults",
  limitMs: READ_MS,
  keepsEnd: true,
  read: async () => {
    const { exit, stdout, stderr } = await run('dmesg', { args: [], env: PLAIN_ENVIRONMENT, timeoutMs: READ_MS, outputLimitBytes: 16 * 1024 * 1024, mayBeCut: true }); // prettier-ignore
    if (exit.code !== 0) throw new Error(`dmesg: ${stderr.toString().trim()}`);
    const lines = stdout.toString().split('\n');
    const told = lines.filter((line, index) => index >= lines.length - LAST_LINES || TELLING.test(line));
    return told.slice(-MOST_LINES).join('\n');
  },
};

/** Names and states only: a command line may hold a secret, and to read one may hang. */
export const processesPart: Part = {
  file: 'kernel/processes.txt',
  what: 'processes: pid, parent, state, what it sleeps in, name',
  limitMs: READ_MS,
  read: async () => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).slice(0, MOST_PROCESSES);
    const lines = await Promise.all(
      pids.map(async (pid) => {
        const text = async (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
        const [line, waitsIn] = await Promise.all([text('stat'), text('wchan')]);
        const [, name = '', state = '', parent = ''] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(line) ?? [];
        return name === '' ? '' : `${pid}\t${parent}\t${state}\t${waitsIn}\t${name}`;
      }),
    );
    return `${lines.filter((line) => line !== '').join('\n')}\n`;
  },
};
