/** The processes of a lane: those in its mount namespace, whatever parent they have now. Pods have namespaces of their own. */
import { readFile, readdir, readlink } from 'node:fs/promises';

export interface LaneProcess {
  readonly pid: number;
  /** State, what the kernel has it wait for, and its command line, for people. */
  readonly text: string;
}

/** Those that are there; none once the lane itself has gone. */
export async function laneProcesses(lanePid: number): Promise<LaneProcess[]> {
  const namespace = await readlink(`/proc/${lanePid}/ns/mnt`).catch(() => undefined);
  if (namespace === undefined) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(async (pid) => ((await isIn(pid, namespace)) ? [{ pid, text: await describe(pid) }] : [])));
  return found.flat();
}

async function isIn(pid: number, namespace: string): Promise<boolean> {
  return (await readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined)) === namespace;
}

async function describe(pid: number): Promise<string> {
  const read = async (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const [stat, waits, command] = await Promise.all([read('stat'), read('wchan'), read('cmdline')]);
  const state = /\) (\S) (\d+)/.exec(stat);
  return `${pid} state=${state?.[1] ?? '?'} parent=${state?.[2] ?? '?'} waits=${waits} ${words(command)}`;
}

/** Node hands a test file every option that it has: the end of the line says which file it is. */
function words(command: string): string {
  const all = command.split('\0').join(' ').trim();
  return all.length <= 300 ? all : `${all.slice(0, 100)} ... ${all.slice(-200)}`;
}
