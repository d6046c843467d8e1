import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { DaemonError, messageOf } from '../base/errors.ts';
import type { ExplainedObject, Explanation } from '../base/explanation.ts';
import { clientCommand, connect } from './client-command.ts';
import type { Options } from './config-options.ts';
import { adviceOn } from './explain-advice.ts';
import { pageHtml } from './explain-page.ts';
import { HeldArgument } from './held-argument.ts';
import { timelineText, wrapped, type Columns } from './explain-timeline.ts';
import { jsonText, type CliIo } from './io.ts';

/** Where standard output is no terminal. */
const USUAL_COLUMNS = 100;
const LEAST_COLUMNS = 40;
const MOST_COLUMNS = 200;

/** `explain OBJECT` */
export function addExplain(podwright: Command, io: CliIo): void {
  const explain = clientCommand(podwright, 'explain');
  explain.description('what happened to a pod, container or image, where the time went, and what is waited for');
  const help = 'an id or its beginning, a name, namespace/pod, namespace/pod/container, or an image';
  explain.addArgument(new HeldArgument('<OBJECT>', help, ['pod', 'container', 'image']));
  explain.option('--json', 'print the whole report as JSON');
  explain.option('--html <FILE>', 'write it as a page with its timelines drawn');
  explain.action(async (object: string, options: Options) => {
    const explanation = await (await connect(options)).explain(object);
    const file = options['html'];
    if (typeof file === 'string') await writePage(file, explanation);
    if (options['json'] === true) io.stdout.write(jsonText(explanation));
    else if (typeof file !== 'string') io.stdout.write(explanationText(explanation, columnsOf(io)));
  });
}

/** An explanation as a person reads it: what each object is, what is wrong and what to look at, then what was done. */
function explanationText(explanation: Explanation, columns: Columns): string {
  const { object, containers, pulls } = explanation;
  const objects = [object, ...containers];
  const advice = adviceOn(explanation).flatMap(({ words, lookAt }) => [
    ...wrapped(`! ${words}`, columns.words),
    ...wrapped(`look at: ${lookAt}`, columns.words, '    '),
  ]);
  const sections = [
    objects.flatMap((each) => wrapped(titleOf(each), columns.words)),
    advice,
    ...pulls.map((operation) => [timelineText(operation, columns).trimEnd()]),
    ...objects.flatMap(({ kind, name, operations, left }, index) => [
      ...(index > 0 && operations.length > 0 ? [wrapped(`-- ${kind} ${name}`, columns.words)] : []),
      ...(left > 0 ? [[`   ${left} older pieces of work are not told`]] : []),
      ...operations.map((operation) => [timelineText(operation, columns).trimEnd()]),
    ]),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** `container shop/web-1/app 3f2a9c4d5e6f: Exited, exit code 1, Error` */
function titleOf({ kind, name, id, state, reason, end, createdAt }: ExplainedObject): string {
  const ended = end === undefined ? [] : [`exit code ${end.exitCode}`, end.reason, ...(end.message === '' ? [] : [end.message])];
  const words = [state, ...(reason === undefined ? [] : [reason]), ...ended, ...(createdAt === undefined ? [] : [`made ${createdAt}`])];
  return `${kind} ${name}${id === '' ? '' : ` ${shortId(id)}`}: ${words.filter((each) => each !== '').join(', ')}`;
}

function shortId(id: string): string {
  return id.replace(/^(sha256:)?([0-9a-f]{12})[0-9a-f]*$/, '$2');
}

async function writePage(file: string, explanation: Explanation): Promise<void> {
  const { object, containers, pulls } = explanation;
  const parts = [object, ...containers].map((each) => ({
    title: `${each.kind} ${each.name}`,
    facts: factsOf(each),
    operations: each.operations,
  }));
  const ofPulls = pulls.length === 0 ? [] : [{ title: 'pulls for it', facts: [], operations: pulls }];
  const page = pageHtml({ title: `${object.kind} ${object.name}`, advice: adviceOn(explanation), parts: [...ofPulls, ...parts] });
  try {
    await writeFile(file, page);
  } catch (error) {
    throw new DaemonError('InvalidArgument', `explain: the page cannot be written to ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function factsOf({ id, state, reason, createdAt, startedAt, image, pid, end }: ExplainedObject): [string, string][] {
  const facts: [string, string | undefined][] = [
    ['id', id],
    ['state', reason === undefined ? state : `${state}, ${reason}`],
    ['image', image],
    ['made', createdAt],
    ['started', startedAt],
    ['process', pid === undefined ? undefined : String(pid)],
    ['ended', end && `${end.finishedAt}, exit code ${end.exitCode}, ${end.reason}${end.message === '' ? '' : `: ${end.message}`}`],
  ];
  return facts.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]]));
}

/** Where words and pictures end. Where standard output is no terminal, words have lines of any length: they are searched there. */
function columnsOf({ stdout }: CliIo): Columns {
  const { columns } = stdout as { readonly columns?: number };
  if (columns === undefined) return { words: Infinity, pictures: USUAL_COLUMNS };
  const width = Math.min(Math.max(columns, LEAST_COLUMNS), MOST_COLUMNS);
  return { words: width, pictures: width };
}
