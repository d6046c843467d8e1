import type { Subject } from './steps.ts';

/** What `podwright explain` tells of an object: plain JSON of the admin socket. Times are ISO 8601, durations milliseconds. */
export interface Explanation {
  readonly asked: string;
  /** When this was put together. */
  readonly at: string;
  readonly object: ExplainedObject;
  /** Of a pod, also those that are gone; oldest first. */
  readonly containers: readonly ExplainedObject[];
  /** Pulls of images for the pod, or for the pod of the container; oldest first. */
  readonly pulls: readonly ExplainedOperation[];
}

export interface ExplainedObject {
  readonly kind: 'pod' | 'container' | 'image';
  /** Empty where it never got one, or none is known. */
  readonly id: string;
  /** `NAMESPACE/POD`, `NAMESPACE/POD/CONTAINER`, or the image as it was named. */
  readonly name: string;
  /** As the daemon has it now: Ready, Running, Exited, ..., `Creating`, `being pulled`, `present`; `gone` where it has none. */
  readonly state: string;
  /** Why it is so, where the state has a reason of its own. */
  readonly reason?: string;
  readonly createdAt?: string;
  /** Of a container: its pod. */
  readonly sandboxId?: string;
  /** Of a container: its image as the pod names it. */
  readonly image?: string;
  /** Of its first process, while it is there. */
  readonly pid?: number;
  readonly startedAt?: string;
  readonly end?: ExplainedEnd;
  /** Other objects of the same name, whose work is told here too: earlier attempts. */
  readonly others?: readonly string[];
  /** What was done, oldest first; what is under way comes last. */
  readonly operations: readonly ExplainedOperation[];
  /** How many older ones are not told. */
  readonly left: number;
}

/** How a container ended. */
export interface ExplainedEnd {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly finishedAt: string;
}

export interface ExplainedOperation {
  readonly what: string;
  /** Counts up from 1 at each start of the daemon. */
  readonly number: number;
  readonly requestId?: string;
  readonly rpc?: string;
  readonly about: Subject;
  readonly startedAt: string;
  /** So far, where it is under way. */
  readonly durationMs: number;
  readonly isUnderWay: boolean;
  readonly error?: string;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly steps: readonly ExplainedStep[];
  readonly notes: readonly ExplainedNote[];
  /** Steps and notes that were too many to be kept. */
  readonly left: number;
  /** What is waited for, one for each step under way that has no other in it; empty where it has ended. */
  readonly waits: readonly ExplainedWait[];
}

export interface ExplainedStep {
  readonly name: string;
  /** What it is for, in words. */
  readonly words: string;
  /** Which plugin, layer, program. */
  readonly detail: string;
  /** Index of the step that it is a part of; -1: of the operation. */
  readonly parent: number;
  /** Since the operation began. */
  readonly startedMs: number;
  /** So far, where it is under way. */
  readonly durationMs: number;
  readonly isUnderWay: boolean;
  readonly error?: string;
}

export interface ExplainedNote {
  readonly atMs: number;
  /** Index of the step in which it was; -1: none. */
  readonly parent: number;
  readonly words: string;
}

export interface ExplainedWait {
  /** Index of the step; -1: none is under way. */
  readonly step: number;
  readonly since: string;
  /** `running one CNI plugin (bridge of pods, ADD)` */
  readonly what: string;
  /** What the program waits for as the kernel tells, how far a layer is; empty where nothing more is known. */
  readonly words: string;
  readonly pid?: number;
}
