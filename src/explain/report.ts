import type { ExplainedNote, ExplainedOperation, ExplainedStep, ExplainedWait } from '../base/explanation.ts';
import { present } from '../base/field.ts';
import { STEPS } from '../base/step-names.ts';
import type { Operation, Step } from '../base/steps.ts';

/** Steps under way whose waits are told of one operation. */
const MOST_WAITS = 8;

/** Finds out what a step waits for; empty where that is not known. */
export type TellWait = (step: Step, operation: Operation) => Promise<string>;

/** An operation as it is told. */
export async function explainOperation(operation: Operation, isUnderWay: boolean, tellWait: TellWait): Promise<ExplainedOperation> {
  const { what, number, request, subject, startedAtMs, error, facts, steps, notes, left } = operation;
  const soFarMs = Math.max(0, Date.now() - startedAtMs);
  const waits = isUnderWay ? await waitsOf(operation, tellWait) : [];
  return {
    what,
    number,
    ...present({ requestId: request?.requestId, rpc: request?.rpc }),
    about: subject,
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs: operation.durationMs ?? soFarMs,
    isUnderWay,
    ...present({ error }),
    facts,
    steps: steps.map((step): ExplainedStep => ({
      name: step.name,
      words: wordsOf(step.name),
      detail: step.detail,
      parent: step.parent,
      startedMs: step.startedMs,
      durationMs: step.durationMs ?? Math.max(0, (operation.durationMs ?? soFarMs) - step.startedMs),
      isUnderWay: isUnderWay && step.durationMs === undefined,
      ...present({ error: step.error }),
    })),
    notes: notes.map((note): ExplainedNote => ({ ...note })),
    left,
    waits,
  };
}

/** The steps under way in which no other is, in the order of their beginnings. */
async function waitsOf(operation: Operation, tellWait: TellWait): Promise<ExplainedWait[]> {
  const { steps, startedAtMs } = operation;
  const open = steps.flatMap((step, index) => (step.durationMs === undefined ? [{ step, index }] : []));
  const deepest = open.filter(({ index }) => !open.some(({ step }) => step.parent === index)).slice(0, MOST_WAITS);
  if (deepest.length === 0) return [{ step: -1, since: new Date(startedAtMs).toISOString(), what: operation.what, words: '' }];
  return Promise.all(
    deepest.map(async ({ step, index }) => {
      const { name, detail, startedMs, pid } = step;
      return {
        step: index,
        since: new Date(startedAtMs + startedMs).toISOString(),
        what: detail === '' ? wordsOf(name) : `${wordsOf(name)} (${detail})`,
        words: await tellWait(step, operation),
        ...present({ pid }),
      };
    }),
  );
}

/** A line of another version may have steps that this one does not know. */
function wordsOf(name: string): string {
  return (STEPS as Readonly<Record<string, string>>)[name] ?? name;
}
