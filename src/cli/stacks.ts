import type { StacksReport } from '../admin/debug-reports.ts';
import type { ThreadReport } from '../base/thread-report.ts';
import { table } from './io.ts';

/** Where the daemon is, as a person reads it. */
export function stacksText({ pid, at, answered, resources, operations, threads, children }: StacksReport): string {
  const kinds = Object.entries(resources).map(([name, count]) => `${count} ${name}`);
  const sections = [
    `podwright, process ${pid}, at ${at}${answered ? '' : ': it does not answer, so this is what the kernel tells'}\n`,
    ...(operations.length === 0 ? [] : [`under way:\n${table(operations.flatMap(rowsOfOperation))}`]),
    ...(kinds.length === 0 ? [] : [`the event loop waits for: ${kinds.join(', ')}\n`]),
    `threads:\n${table(threads.flatMap(rowsOfStack))}`,
    ...(children.length === 0 ? [] : [`children:\n${table(children.flatMap(rowsOfStack))}`]),
  ];
  return sections.join('\n');
}

function rowsOfOperation({ what, about, since, requestId, steps }: StacksReport['operations'][number]): string[][] {
  return [
    [' ', what, about, `since ${since}`, requestId === undefined ? '' : `request ${requestId}`],
    ...steps.map(({ name, detail, since: from }) => [' ', `  ${name}`, detail, `since ${from}`]),
  ];
}

function rowsOfStack({ id, name, state, waitsIn, stack, waitsFor }: ThreadReport): string[][] {
  return [[' ', String(id), name, state, waitsFor ?? (stack.length === 0 ? waitsIn : stack.slice(0, 6).join(' < '))]];
}
