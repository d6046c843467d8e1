import type { Command } from 'commander';
import type { ExplainedObject, ExplainedOperation, Explanation } from '../base/explanation.ts';
import { escaped } from '../base/escaped.ts';
import { AdminClient } from './admin-client.ts';
import { CLIENT_FLAGS, addConfigOptions, adminSocketPath } from './config-options.ts';
import type { Options } from './config-options.ts';
import type { CliIo } from './io.ts';

/** `explain OBJECT` */
export function addExplain(podwright: Command, io: CliIo): void {
  const explain = addConfigOptions(podwright.command('explain'), CLIENT_FLAGS);
  explain.description('what happened to a pod, container or image, where the time went, and what is waited for');
  explain.argument('<OBJECT>', 'an id or its beginning, a name, namespace/pod, namespace/pod/container, or an image');
  explain.option('--json', 'print the whole report as JSON');
  explain.action(async (object: string, options: Options) => {
    const explanation = await new AdminClient(await adminSocketPath(options)).explain(object);
    io.stdout.write(options['json'] === true ? `${JSON.stringify(explanation, undefined, 2)}\n` : explanationText(explanation));
  });
}

function explanationText({ object, containers, pulls }: Explanation): string {
  const lines = [...objectLines(object), ...pulls.flatMap(operationLines), ...containers.flatMap(objectLines)];
  return `${lines.map(escaped).join('\n')}\n`;
}

function objectLines({ kind, name, id, state, reason, end, operations }: ExplainedObject): string[] {
  const ended = end === undefined ? '' : `, exit code ${end.exitCode} ${end.reason} ${end.message}`.trimEnd();
  return [
    `${kind} ${name} ${id.slice(0, 19)}: ${state}${reason === undefined ? '' : `, ${reason}`}${ended}`,
    ...operations.flatMap(operationLines),
  ];
}

function operationLines({ startedAt, what, durationMs, isUnderWay, error, steps, notes, waits }: ExplainedOperation): string[] {
  return [
    `  ${startedAt} ${what}: ${Math.round(durationMs)} ms${isUnderWay ? ' so far' : ''}${error === undefined ? '' : `, failed: ${error}`}`,
    ...steps.map(
      (step) =>
        `    +${Math.round(step.startedMs)} ms ${step.name} ${step.detail}: ${Math.round(step.durationMs)} ms${step.isUnderWay ? ' so far' : ''}`,
    ),
    ...notes.map(({ atMs, words }) => `    +${Math.round(atMs)} ms ${words}`),
    ...waits.map((wait) => `    waits since ${wait.since}: ${wait.what}${wait.words === '' ? '' : `: ${wait.words}`}`),
  ];
}
