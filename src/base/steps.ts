import { AsyncLocalStorage } from 'node:async_hooks';
import { messageOf } from './errors.ts';
import type { OperationName, StepName } from './step-names.ts';

/** The call that work is done for. */
export interface RequestContext {
  /** One of each call, as in the log. */
  readonly requestId: string;
  readonly rpc: string;
  /** The caller's `traceparent` (W3C Trace Context), where it has sent one. */
  readonly traceparent?: string;
  /** Its span, where its trace is kept: digits as W3C Trace Context has them. */
  readonly trace?: { readonly traceId: string; readonly spanId: string };
}

/** How a call ended. */
export interface RequestEnd {
  /** The gRPC code by its name. */
  readonly code: string;
  /** Why it failed. */
  readonly error: string | undefined;
}

/** What work is about. Ids come as they become known. */
export interface Subject {
  readonly sandboxId?: string;
  readonly containerId?: string;
  /** As the caller named it. */
  readonly image?: string;
  /** `NAMESPACE/POD`, or `NAMESPACE/POD/CONTAINER`. */
  readonly name?: string;
}

/** One thing that was done for an operation. */
export interface Step {
  readonly name: StepName;
  /** Which plugin, layer, program; empty where there is one only. It may become known while it goes on. */
  readonly detail: string;
  /** Of the program that was started last for it, or of the process that it waits for. */
  readonly pid: number | undefined;
  /** Index of the step that it is a part of; -1: of the operation itself. */
  readonly parent: number;
  /** Since the operation began, milliseconds. */
  readonly startedMs: number;
  /** Undefined while it is under way. */
  readonly durationMs: number | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
}

/** Something that happened at a moment: a retry, a signal. */
export interface Note {
  readonly atMs: number;
  /** Index of the step in which it happened; -1: none. */
  readonly parent: number;
  readonly words: string;
}

/** A piece of work on an object, with its steps: a live object, to be read by whoever shows it. */
export interface Operation {
  readonly what: OperationName;
  /** Counts up, from 1 at the start of the daemon. */
  readonly number: number;
  readonly request: RequestContext | undefined;
  readonly subject: Subject;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly durationMs: number | undefined;
  readonly error: string | undefined;
  /** What came of it, beside its end: `exitCode`, `bytes`. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** In the order of their beginnings. */
  readonly steps: readonly Step[];
  readonly notes: readonly Note[];
  /** Steps and notes that were too many to be kept. */
  readonly left: number;
}

/** Hears of steps and operations, in the turn in which they end: must be quick and must not throw. */
export interface StepSink {
  /** @returns the call's span, where its trace is kept. */
  requestBegan?(request: RequestContext): RequestContext['trace'];
  requestEnded?(request: RequestContext, end: RequestEnd): void;
  /** `operation` is undefined of a step of work that nobody asked for. Its durationMs is there. */
  stepEnded?(step: Step, operation: Operation | undefined): void;
  operationEnded?(operation: Operation): void;
}

/** Steps, and notes, that are kept of one operation. */
const MOST_STEPS = 256;
/** Most of an error, or of a note, that is kept, characters. */
const MOST_WORDS = 2000;
const MOST_DETAIL = 300;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type OpenOperation = Omit<Mutable<Operation>, 'steps' | 'notes'> & {
  readonly beganMs: number;
  readonly steps: Mutable<Step>[];
  readonly notes: Note[];
};

/** Where the present code is. Contexts outlive their operation (watches, timers begun in it), so they must not hold it. */
interface Context {
  readonly request: RequestContext | undefined;
  readonly root: { open: OpenOperation | undefined };
  readonly parent: number;
}

const contexts = new AsyncLocalStorage<Context>();
const sinks = new Set<StepSink>();
const open = new Set<OpenOperation>();
let operationCount = 0;

/** Has `sink` hear of all steps and operations. @returns what takes it away again. */
export function addStepSink(sink: StepSink): () => void {
  sinks.add(sink);
  return () => sinks.delete(sink);
}

/** The operations under way, in the order of their beginnings. */
export function operationsUnderWay(): readonly Operation[] {
  return [...open];
}

/** The call that the present code works for; undefined where there is none. */
export function currentRequest(): RequestContext | undefined {
  return contexts.getStore()?.request;
}

/** The operation that the present code is a part of; undefined where there is none, or it has ended. */
export function currentOperation(): Operation | undefined {
  return contexts.getStore()?.root.open;
}

/** A call has come: tells the sinks. @returns its context, with the span that one of them has begun. */
export function requestBegan(request: Omit<RequestContext, 'trace'>): RequestContext {
  const begun: Mutable<RequestContext> = { ...request };
  for (const sink of sinks) {
    const trace = sink.requestBegan?.(begun);
    if (trace !== undefined) begun.trace = trace;
  }
  return begun;
}

/** The call has its answer: tells the sinks. */
export function requestEnded(request: RequestContext, end: RequestEnd): void {
  for (const sink of sinks) sink.requestEnded?.(request, end);
}

/** Runs `work` for a call. */
export function inRequest<T>(request: RequestContext, work: () => T): T {
  return contexts.run({ request, root: { open: undefined }, parent: -1 }, work);
}

/** Runs `work` outside of any call and operation: for what a call only happens to begin. */
export function outsideOfRequests<T>(work: () => T): T {
  return contexts.run({ request: undefined, root: { open: undefined }, parent: -1 }, work);
}

/** Runs `work` as an operation, for the present call. One within another is an operation of its own. */
export async function operation<T>(what: OperationName, subject: Subject, work: () => Promise<T>): Promise<T> {
  const request = contexts.getStore()?.request;
  operationCount += 1;
  const made: OpenOperation = {
    what,
    number: operationCount,
    request,
    subject,
    startedAtMs: Date.now(),
    beganMs: performance.now(),
    durationMs: undefined,
    error: undefined,
    facts: {},
    steps: [],
    notes: [],
    left: 0,
  };
  const root: Context['root'] = { open: made };
  open.add(made);
  try {
    return await contexts.run({ request, root, parent: -1 }, work);
  } catch (error) {
    made.error = cut(messageOf(error), MOST_WORDS);
    throw error;
  } finally {
    made.durationMs = since(made.beganMs);
    open.delete(made);
    root.open = undefined;
    for (const sink of sinks) sink.operationEnded?.(made);
  }
}

/** Says more of what the present operation is about. */
export function operationIsAbout(subject: Subject): void {
  const made = contexts.getStore()?.root.open;
  if (made !== undefined) made.subject = { ...made.subject, ...subject };
}

/** Runs `work` as a step of the present operation. Outside of one it is only told to the sinks. */
export async function step<T>(name: StepName, work: () => Promise<T>, detail = ''): Promise<T> {
  const context = contexts.getStore();
  const made = context?.root.open;
  const beganMs = performance.now();
  const begun: Mutable<Step> = {
    name,
    detail: cut(detail, MOST_DETAIL),
    pid: undefined,
    parent: context?.parent ?? -1,
    startedMs: made === undefined ? 0 : round(beganMs - made.beganMs),
    durationMs: undefined,
    error: undefined,
  };
  const isKept = made !== undefined && made.steps.length < MOST_STEPS;
  if (isKept) made.steps.push(begun);
  else if (made !== undefined) made.left += 1;
  try {
    if (context === undefined || !isKept) return await work();
    return await contexts.run({ ...context, parent: made.steps.length - 1 }, work);
  } catch (error) {
    begun.error = cut(messageOf(error), MOST_WORDS);
    throw error;
  } finally {
    begun.durationMs = since(beganMs);
    for (const sink of sinks) sink.stepEnded?.(begun, made);
  }
}

/** Says what came of the present operation. */
export function operationHas(facts: Operation['facts']): void {
  const made = contexts.getStore()?.root.open;
  if (made !== undefined) made.facts = { ...made.facts, ...facts };
}

/** Says more of the present step: words for its detail (a host), or the process that it waits for. */
export function stepIs({ also, pid }: { readonly also?: string; readonly pid?: number }): void {
  const context = contexts.getStore();
  const begun = context?.root.open?.steps[context.parent];
  if (begun === undefined) return;
  if (pid !== undefined) begun.pid = pid;
  if (also !== undefined && !begun.detail.includes(also))
    begun.detail = cut(begun.detail === '' ? also : `${begun.detail}, ${also}`, MOST_DETAIL);
}

/** Says what happens at this moment of the present operation. */
export function note(words: string): void {
  const context = contexts.getStore();
  const made = context?.root.open;
  if (made === undefined) return;
  if (made.notes.length < MOST_STEPS)
    made.notes.push({ atMs: since(made.beganMs), parent: context?.parent ?? -1, words: cut(words, MOST_WORDS) });
  else made.left += 1;
}

function since(beganMs: number): number {
  return round(performance.now() - beganMs);
}

/** To a hundredth of a millisecond. */
function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function cut(words: string, most: number): string {
  return words.length <= most ? words : `${words.slice(0, most)}...`;
}
