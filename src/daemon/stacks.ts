import type { StacksReport } from '../admin/debug-reports.ts';
import { operationsUnderWay } from '../base/steps.ts';
import { readChildren, readThreads } from '../linux/thread-stacks.ts';

/** Where this daemon is now. */
export async function takeStacks(): Promise<StacksReport> {
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const operations = operationsUnderWay().map(({ what, subject, request, startedAtMs, steps }) => ({
    what,
    about: subject.name ?? subject.image ?? subject.containerId ?? subject.sandboxId ?? '',
    since: new Date(startedAtMs).toISOString(),
    ...(request === undefined ? {} : { requestId: request.requestId, rpc: request.rpc }),
    steps: steps
      .filter(({ durationMs }) => durationMs === undefined)
      .map(({ name, detail, startedMs }) => ({ name, detail, since: new Date(startedAtMs + startedMs).toISOString() })),
  }));
  const [threads, children] = await Promise.all([readThreads(process.pid), readChildren(process.pid)]);
  return { pid: process.pid, at: new Date().toISOString(), answered: true, resources, operations, threads, children };
}
