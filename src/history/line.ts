import { isObject } from '../base/json.ts';
import type { OperationName, StepName } from '../base/step-names.ts';
import type { Note, Operation, RequestContext, Step, Subject } from '../base/steps.ts';

/** Most that one operation takes on disk, characters. */
const MOST_LINE = 64 * 1024;

/** An operation as it stands on disk: one line, its steps as rows. A reader passes over what it does not know. */
interface Line {
  readonly what: string;
  readonly number: number;
  readonly at: number;
  readonly ms?: number | undefined;
  readonly error?: string | undefined;
  readonly request?: RequestContext | undefined;
  readonly about: Subject;
  readonly facts?: Operation['facts'] | undefined;
  /** Name, detail, parent, start, duration, error. */
  readonly steps: readonly (readonly [string, string, number, number, (number | null)?, string?])[];
  /** Moment, parent, words. */
  readonly notes?: readonly (readonly [number, number, string])[] | undefined;
  readonly left?: number | undefined;
}

/** The line of an operation that has ended, with its line feed. */
export function lineOf(operation: Operation): string {
  const line = JSON.stringify(withSteps(operation, operation.steps, operation.notes));
  if (line.length <= MOST_LINE) return `${line}\n`;
  // A hundred plugins that fail at length: the steps that failed first say why.
  const steps = operation.steps.slice(0, 64).map((step) => ({ ...step, error: step.error?.slice(0, 300) }));
  return `${JSON.stringify(
    withSteps(
      operation,
      steps,
      operation.notes.slice(0, 32).map((note) => ({ ...note, words: note.words.slice(0, 300) })),
    ),
  )}\n`;
}

function withSteps(operation: Operation, steps: readonly Step[], notes: readonly Note[]): Line {
  const { what, number, startedAtMs, durationMs, error, request, subject, facts } = operation;
  const left = operation.left + operation.steps.length - steps.length + operation.notes.length - notes.length;
  return {
    what,
    number,
    at: startedAtMs,
    ms: durationMs,
    error,
    request,
    about: subject,
    facts: Object.keys(facts).length === 0 ? undefined : facts,
    steps: steps.map((step) => rowOf(step)),
    notes: notes.length === 0 ? undefined : notes.map(({ atMs, parent, words }) => [atMs, parent, words]),
    left: left === 0 ? undefined : left,
  };
}

function rowOf({ name, detail, parent, startedMs, error, ...step }: Step): Line['steps'][number] {
  const durationMs = step.durationMs ?? null;
  return error === undefined ? [name, detail, parent, startedMs, durationMs] : [name, detail, parent, startedMs, durationMs, error];
}

/** What a line says; undefined for one that was not written to its end, or is none of ours. */
export function readLine(text: string): Operation | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isLine(line)) return undefined;
  return {
    what: line.what as OperationName, // a later version may know more
    number: line.number,
    request: line.request,
    subject: line.about,
    startedAtMs: line.at,
    durationMs: line.ms,
    error: line.error,
    facts: line.facts ?? {},
    steps: line.steps.map(([name, detail, parent, startedMs, durationMs, error]) => ({
      name: name as StepName,
      detail,
      pid: undefined,
      parent,
      startedMs,
      durationMs: durationMs ?? undefined,
      error,
    })),
    notes: (line.notes ?? []).map(([atMs, parent, words]) => ({ atMs, parent, words })),
    left: line.left ?? 0,
  };
}

function isLine(value: unknown): value is Line {
  if (!isObject(value)) return false;
  const { what, number, at, about, steps, notes } = value;
  const hasHead = typeof what === 'string' && typeof number === 'number' && typeof at === 'number' && isObject(about);
  return hasHead && Array.isArray(steps) && steps.every(Array.isArray) && (notes === undefined || Array.isArray(notes));
}
