import { readdir, readFile } from 'node:fs/promises';
import type { ThreadReport } from '../base/thread-report.ts';
import { mayBeChildrenOf } from './children.ts';
import { describeWait } from './describe-wait.ts';
import { statOfProcess } from './proc-stat.ts';
import { parseStack } from './wait-words.ts';

/** Most threads or children that are told. */
const MOST = 200;

/** The threads of a process. Nothing that is read here waits for the process: not its memory, and so not its command line. */
export async function readThreads(pid: number): Promise<ThreadReport[]> {
  const ids = await readdir(`/proc/${pid}/task`).catch(() => []);
  const reports = await Promise.all(ids.slice(0, MOST).map(async (id) => reportOf(Number(id), `/proc/${pid}/task/${id}`)));
  return reports.filter((report) => report !== undefined);
}

/** The children of a process. */
export async function readChildren(pid: number): Promise<ThreadReport[]> {
  const reports: ThreadReport[] = [];
  for (const id of await mayBeChildrenOf(pid)) {
    const stat = await statOfProcess(id).catch(() => undefined);
    if (stat?.parentPid !== pid) continue;
    const report = await reportOfChild(id);
    if (report !== undefined && reports.push(report) === MOST) break;
  }
  return reports;
}

/** Its stack is not read here: that of a child which is inside execve would hold up all other work with files. */
async function reportOfChild(id: number): Promise<ThreadReport | undefined> {
  const wait = await describeWait(id).catch(() => undefined);
  const own = wait?.processes[0];
  if (wait === undefined || own === undefined) return undefined; // it has ended
  return { id, name: own.name, state: own.state, waitsIn: own.wchan, stack: own.stack, waitsFor: wait.words };
}

async function reportOf(id: number, directory: string): Promise<ThreadReport | undefined> {
  const text = async (name: string): Promise<string> => readFile(`${directory}/${name}`, 'utf8').catch(() => '');
  const [name, status, waitsIn, stack] = await Promise.all([text('comm'), text('status'), text('wchan'), text('stack')]);
  if (name === '') return undefined; // it has ended
  return {
    id,
    name: name.trim(),
    state: /^State:\s+(\S)/m.exec(status)?.[1] ?? '?',
    waitsIn: waitsIn === '0' ? '' : waitsIn.trim(),
    stack: parseStack(stack),
  };
}
