import { readdir, readFile } from 'node:fs/promises';
import type { ThreadReport } from '../base/thread-report.ts';
import { mayBeChildrenOf } from './children.ts';
import { describeWait } from './describe-wait.ts';
import { statOfProcess } from './proc-stat.ts';
import { parseStack } from './wait-words.ts';

/** Most threads or children that are told. */
const MOST = 200;
/** Most children of which is told what they wait for. */
const MOST_DESCRIBED = 32;

/** The threads of a process. Nothing that is read here waits for the process: not its memory, and so not its command line. */
export async function readThreads(pid: number): Promise<ThreadReport[]> {
  const ids = await readdir(`/proc/${pid}/task`).catch(() => []);
  return reportsOf(ids.map((id) => ({ id: Number(id), directory: `/proc/${pid}/task/${id}` })));
}

/** The children of a process. */
export async function readChildren(pid: number): Promise<ThreadReport[]> {
  const children: number[] = [];
  for (const id of await mayBeChildrenOf(pid)) {
    const stat = await statOfProcess(id).catch(() => undefined);
    if (stat?.parentPid === pid) children.push(id);
  }
  const reports = await reportsOf(children.map((id) => ({ id, directory: `/proc/${id}` })));
  const described: ThreadReport[] = [];
  for (const report of reports) {
    const wait = described.length < MOST_DESCRIBED ? await describeWait(report.id).catch(() => undefined) : undefined;
    described.push(wait === undefined ? report : { ...report, waitsFor: wait.words });
  }
  return described;
}

async function reportsOf(places: readonly { readonly id: number; readonly directory: string }[]): Promise<ThreadReport[]> {
  const reports = await Promise.all(places.slice(0, MOST).map(reportOf));
  return reports.filter((report) => report !== undefined);
}

async function reportOf({ id, directory }: { readonly id: number; readonly directory: string }): Promise<ThreadReport | undefined> {
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
